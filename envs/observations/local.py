"""Observations of what lies round the agent: a window, rays, a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray
from dynamaze.common.validation import checked_number

from ..mazes.layout import Layout
from ..render import scene_of
from ..rendering.frame import FramePainter
from .basic import Slots

Frames = npt.NDArray[np.uint8]

EIGHT = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The directions of rays, clockwise from up, as (row, col) displacements."""


class Window:
    """Two planes of the cells round the agent: walls and goals; beyond the edge all is wall.

    Args:
        layout: the first maze.
        radius: cells seen to each side, at least 1.

    Raises:
        ValueError: for a radius below 1; TypeError if it is not a number.
    """

    def __init__(self, layout: Layout, radius: int = 2) -> None:
        self._radius = int(checked_number("radius", radius, 1, 1000, whole=True))
        self._side = 2 * self._radius + 1
        self._cols = layout.cols
        margin = 2 * self._radius
        self._mazes = Slots((2, layout.rows + margin, layout.cols + margin), np.float32)
        self.space = spaces.Box(0.0, 1.0, (2, self._side, self._side), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Draw the walls and goals of the maze in a slot, with a margin of walls."""
        maze = self._mazes.stale(slot, layout)
        if maze is None:
            return
        inside = slice(self._radius, -self._radius)
        maze[0], maze[1] = 1.0, 0.0
        maze[0, inside, inside] = layout.walls
        for row, col in layout.goals:
            maze[1, row + self._radius, col + self._radius] = 1.0

    def one(self, state: int, slot: int) -> Float32Array:
        """The observation of a state: (2, 2 * radius + 1, 2 * radius + 1) float32."""
        row, col = divmod(state, self._cols)
        maze = self._mazes.arrays[slot]
        seen: Float32Array = maze[:, row : row + self._side, col : col + self._side].copy()
        return seen

    def many(self, states: IntArray, slots: IntArray) -> Float32Array:
        """The observations of several: (n, 2, 2 * radius + 1, 2 * radius + 1) float32."""
        rows, cols = np.divmod(states, self._cols)
        reach = np.arange(self._side)
        seen: Float32Array = self._mazes.arrays[
            slots[:, None, None, None],
            np.arange(2)[:, None, None],
            (rows[:, None] + reach)[:, None, :, None],
            (cols[:, None] + reach)[:, None, None, :],
        ]
        return seen


class Rays:
    """What is seen in eight directions, clockwise from up.

    The first eight numbers are those of the free cells before the next wall, the other eight say
    whether a goal is among them.
    """

    def __init__(self, layout: Layout) -> None:
        self._mazes = Slots((layout.num_cells, 2 * len(EIGHT)), np.float32)
        farthest = max(layout.rows, layout.cols) - 1
        high = np.array([max(farthest, 1)] * len(EIGHT) + [1] * len(EIGHT), dtype=np.float32)
        self.space = spaces.Box(np.zeros_like(high), high, dtype=np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Follow the rays from every cell of the maze in a slot."""
        maze = self._mazes.stale(slot, layout)
        if maze is not None:
            for number, direction in enumerate(EIGHT):
                maze[:, number :: len(EIGHT)] = _seen_along(layout, *direction)

    def one(self, state: int, slot: int) -> Float32Array:
        """The observation of a state: (16,) float32."""
        seen: Float32Array = self._mazes.arrays[slot, state].copy()
        return seen

    def many(self, states: IntArray, slots: IntArray) -> Float32Array:
        """The observations of several: (n, 16) float32."""
        seen: Float32Array = self._mazes.arrays[slots, states]
        return seen


class Picture:
    """A picture of the whole maze, as `render` draws it, but without the trail.

    Args:
        layout: the first maze.
        cell_size: pixels a side of a cell, at least 1.

    Raises:
        ValueError: for a size below 1; TypeError if it is not a number.
    """

    def __init__(self, layout: Layout, cell_size: int = 8) -> None:
        self._size = int(checked_number("cell_size", cell_size, 1, 256, whole=True))
        self._shape = (layout.rows, layout.cols)
        self._painters: list[FramePainter] = []
        self._layouts: list[Layout | None] = []
        frame = (layout.rows * self._size, layout.cols * self._size, 3)
        self.space = spaces.Box(0, 255, frame, np.uint8)

    def load(self, slot: int, layout: Layout) -> None:
        """Remember the maze in a slot; its painter keeps what does not move."""
        while slot >= len(self._painters):
            self._painters.append(FramePainter(*self._shape, cell_size=self._size))
            self._layouts.append(None)
        self._layouts[slot] = layout

    def one(self, state: int, slot: int) -> Frames:
        """The observation of a state: (rows * cell_size, cols * cell_size, 3) uint8."""
        layout = self._layouts[slot]
        assert layout is not None
        scene = scene_of(layout)._replace(agent=layout.cell(int(state)))
        return self._painters[slot].paint(scene)

    def many(self, states: IntArray, slots: IntArray) -> Frames:
        """The observations of several: (n, rows * cell_size, cols * cell_size, 3) uint8."""
        pairs = zip(states.tolist(), slots.tolist(), strict=True)
        return np.stack([self.one(state, slot) for state, slot in pairs])


def _seen_along(layout: Layout, down: int, right: int) -> Float32Array:
    """(cells, 2) how many free cells lie in a direction, and whether a goal is among them."""
    rows, cols = layout.walls.shape
    goal = np.zeros((rows, cols), dtype=np.bool_)
    for cell in layout.goals:
        goal[cell] = True
    free = np.pad(~layout.walls, 1)  # nothing is free beyond the edge
    # What is seen from a cell is the next cell, and what is seen from there.
    count, found = np.zeros((rows + 2, cols + 2)), np.zeros((rows + 2, cols + 2), dtype=np.bool_)
    goal = np.pad(goal, 1)
    here = (slice(1, rows + 1), slice(1, cols + 1))
    there = (slice(1 + down, rows + 1 + down), slice(1 + right, cols + 1 + right))
    for _ in range(max(rows, cols) - 1):
        count[here] = np.where(free[there], 1 + count[there], 0)
        found[here] = free[there] & (goal[there] | found[there])
    seen: Float32Array = np.stack([count[here], found[here]], axis=-1).reshape(-1, 2)
    return seen.astype(np.float32)
