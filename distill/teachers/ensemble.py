"""Ensembles: one policy from several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..core.distributions import CATEGORICAL, distribution_of
from ..core.policy import LogitPolicy, log_probabilities, softmax
from . import as_teacher, check_stateless, logits_of


class Ensemble(LogitPolicy):
    """Policy whose probabilities are the mean of those of its members.

    Args:
        members: policies of the same Discrete actions, anything that `as_teacher` takes.

    Raises:
        ValueError: for no members.
        TypeError: for a member that is no teacher, is recurrent, needs action masks, or has
            continuous actions.
    """

    def __init__(self, members: Sequence[Any]) -> None:
        self.members = [as_teacher(each) for each in members]
        if not self.members:
            raise ValueError("an ensemble of no policies; expected at least one")
        for each in self.members:
            check_stateless(each, "Ensemble")
            if distribution_of(each) != CATEGORICAL:
                raise TypeError(
                    "an ensemble of policies with continuous actions; expected Discrete ones"
                )

    def action_logits(self, observations: Any) -> FloatArray:
        """Return the (queries, actions) logarithms of the mean probabilities.

        Raises:
            ValueError: for members with different numbers of queries or actions.
        """
        answers = [softmax(logits_of(each, observations)) for each in self.members]
        shapes = sorted({each.shape for each in answers})
        if len(shapes) > 1:
            raise ValueError(f"members with answers of shapes {shapes}; expected the same of each")
        return log_probabilities(np.mean(answers, axis=0))
