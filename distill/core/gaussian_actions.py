"""Gaussian policies made from the outputs of another policy."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from .distributions import Bounds, split

LOG_STD = (-20.0, 2.0)
"""Range of the logarithms of standard deviations, as in SAC of Stable-Baselines3."""


class GaussianActions:
    """Policy whose Gaussian parameters are the outputs of an inner policy.

    Attributes:
        inner: has `action_logits`: (queries, 2 * dimensions) means, then log standard deviations.
        bounds: bounds of the actions; they map samples to actions.
    """

    inner: Any
    bounds: Bounds

    def action_gaussian(self, observations: Any) -> tuple[FloatArray, FloatArray]:
        """Return (queries, dimensions) means and log standard deviations."""
        rows = self.inner.action_logits(observations)
        check_output_shape("inner", rows.shape, 2 * self.bounds.dimensions)
        mean, log_std = split(rows)
        return mean, np.clip(log_std, *LOG_STD)

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """Return the action of the mean for one observation, as the environment takes it."""
        mean, _ = self.action_gaussian(np.asarray(observation)[None])
        return self.bounds.action(mean)[0]  # type: ignore[no-any-return]

    def action_logits(self, observations: Any) -> NoReturn:
        """Refuse: a Gaussian policy has no logits.

        Raises:
            TypeError: always.
        """
        refuse_logits()

    def action_probabilities(self, observations: Any) -> NoReturn:
        """Refuse: a Gaussian policy has no action probabilities.

        Raises:
            TypeError: always.
        """
        self.action_logits(observations)

    @property
    def memory(self) -> Any:
        """Recurrent state of the inner policy, if it has one."""
        return self.inner.memory

    @memory.setter
    def memory(self, memory: Any) -> None:
        self.inner.memory = memory

    def reset(self, episode_start: npt.NDArray[np.bool_] | None = None) -> None:
        """Reset the recurrent state of the inner policy, if it has one."""
        self.inner.reset(episode_start)


def refuse_logits() -> NoReturn:
    """Raise the error for logits of a policy with continuous actions.

    Raises:
        TypeError: always.
    """
    raise TypeError("a policy of continuous actions has no logits; use its action_gaussian")


def check_output_shape(name: str, shape: Any, outputs: int) -> None:
    """Check the shape of a part's outputs.

    Raises:
        ValueError: if it is not (queries, outputs).
    """
    if len(shape) != 2 or shape[1] != outputs:
        raise ValueError(f"{name} gave shape {tuple(shape)}; expected (queries, {outputs})")
