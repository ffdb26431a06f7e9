"""Encoders of local observations: a window and rays."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray
from dynamaze.common.validation import checked_number

from ..mazes.layout import Layout
from .basic import SlotCache

RAY_DIRECTIONS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The directions of rays, clockwise from up, as (row, col) displacements."""


class WindowObservation:
    """Two planes of the cells around the agent: walls and goals. Outside the maze are walls.

    Args:
        layout: the first maze.
        radius: cells observed to each side, at least 1.

    Raises:
        ValueError: for a radius below 1; TypeError if it is not a number.
    """

    def __init__(self, layout: Layout, radius: int = 2) -> None:
        self._radius = int(checked_number("radius", radius, 1, 1000, whole=True))
        self._side = 2 * self._radius + 1
        self._cols = layout.cols
        margin = 2 * self._radius
        self._mazes = SlotCache((2, layout.rows + margin, layout.cols + margin), np.float32)
        self.space = spaces.Box(0.0, 1.0, (2, self._side, self._side), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Write the walls and goals of the maze in a slot, with a margin of walls."""
        maze = self._mazes.stale(slot, layout)
        if maze is None:
            return
        inside = slice(self._radius, -self._radius)
        maze[0], maze[1] = 1.0, 0.0
        maze[0, inside, inside] = layout.walls
        for row, col in layout.goals:
            maze[1, row + self._radius, col + self._radius] = 1.0

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (2, 2 * radius + 1, 2 * radius + 1) float32."""
        row, col = divmod(state, self._cols)
        maze = self._mazes.arrays[slot]
        seen: Float32Array = maze[:, row : row + self._side, col : col + self._side].copy()
        return seen

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 2, 2 * radius + 1, 2 * radius + 1) float32."""
        rows, cols = np.divmod(states, self._cols)
        offset = np.arange(self._side)
        seen: Float32Array = self._mazes.arrays[
            slots[:, None, None, None],
            np.arange(2)[:, None, None],
            (rows[:, None] + offset)[:, None, :, None],
            (cols[:, None] + offset)[:, None, None, :],
        ]
        return seen


class RaysObservation:
    """Rays in eight directions, clockwise from up.

    The first eight numbers count the free cells before the next wall, the other eight are 1 if a
    goal is among them and 0 otherwise.
    """

    def __init__(self, layout: Layout) -> None:
        self._mazes = SlotCache((layout.num_cells, 2 * len(RAY_DIRECTIONS)), np.float32)
        farthest = max(layout.rows, layout.cols) - 1
        high = np.array(
            [max(farthest, 1)] * len(RAY_DIRECTIONS) + [1] * len(RAY_DIRECTIONS), dtype=np.float32
        )
        self.space = spaces.Box(np.zeros_like(high), high, dtype=np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Cast the rays from every cell of the maze in a slot."""
        maze = self._mazes.stale(slot, layout)
        if maze is not None:
            for number, direction in enumerate(RAY_DIRECTIONS):
                maze[:, number :: len(RAY_DIRECTIONS)] = _ray_counts(layout, *direction)

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (16,) float32."""
        seen: Float32Array = self._mazes.arrays[slot, state].copy()
        return seen

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 16) float32."""
        seen: Float32Array = self._mazes.arrays[slots, states]
        return seen


def _ray_counts(layout: Layout, down: int, right: int) -> Float32Array:
    """Return (cells, 2): the number of free cells in a direction, and 1 if a goal is among them."""
    rows, cols = layout.walls.shape
    goal = np.zeros((rows, cols), dtype=np.bool_)
    for cell in layout.goals:
        goal[cell] = True
    free = np.pad(~layout.walls, 1)  # nothing is free beyond the edge
    # The ray of a cell is its neighbour and the neighbour's ray: iterate until all have ended.
    count, found = np.zeros((rows + 2, cols + 2)), np.zeros((rows + 2, cols + 2), dtype=np.bool_)
    goal = np.pad(goal, 1)
    here = (slice(1, rows + 1), slice(1, cols + 1))
    there = (slice(1 + down, rows + 1 + down), slice(1 + right, cols + 1 + right))
    for _ in range(max(rows, cols) - 1):
        count[here] = np.where(free[there], 1 + count[there], 0)
        found[here] = free[there] & (goal[there] | found[there])
    seen: Float32Array = np.stack([count[here], found[here]], axis=-1).reshape(-1, 2)
    return seen.astype(np.float32)
