"""Kinds of random changes of a maze.

A kind draws a changed layout; None if there is none of its kind, whatever is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from ..timing.times import UniformSampler
from .layout import Cell, Layout
from .shortest_paths import bfs_distances

SHORTCUT_STEPS = 4
"""Least number of steps that a shortcut saves."""


class ChangeSizes(Protocol):
    """Sizes of changes (see `RandomChanges`)."""

    @property
    def cells(self) -> int:
        """Number of walls that open, and that close."""

    @property
    def goal_reward_range(self) -> tuple[float, float]:
        """Bounds of the goal's reward."""

    @property
    def slip_range(self) -> tuple[float, float]:
        """Bounds of the slip probability."""


def _move_walls(
    sizes: ChangeSizes, layout: Layout, agent: Cell | None, uniform: UniformSampler
) -> Layout | None:
    """Open some walls and close equally many free cells."""
    walls = layout.walls.copy()
    can_close = ~walls
    for cell in (*layout.starts, *layout.goals, *([] if agent is None else [agent])):
        can_close[cell] = False
    standing, free = np.flatnonzero(walls), np.flatnonzero(can_close)
    if min(standing.size, free.size) < sizes.cells:
        return None
    walls.flat[_sample(standing, sizes.cells, uniform)] = False
    walls.flat[_sample(free, sizes.cells, uniform)] = True
    return replace(layout, walls=walls)


def _move_start(
    sizes: ChangeSizes, layout: Layout, agent: Cell | None, uniform: UniformSampler
) -> Layout | None:
    """Move the start to another cell from which a goal can be reached."""
    possible = layout.distances > 0
    for cell in layout.starts:
        possible[cell] = False
    moved = _random_cell(possible, layout, uniform)
    return None if moved is None else replace(layout, starts=(moved,))


def _move_goal(
    sizes: ChangeSizes, layout: Layout, agent: Cell | None, uniform: UniformSampler
) -> Layout | None:
    """Move the goal to another cell, but not to that of the agent or a start."""
    possible = layout.distances > 0
    for cell in (*layout.starts, *([] if agent is None else [agent])):
        possible[cell] = False
    moved = _random_cell(possible, layout, uniform)
    return None if moved is None else replace(layout, goals=(moved,))


def _block_path(
    sizes: ChangeSizes, layout: Layout, agent: Cell | None, uniform: UniformSampler
) -> Layout | None:
    """Close a cell, so that the shortest path becomes longer."""
    start, before = layout.shortest_path[0], layout.shortest_path_length
    goals = [layout.index(goal) for goal in layout.goals]
    possible = []
    for cell in layout.shortest_path[1:-1]:
        if cell == agent or cell in layout.starts:
            continue
        walls = layout.walls.copy()
        walls[cell] = True
        distances = bfs_distances(walls, goals)
        needed = (*layout.starts, *([] if agent is None else [agent]))
        if min(distances[each] for each in needed) >= 0 and distances[start] > before:
            possible.append(walls)
    return replace(layout, walls=possible[randint(len(possible), uniform)]) if possible else None


def _open_shortcut(
    sizes: ChangeSizes, layout: Layout, agent: Cell | None, uniform: UniformSampler
) -> Layout | None:
    """Open a wall, so that the shortest path becomes shorter by at least `SHORTCUT_STEPS`."""
    start = layout.index(layout.shortest_path[0])
    there = _steps_beside(bfs_distances(layout.walls, [start]))
    back = _steps_beside(layout.distances)
    saved = layout.shortest_path_length - (there + back)
    opened = _random_cell(layout.walls & (saved >= SHORTCUT_STEPS), layout, uniform)
    if opened is None:
        return None
    walls = layout.walls.copy()
    walls[opened] = False
    return replace(layout, walls=walls)


def _steps_beside(distances: IntArray) -> FloatArray:
    """Return (rows, cols) one more than the least distance of the four neighbours."""
    padded = np.pad(np.where(distances >= 0, distances, np.inf), 1, constant_values=np.inf)
    beside = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    steps: FloatArray = np.minimum.reduce(beside) + 1
    return steps


def _draw_goal_reward(
    sizes: ChangeSizes, layout: Layout, agent: Cell | None, uniform: UniformSampler
) -> Layout:
    """Draw a new reward of the goal."""
    reward = _uniform_between(sizes.goal_reward_range, uniform)
    return replace(layout, rewards=layout.rewards._replace(goal=reward))


def _draw_slip(
    sizes: ChangeSizes, layout: Layout, agent: Cell | None, uniform: UniformSampler
) -> Layout:
    """Draw a new slip probability."""
    return replace(layout, slip_probability=_uniform_between(sizes.slip_range, uniform))


ChangeKind = Callable[[ChangeSizes, Layout, Cell | None, UniformSampler], Layout | None]

CHANGE_KINDS: dict[str, ChangeKind] = {
    "walls": _move_walls,
    "block": _block_path,
    "shortcut": _open_shortcut,
    "start": _move_start,
    "goal": _move_goal,
    "rewards": _draw_goal_reward,
    "slip": _draw_slip,
}


def reaches_goal(layout: Layout, agent: Cell) -> bool:
    """Return True if a goal can be reached from the agent's cell, which may be a wall."""
    if not layout.walls[agent]:
        return bool(layout.distances[agent] >= 0)
    # From a wall's cell the agent may step to any free neighbour.
    row, col = agent
    near = layout.distances[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2]
    beside = np.zeros(near.shape, dtype=np.bool_)
    beside[min(row, 1), :] = beside[:, min(col, 1)] = True
    return bool((near[beside] >= 0).any())


def _random_cell(possible: BoolArray, layout: Layout, uniform: UniformSampler) -> Cell | None:
    where = np.flatnonzero(possible)
    return layout.cell(int(where[randint(where.size, uniform)])) if where.size else None


def _sample(
    cells: npt.NDArray[np.intp], count: int, uniform: UniformSampler
) -> npt.NDArray[np.intp]:
    """Draw `count` different cells: a partial Fisher-Yates shuffle."""
    cells = cells.copy()
    for i in range(count):
        j = i + randint(cells.size - i, uniform)
        cells[i], cells[j] = cells[j], cells[i]
    return cells[:count]


def randint(high: int, uniform: UniformSampler) -> int:
    """Draw a whole number from 0 to `high` - 1."""
    return int(uniform() * high)


def _uniform_between(bounds: tuple[float, float], uniform: UniformSampler) -> float:
    low, high = bounds
    return low + (high - low) * uniform()
