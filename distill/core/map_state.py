"""Recurrent state of policies that keep a map of a maze which they do not see.

A state is a row of float32 for each run: a `MapMemory`, and the cell before the latest move. Zeros
are an empty map. Unlike the state of other recurrent policies it outlives episodes: a reset only
forgets the cell before, since no move leads from one episode to the next.

| numbers | of |
| --- | --- |
| cells | last event in each cell |
| cells | clock at that event |
| 1 | clock: moves so far |
| 1 | 1 + index of the latest cell; 0 at the beginning of an episode |
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, Float32Array
from dynamaze.common.compiled import compiled
from dynamaze.common.map_memory import MapMemory, move_targets, record_move, record_presence
from dynamaze.common.validation import check_entries, checked_count, shown

Grid = tuple[int, int]
"""Rows and columns of a maze."""

OBSERVATION = ("cell", "last action", "last reward")
"""Numbers of an observation: row * cols + col, and two that do not matter at an episode's start."""


def state_width(grid: Grid) -> int:
    """Return the numbers of a state."""
    return 2 * grid[0] * grid[1] + 2


def checked_grid(grid: Any) -> Grid:
    """Return rows and columns of a maze.

    Raises:
        ValueError, TypeError: for anything but two whole numbers from 1.
    """
    try:
        rows, cols = grid
    except (TypeError, ValueError):
        raise ValueError(f"grid={shown(grid)}; expected (rows, cols) of the maze") from None
    found = checked_count("grid", rows), checked_count("grid", cols)
    check_entries(f"grid={shown(grid)}", *found)
    return found


def known_grid(grid: Grid | None) -> Grid:
    """Return the grid of a policy.

    Raises:
        ValueError: if it was not set.
    """
    if grid is None:
        raise ValueError(
            "a policy that keeps a map of a maze of unknown size; expected policy.grid = "
            "(rows, cols) before its first observation"
        )
    return grid


def checked_cells(observations: Any, grid: Grid) -> Float32Array:
    """Return observations of cells of the grid as float32.

    Raises:
        ValueError: for another shape, or a cell or an action that does not exist.
    """
    seen = np.ascontiguousarray(observations, dtype=np.float32)
    if seen.ndim != 2 or seen.shape[1] != len(OBSERVATION):
        raise ValueError(
            f"observations of shape {seen.shape}; expected (batch, {len(OBSERVATION)}): "
            f"{', '.join(OBSERVATION)}"
        )
    cell, cells = seen[:, 0], grid[0] * grid[1]
    wrong = ~((cell >= 0) & (cell < cells) & (cell == np.floor(cell)))
    if wrong.any():
        raise ValueError(f"cell {cell[wrong][0]:g} of a maze of {cells}; expected one of its cells")
    return seen


def map_of(states: Any) -> Any:
    """Return the `MapMemory` in (runs, numbers) states, as views."""
    cells = (states.shape[1] - 2) // 2
    return MapMemory(states[:, :cells], states[:, cells : 2 * cells], states[:, 2 * cells])


compiled_map_of = compiled(map_of)

grid_targets = lru_cache(maxsize=16)(move_targets)
"""Function from a grid to its `move_targets`, which are not to be changed."""


def recalled(memory: Float32Array | None, expected: tuple[int, int]) -> Float32Array:
    """Return a copy of the states; zeros for None.

    Args:
        memory: the states.
        expected: (runs, numbers), their shape.

    Raises:
        ValueError: for states of another shape.
    """
    if memory is None:
        return np.zeros(expected, dtype=np.float32)
    if np.shape(memory) != expected:
        raise ValueError(
            f"a memory of shape {np.shape(memory)}; expected {expected}: runs, and the numbers of "
            "a run in this maze"
        )
    return np.array(memory, dtype=np.float32)


def forget_cells(states: Float32Array, episode_start: BoolArray | None) -> Float32Array:
    """Return a copy of the states without the cell before, where an episode begins."""
    after = states.copy()
    after[slice(None) if episode_start is None else episode_start, -1] = 0
    return after


class GridPolicy:
    """Base class of policies with a memory of the maze, for each of a batch of runs.

    Its last number is 1 + index of the latest cell, 0 at the beginning of an episode.

    Attributes:
        memory: (runs, numbers) float32 states, None for zeros. Code that runs another episode in
            between saves and restores it.
    """

    memory: Float32Array | None = None
    _grid: Grid | None = None

    @property
    def grid(self) -> Grid | None:
        """(rows, cols) of the maze in which it acts; None until it is set.

        To set it clears the memory.

        Raises:
            ValueError, TypeError: for anything but two whole numbers from 1.
        """
        return self._grid

    @grid.setter
    def grid(self, grid: Any) -> None:
        self._grid, self.memory = checked_grid(grid), None

    def reset(self, episode_start: BoolArray | None = None) -> None:
        """Begin an episode; all but the latest cell is kept.

        Args:
            episode_start: (runs,) True where an episode begins; None for all runs.
        """
        if self.memory is not None:
            self.memory = forget_cells(self.memory, episode_start)

    def forget(self) -> None:
        """Clear the memory."""
        self.memory = None


class MapKeeper(GridPolicy):
    """Base class of policies that keep a map of the maze."""

    def record(self, observations: Any) -> Float32Array:
        """Record an observation of each run in its map, and return the states.

        Args:
            observations: (runs, 3) cell, last action and last reward.

        Raises:
            ValueError: without a grid, for a cell outside of it, or a memory of another number of
                runs or another grid; then nothing is recorded.
        """
        grid = known_grid(self._grid)
        seen = checked_cells(observations, grid)
        states = recalled(self.memory, (len(seen), state_width(grid)))
        observe(states, grid_targets(grid), seen)
        self.memory = states
        return states


@compiled
def observe(states, targets, observations):
    """Record an observation of each run in its map.

    Args:
        states: (runs, numbers), changed in place.
        targets: (cells, actions) of `move_targets`.
        observations: (runs, 3) cell, last action and last reward.
    """
    memory, latest = compiled_map_of(states), states.shape[1] - 1
    for run in range(observations.shape[0]):
        cell, action = int(observations[run, 0]), int(observations[run, 1])
        before = int(states[run, latest]) - 1
        if before < 0 or action < 0 or action >= targets.shape[1]:
            record_presence(memory, run, cell)
        else:
            record_move(memory, targets, run, before, action, observations[run, 2], cell)
        states[run, latest] = cell + 1
