"""Encoders of observations that need nothing but the state and the maze's planes.

An encoder holds what it needs of each maze in a slot, like the compiled step: the single
environment has one slot, the vector environment one for each maze.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray

from ..mazes.layout import Layout


class ObservationEncoder(Protocol):
    """Encoder of agents' states as observations."""

    @property
    def space(self) -> spaces.Space[Any]:
        """The space of its observations."""

    def load(self, slot: int, layout: Layout) -> None:
        """Store what is needed of the maze in a slot; free of cost if it has not changed."""

    def encode(self, state: Any, slot: int) -> Any:
        """Return the observation of a state in the maze of a slot, in a new object."""

    def encode_batch(self, states: Any, slots: IntArray) -> Any:
        """Return the observations of (n,) states in the mazes of (n,) slots, in new arrays."""


class IndexObservation:
    """Number of the agent's cell, ``row * cols + col``."""

    def __init__(self, layout: Layout) -> None:
        self.space = spaces.Discrete(layout.num_cells)

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: int, slot: int) -> int:
        """Return the observation of a state: an int."""
        return state

    def encode_batch(self, states: IntArray, slots: IntArray) -> IntArray:
        """Return the observations of a batch: (n,) int64."""
        return states.copy()


class CoordinatesObservation:
    """Row and column of the agent's cell."""

    def __init__(self, layout: Layout) -> None:
        self._cols = layout.cols
        self.space = spaces.MultiDiscrete([layout.rows, layout.cols])

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: int, slot: int) -> IntArray:
        """Return the observation of a state: (2,) int64."""
        return np.array(divmod(state, self._cols))

    def encode_batch(self, states: IntArray, slots: IntArray) -> IntArray:
        """Return the observations of a batch: (n, 2) int64."""
        return np.stack(np.divmod(states, self._cols), axis=1)


class OneHotObservation:
    """One-hot vector of the agent's cell."""

    def __init__(self, layout: Layout) -> None:
        self._num_states = layout.num_cells
        self.space = spaces.Box(0.0, 1.0, (self._num_states,), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (states,) float32."""
        observation = np.zeros(self._num_states, dtype=np.float32)
        observation[state] = 1.0
        return observation

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, states) float32."""
        observation = np.zeros((len(states), self._num_states), dtype=np.float32)
        observation[np.arange(len(states)), states] = 1.0
        return observation


class PlanesObservation:
    """Three planes of the present maze: walls, agent, goals."""

    def __init__(self, layout: Layout) -> None:
        self._cols = layout.cols
        self._planes = SlotCache((3, layout.rows, layout.cols), np.float32)
        self.space = spaces.Box(0.0, 1.0, (3, layout.rows, layout.cols), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Write the walls and goals of the maze in a slot."""
        planes = self._planes.stale(slot, layout)
        if planes is None:
            return
        planes[0], planes[2] = layout.walls, 0.0
        for goal in layout.goals:
            planes[(2, *goal)] = 1.0

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (3, rows, cols) float32."""
        observation: Float32Array = self._planes.arrays[slot].copy()
        observation[(1, *divmod(state, self._cols))] = 1.0
        return observation

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 3, rows, cols) float32."""
        observation: Float32Array = self._planes.arrays[slots]
        rows, cols = np.divmod(states, self._cols)
        observation[np.arange(len(states)), 1, rows, cols] = 1.0
        return observation


def as_entries(observation: Any) -> dict[str, Any]:
    """Return an observation, or a space, as entries of a dictionary that can be extended."""
    if isinstance(observation, dict | spaces.Dict):
        return dict(observation)
    return {"observation": observation}


class SlotCache:
    """An array for each slot, recomputed where the maze of the slot has changed.

    Attributes:
        arrays: (slots, *shape).
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.arrays = np.zeros((1, *shape), dtype=dtype)
        self._layouts: list[Layout | None] = [None]

    def stale(self, slot: int, layout: Layout) -> npt.NDArray[Any] | None:
        """Return the array of a slot if it must be recomputed for the layout, otherwise None."""
        if slot >= len(self._layouts):
            # At least doubled: n slots that come one after the other then cost O(n) copies.
            more = max(slot + 1, 2 * len(self._layouts)) - len(self._layouts)
            added = np.zeros((more, *self.arrays.shape[1:]), self.arrays.dtype)
            self.arrays = np.concatenate([self.arrays, added])
            self._layouts += [None] * more
        if self._layouts[slot] is layout:
            return None
        self._layouts[slot] = layout
        array: npt.NDArray[Any] = self.arrays[slot]
        return array
