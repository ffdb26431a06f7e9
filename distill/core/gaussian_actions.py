"""Continuous actions of a policy whose outputs are another's."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from .distributions import Bounds, split

LOG_STD = (-20.0, 2.0)
"""Logarithms of standard deviations are no less and no more, as in SAC of Stable-Baselines3."""


class GaussianActions:
    """A policy that reads Gaussians out of the outputs of another, the inner one.

    Attributes:
        inner: has `action_logits`: (answers, 2 * dimensions) means, then log standard deviations.
        bounds: what makes actions of samples.
    """

    inner: Any
    bounds: Bounds

    def action_gaussian(self, observations: Any) -> tuple[FloatArray, FloatArray]:
        """(answers, dimensions) means, and as many logarithms of standard deviations."""
        rows = self.inner.action_logits(observations)
        check_answers("inner", rows.shape, 2 * self.bounds.dimensions)
        mean, log_std = split(rows)
        return mean, np.clip(log_std, *LOG_STD)

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """The mean's action for one observation, as the environment takes it."""
        mean, _ = self.action_gaussian(np.asarray(observation)[None])
        return self.bounds.action(mean)[0]  # type: ignore[no-any-return]

    def action_logits(self, observations: Any) -> NoReturn:
        """There are none.

        Raises:
            TypeError: always.
        """
        refuse_logits()

    def action_probabilities(self, observations: Any) -> NoReturn:
        """There are none.

        Raises:
            TypeError: always.
        """
        self.action_logits(observations)

    @property
    def memory(self) -> Any:
        """That of the inner policy, where it remembers."""
        return self.inner.memory

    @memory.setter
    def memory(self, memory: Any) -> None:
        self.inner.memory = memory

    def reset(self, began: npt.NDArray[np.bool_] | None = None) -> None:
        """Let the inner policy forget, where it remembers."""
        self.inner.reset(began)


class GaussianPolicy(GaussianActions):
    """Continuous actions without torch.

    Args:
        inner: a policy that runs without torch.
        bounds: what makes actions of samples.

    Raises:
        ValueError: if the inner policy has another number of outputs.
    """

    def __init__(self, inner: Any, bounds: Bounds) -> None:
        self.inner, self.bounds = inner, bounds
        if inner.num_actions != 2 * bounds.dimensions:
            raise ValueError(f"{inner.num_actions} outputs; expected {2 * bounds.dimensions}")

    @property
    def observation_shape(self) -> Any:
        """That of the inner policy, where it tells one."""
        return self.inner.observation_shape

    @property
    def num_parameters(self) -> int:
        """Those of the inner policy."""
        return int(self.inner.num_parameters)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of the inner policy."""
        return int(self.inner.multiply_adds(observation_shape))


def refuse_logits() -> NoReturn:
    """Say that there are none.

    Raises:
        TypeError: always.
    """
    raise TypeError("a policy of continuous actions has no logits; ask its action_gaussian")


def check_answers(name: str, shape: Any, outputs: int) -> None:
    """Refuse a part's answers of another width.

    Raises:
        ValueError: if they are not (answers, outputs).
    """
    if len(shape) != 2 or shape[1] != outputs:
        raise ValueError(f"{name} gave shape {tuple(shape)}; expected (answers, {outputs})")
