"""Logits and probabilities: the two ways in which policies say the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

SMALLEST = 1e-6
"""Probabilities below it count as this when their logarithm is taken."""


def softmax(logits: npt.ArrayLike) -> FloatArray:
    """(answers, actions) probabilities of logits; each row sums to 1."""
    rows = np.asarray(logits, dtype=np.float64)
    likely = np.exp(rows - rows.max(axis=1, keepdims=True))
    return likely / likely.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def log_probabilities(probabilities: npt.ArrayLike) -> FloatArray:
    """(answers, actions) logits of probabilities, none below log(1e-6)."""
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST))


class LogitPolicy(ABC):
    """A policy that is made of logits, without torch."""

    @abstractmethod
    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits for a batch of observations; only differences matter."""

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(answers, actions) probabilities for a batch of observations."""
        return softmax(self.action_logits(observations))

    def act(self, observation: Any) -> int:
        """The best action for one observation, the first of equal ones."""
        return int(self.action_logits(np.asarray(observation)[None])[0].argmax())
