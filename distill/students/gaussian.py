"""A student with continuous actions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.distributions import Bounds, split
from ..core.gaussian_actions import LOG_STD, GaussianActions, check_answers
from .base import Answers, Student
from .parts import check_outputs, checked_part


class GaussianStudent(GaussianActions, Student):
    """Another student, whose outputs say of which Gaussian an action is drawn.

    Its dimensions are independent. The loss to train it with is "gaussian_kl".

        student = GaussianStudent(MLP((2,), 4, width=8), [-1, -1], [1, 1])
        Distiller(student, source, total_steps=1000, loss="gaussian_kl").distil()

    Args:
        inner: a student with 2 * dimensions outputs: means, then log standard deviations.
        low: of the shape of an action, its bounds; -inf or None where there is none.
        high: as many; inf or None where there is none.
        squashed: whether tanh of the sample is scaled to the bounds, as of a teacher of SAC;
            otherwise the sample is clipped to them, as of one of PPO.

    Attributes:
        bounds: what makes actions of samples.

    Raises:
        TypeError: if the inner student is no network.
        ValueError: for another number of outputs, or bounds that hold nothing.
    """

    def __init__(self, inner: Student, low: Any, high: Any, *, squashed: bool = False) -> None:
        super().__init__()
        self.inner: Any = checked_part("inner", inner)
        self.bounds = Bounds(low, high, bool(squashed))
        check_outputs("inner", inner, 2 * self.bounds.dimensions)
        self.config = {
            "kind": "gaussian",
            "inner": inner.config,
            **self.bounds.to_json(),
        }

    def forward(self, observations: Tensor) -> Tensor:
        """(answers, 2 * dimensions) means, then log standard deviations, in [-20, 2].

        Raises:
            ValueError: if the inner student has another number of outputs.
        """
        return self._held(self.inner(observations))

    def training_answers(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[Answers]:
        """Those of the inner student."""
        answers = self.inner.training_answers(observations, progress, rng)
        return [each._replace(logits=self._held(each.logits)) for each in answers]

    def penalty(self, progress: float) -> Tensor:
        """That of the inner student."""
        penalty: Tensor = self.inner.penalty(progress)
        return penalty

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of the inner student."""
        return int(self.inner.multiply_adds(observation_shape))

    def _held(self, rows: Tensor) -> Tensor:
        check_answers("inner", rows.shape, 2 * self.bounds.dimensions)
        mean, log_std = split(rows)
        return torch.cat([mean, log_std.clamp(*LOG_STD)], dim=1)
