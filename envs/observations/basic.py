"""What the agent sees: one keyword, many forms.

A form of observation holds what it needs of each maze in a slot, as the compiled step does: the
single environment has one slot, the vector environment one for each maze. `load` tells it of the
maze in a slot; it costs something only where the maze has changed.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray

from ..mazes.layout import Layout


class Observation(Protocol):
    """A form of observation."""

    @property
    def space(self) -> spaces.Space[Any]:
        """All its observations."""

    def load(self, slot: int, layout: Layout) -> None:
        """Take note of the maze in a slot."""

    def one(self, state: Any, slot: int) -> Any:
        """The observation of a state in the maze of a slot, in a new object."""

    def many(self, states: Any, slots: IntArray) -> Any:
        """The observations of (n,) states in the mazes of (n,) slots, in new arrays."""


class Index:
    """The cell's number, ``row * cols + col``."""

    def __init__(self, layout: Layout) -> None:
        self.space = spaces.Discrete(layout.num_cells)

    def load(self, slot: int, layout: Layout) -> None:
        """Nothing of the maze is seen."""

    def one(self, state: int, slot: int) -> int:
        """The observation of a state: an int."""
        return state

    def many(self, states: IntArray, slots: IntArray) -> IntArray:
        """The observations of several: (n,) int64."""
        return states.copy()


class Coordinates:
    """The cell's row and column."""

    def __init__(self, layout: Layout) -> None:
        self._cols = layout.cols
        self.space = spaces.MultiDiscrete([layout.rows, layout.cols])

    def load(self, slot: int, layout: Layout) -> None:
        """Nothing of the maze is seen."""

    def one(self, state: int, slot: int) -> IntArray:
        """The observation of a state: (2,) int64."""
        return np.array(divmod(state, self._cols))

    def many(self, states: IntArray, slots: IntArray) -> IntArray:
        """The observations of several: (n, 2) int64."""
        return np.stack(np.divmod(states, self._cols), axis=1)


class OneHot:
    """A vector with a 1 at the cell's number."""

    def __init__(self, layout: Layout) -> None:
        self._num_states = layout.num_cells
        self.space = spaces.Box(0.0, 1.0, (self._num_states,), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Nothing of the maze is seen."""

    def one(self, state: int, slot: int) -> Float32Array:
        """The observation of a state: (states,) float32."""
        observation = np.zeros(self._num_states, dtype=np.float32)
        observation[state] = 1.0
        return observation

    def many(self, states: IntArray, slots: IntArray) -> Float32Array:
        """The observations of several: (n, states) float32."""
        observation = np.zeros((len(states), self._num_states), dtype=np.float32)
        observation[np.arange(len(states)), states] = 1.0
        return observation


class Planes:
    """Three planes of the maze as it is now: walls, agent, goals."""

    def __init__(self, layout: Layout) -> None:
        self._cols = layout.cols
        self._mazes = Slots((3, layout.rows, layout.cols), np.float32)
        self.space = spaces.Box(0.0, 1.0, (3, layout.rows, layout.cols), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Draw the walls and goals of the maze in a slot."""
        maze = self._mazes.stale(slot, layout)
        if maze is None:
            return
        maze[0], maze[2] = layout.walls, 0.0
        for goal in layout.goals:
            maze[(2, *goal)] = 1.0

    def one(self, state: int, slot: int) -> Float32Array:
        """The observation of a state: (3, rows, cols) float32."""
        observation: Float32Array = self._mazes.arrays[slot].copy()
        observation[(1, *divmod(state, self._cols))] = 1.0
        return observation

    def many(self, states: IntArray, slots: IntArray) -> Float32Array:
        """The observations of several: (n, 3, rows, cols) float32."""
        observation: Float32Array = self._mazes.arrays[slots]
        rows, cols = np.divmod(states, self._cols)
        observation[np.arange(len(states)), 1, rows, cols] = 1.0
        return observation


def keys_of(observed: Any) -> dict[str, Any]:
    """An observation, or a space, as the entries of a dictionary to which more can be added."""
    several = isinstance(observed, dict | spaces.Dict)
    return dict(observed) if several else {"observation": observed}


def check_goals(layout: Layout) -> None:
    """Make sure that what a step pays follows from the cells alone.

    Raises:
        ValueError: if a step that a wall stopped pays otherwise than another.
    """
    if layout.rewards.wall != layout.rewards.step:
        raise ValueError(
            f"observation 'goal' with wall_reward={layout.rewards.wall:g} and "
            f"step_reward={layout.rewards.step:g}; expected the same, for compute_reward sees "
            "only where the agent is"
        )


class Slots:
    """An array for each maze, made anew where the maze has changed.

    Attributes:
        arrays: (slots, *shape).
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.arrays = np.zeros((1, *shape), dtype=dtype)
        self._layouts: list[Layout | None] = [None]

    def stale(self, slot: int, layout: Layout) -> npt.NDArray[Any] | None:
        """The array of a slot if it must be drawn anew for the layout, otherwise None."""
        if slot >= len(self._layouts):
            more = max(slot + 1, 2 * len(self._layouts)) - len(self._layouts)
            room = np.zeros((more, *self.arrays.shape[1:]), self.arrays.dtype)
            self.arrays = np.concatenate([self.arrays, room])
            self._layouts += [None] * more
        if self._layouts[slot] is layout:
            return None
        self._layouts[slot] = layout
        array: npt.NDArray[Any] = self.arrays[slot]
        return array
