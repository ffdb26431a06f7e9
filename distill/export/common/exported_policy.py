"""Base class of exported policies: recurrent state, and Discrete or continuous actions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from ...core.distributions import Bounds, split
from ...core.gaussian_actions import refuse_logits
from ...core.policy import LogitPolicy


class ExportedPolicy(LogitPolicy):
    """Policy of an exported student, with the attributes of its kind of actions only.

    Args:
        bounds: of continuous actions; None for Discrete ones.
        width: size of the recurrent state, a row for each of a batch of episodes until `reset`; 0
            without one.

    Attributes:
        memory: (batch, width) float32 state, None for zeros; only a recurrent policy has it. Code
            that runs another episode in between saves and restores it.
    """

    memory: npt.NDArray[np.float32] | None

    def __init__(self, bounds: Bounds | None, width: int) -> None:
        self._bounds, self.width = bounds, width
        if width:
            self.memory = None

    @abstractmethod
    def _rows(self, observations: Any) -> FloatArray:
        """Return (queries, columns) logits, or means and then logarithms of standard deviations."""

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits for a batch of observations.

        Raises:
            ValueError: for observations of another shape or kind.
            TypeError: for continuous actions, which have none.
        """
        if self._bounds is not None:
            refuse_logits()
        return self._rows(observations)

    @property
    def action_gaussian(self) -> Callable[[Any], tuple[FloatArray, FloatArray]]:
        """Function that returns (queries, dimensions) means and log standard deviations.

        Raises:
            AttributeError: for Discrete actions, which have none.
        """
        self._only_of_continuous_actions("action_gaussian")
        return lambda observations: split(self._rows(observations))

    @property
    def bounds(self) -> Bounds:
        """Bounds of the actions; they map samples to actions.

        Raises:
            AttributeError: for Discrete actions, which have none.
        """
        return self._only_of_continuous_actions("bounds")

    def recall(self, count: int) -> npt.NDArray[np.float32]:
        """Return a (count, width) copy of the state; zeros after a reset.

        Raises:
            ValueError: for another number of observations than the rows of `memory`.
        """
        memory = self.memory if self.width else None
        if memory is None:
            return np.zeros((count, self.width), dtype=np.float32)
        if len(memory) != count:
            raise ValueError(
                f"{count} observations, and a state of {len(memory)} episodes; expected equal "
                "numbers, or reset() before others"
            )
        return memory.copy()

    def reset(self, episode_start: npt.NDArray[np.bool_] | None = None) -> None:
        """Reset the state.

        Args:
            episode_start: (batch,) True where an episode begins; None for all rows.
        """
        if episode_start is None or self.memory is None:
            self.memory = None
            return
        keep: Any = ~np.asarray(episode_start, dtype=np.bool_)
        self.memory = self.memory * keep[:, None].astype(np.float32)

    def _keep(self, memory: npt.NDArray[np.float32]) -> None:
        """Set the state after a step, if there is one."""
        if self.width:
            self.memory = memory

    def _only_of_continuous_actions(self, name: str) -> Bounds:
        if self._bounds is None:
            raise AttributeError(f"a policy of Discrete actions has no {name}")
        return self._bounds


def no_agent_error() -> ValueError:
    """Return the error for planes in which no cell is marked."""
    return ValueError("an observation in which no cell is the agent's; expected one")
