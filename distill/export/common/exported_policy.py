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
from ...core.map_state import Grid, checked_grid, forget_cells
from ...core.policy import LogitPolicy


class ExportedPolicy(LogitPolicy):
    """Policy of an exported student, with the attributes of its kind of actions only.

    Args:
        bounds: of continuous actions; None for Discrete ones.
        width: size of the recurrent state, a row for each of a batch of episodes until `reset`; 0
            without one.
        grid: rows and columns of the maze of which a policy keeps a map.

    Attributes:
        memory: (batch, width) float32 state, None for zeros; only a recurrent policy has it. Code
            that runs another episode in between saves and restores it. A map outlives episodes: it
            is kept until `memory` is set to None.
    """

    memory: npt.NDArray[np.float32] | None

    def __init__(self, bounds: Bounds | None, width: int, grid: Grid | None = None) -> None:
        self._bounds, self.width, self._grid = bounds, width, grid
        if width:
            self.memory = None

    @property
    def grid(self) -> Grid | None:
        """(rows, cols) of the maze of which the policy keeps a map.

        Raises:
            AttributeError: for a policy that keeps none.
        """
        if self._grid is None:
            raise AttributeError("a policy without a map has no grid")
        return self._grid

    @grid.setter
    def grid(self, grid: Any) -> None:
        if checked_grid(grid) != self.grid:
            raise ValueError(f"grid={grid} of a policy that is written for {self._grid}")

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
        if np.shape(memory) != (count, self.width):
            raise ValueError(
                f"a memory of shape {np.shape(memory)}; expected {(count, self.width)}"
            )
        return np.array(memory, dtype=np.float32)

    def reset(self, episode_start: npt.NDArray[np.bool_] | None = None) -> None:
        """Reset the state; of a map only the latest cell is forgotten.

        Args:
            episode_start: (batch,) True where an episode begins; None for all rows.
        """
        if self._grid is not None and self.memory is not None:
            self.memory = forget_cells(self.memory, episode_start)
            return
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
