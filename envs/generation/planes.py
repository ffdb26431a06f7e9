"""Plane observations of whole mazes: exact policies and path lengths of many states at once.

The agent's plane of an observation may mark any number of cells: each is a queried state, and
results come in the order of maze, row and column. A network that sees the maze queries all of them
in one forward pass, and so learns from a hundred states at the cost of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..mazes.shortest_paths import UNSEEN, breadth_first_search
from . import MazeGenerator

Planes = npt.NDArray[np.float32]


def query_all_cells(generator: MazeGenerator, levels: Iterable[int]) -> Planes:
    """Return (levels, 3, rows, cols) planes of mazes that query every free cell but the goal.

    Args:
        generator: the generator of the mazes.
        levels: their numbers, as in `DynaMazeGenerated-v0`.
    """
    mazes = [generator.make(level) for level in levels]
    planes = np.zeros((len(mazes), 3, *generator.shape), dtype=np.float32)
    for plane, maze in zip(planes, mazes, strict=True):
        plane[0] = maze.walls
        plane[1] = ~maze.walls
        plane[(1, *maze.goal)] = 0.0
        plane[(2, *maze.goal)] = 1.0
    return planes


def split_queries(planes: Planes) -> Planes:
    """Return (queries, 3, rows, cols) the same queried states, one in each observation."""
    maze, row, col = np.nonzero(planes[:, 1] > 0.5)
    alone = planes[maze].copy()
    alone[:, 1] = 0.0
    alone[np.arange(len(maze)), 1, row, col] = 1.0
    return alone


class ShortestPathPolicy:
    """Exact optimal policy of every observed maze: shortest paths by breadth-first search.

    A policy from planes to probabilities, equal among the optimal actions. It is a teacher that
    needs no training, and the upper bound of every student's return.
    """

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return (queries, 4) probabilities; uniform where no goal can be reached.

        Args:
            observations: (mazes, 3, rows, cols) planes, any number of queried cells in each.

        Raises:
            ValueError: for another shape.
        """
        planes = _check_planes(observations)
        policy = np.empty((int((planes[:, 1] > 0.5).sum()), 4))
        fill_optimal_policy(planes, *_work_arrays(planes), policy)
        return policy


def steps_to_goal(planes: Planes, actions: npt.ArrayLike) -> IntArray:
    """Return (queries,) the steps to a goal by the given actions; -1 if it is never reached.

    A wall or the edge stops a step, and a cell without a query ends the path.

    Args:
        planes: (mazes, 3, rows, cols).
        actions: (queries,) 0 up, 1 right, 2 down, 3 left, for each queried cell.

    Raises:
        ValueError: for another shape, or another number of actions.
    """
    planes = _check_planes(planes)
    taken = np.asarray(actions, dtype=np.int64)
    count = int((planes[:, 1] > 0.5).sum())
    if taken.shape != (count,):
        raise ValueError(f"actions of shape {taken.shape}; expected ({count},), one for each cell")
    steps = np.empty(count, dtype=np.int64)
    fill_path_lengths(planes, taken, np.empty(planes[0, 0].size, dtype=np.int64), steps)
    return steps


def distances_to_goal(planes: Planes) -> IntArray:
    """Return (mazes, rows, cols) the distance to the nearest goal; -1 if unreachable or a wall.

    Args:
        planes: (mazes, 3, rows, cols); the agent's plane is not used.

    Raises:
        ValueError: for another shape.
    """
    planes = _check_planes(planes)
    steps = np.empty((len(planes), *planes.shape[2:]), dtype=np.int64)
    fill_distances(planes, *_work_arrays(planes), steps)
    return steps


def _check_planes(observations: Any) -> Planes:
    planes = np.ascontiguousarray(observations, dtype=np.float32)
    if planes.ndim != 4 or planes.shape[1] != 3:
        raise ValueError(f"planes of shape {planes.shape}; expected (mazes, 3, rows, cols)")
    return planes


def _work_arrays(planes: Planes) -> tuple[IntArray, IntArray]:
    size = (planes.shape[2] + 2) * (planes.shape[3] + 2)
    return np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)


_search = compiled(breadth_first_search)

WALLS, AGENT, GOALS = range(3)


@compiled_with_arrays
def maze_distances(planes, distance, queue):
    """Compute the distance to the nearest goal in one maze, on a grid with a blocked border.

    Args:
        planes: (3, rows, cols) walls, agent, goals.
        distance: ((rows + 2) * (cols + 2),) written to: UNSEEN if unreachable, below that for walls
            and the border.
        queue: as long, for work.
    """
    rows, cols = planes.shape[1:]
    stride = cols + 2
    distance[:] = UNSEEN - 1
    filled = 0
    for row in range(rows):
        for col in range(cols):
            node = (row + 1) * stride + col + 1
            if planes[GOALS, row, col] > 0.5:
                distance[node] = 0
                queue[filled] = node
                filled += 1
            elif planes[WALLS, row, col] <= 0.5:
                distance[node] = UNSEEN
    _search(distance, queue, filled, stride)


@compiled_with_arrays
def fill_distances(planes, distance, queue, steps):
    """Fill (mazes, rows, cols) with distances to the nearest goal; -1 if unreachable or a wall."""
    rows, cols = planes.shape[2:]
    for maze in range(len(planes)):
        maze_distances(planes[maze], distance, queue)
        for row in range(rows):
            for col in range(cols):
                steps[maze, row, col] = max(distance[(row + 1) * (cols + 2) + col + 1], -1)


@compiled_with_arrays
def fill_optimal_policy(planes, distance, queue, policy):
    """Fill (queries, 4) with probabilities that are equal among the optimal actions.

    A query is a cell marked in the agent's plane; where no goal can be reached, all actions are
    equal.
    """
    rows, cols = planes.shape[2:]
    stride = cols + 2
    query = 0
    for maze in range(len(planes)):
        maze_distances(planes[maze], distance, queue)
        for row in range(rows):
            for col in range(cols):
                if planes[maze, AGENT, row, col] <= 0.5:
                    continue
                node = (row + 1) * stride + col + 1
                here = distance[node]
                count = 0
                for action, step in enumerate((-stride, 1, stride, -1)):
                    is_best = here > 0 and distance[node + step] == here - 1
                    policy[query, action] = is_best
                    count += is_best
                for action in range(4):
                    policy[query, action] = policy[query, action] / count if count else 0.25
                query += 1


@compiled_with_arrays
def fill_path_lengths(planes, actions, path, steps):  # noqa: PLR0912  # one loop, compiled
    """Fill (queries,) with the steps to a goal by the given actions, -1 if never.

    Args:
        planes: (mazes, 3, rows, cols); the agent's plane marks the cells that have an action.
        actions: (queries,) one for each of them.
        path: (rows * cols,) for work.
        steps: written to. A cell without an action that is not a goal ends the path without
            success.
    """
    rows, cols = planes.shape[2:]
    first = 0
    number = np.empty(rows * cols, np.int64)
    outcome = np.empty(rows * cols, np.int64)
    for maze in range(len(planes)):
        query = first
        for row in range(rows):
            for col in range(cols):
                cell = row * cols + col
                number[cell], outcome[cell] = -1, -2
                if planes[maze, AGENT, row, col] > 0.5:
                    number[cell] = query
                    query += 1
        for start in range(rows * cols):
            if number[start] < 0 or outcome[start] != -2:
                continue
            cell, length = start, 0
            while True:
                row, col = cell // cols, cell % cols
                if planes[maze, GOALS, row, col] > 0.5:
                    reached = outcome[cell] = 0
                    break
                if outcome[cell] != -2:  # known, or -3: on this path, which is a cycle then
                    reached = max(outcome[cell], -1)
                    break
                if number[cell] < 0:
                    reached = -1
                    break
                outcome[cell] = -3
                path[length] = cell
                length += 1
                action = actions[number[cell]]
                below = row + (action == 2) - (action == 0)
                beside = col + (action == 1) - (action == 3)
                is_inside = 0 <= below < rows and 0 <= beside < cols
                if is_inside and planes[maze, WALLS, below, beside] <= 0.5:
                    cell = below * cols + beside
            for back in range(length - 1, -1, -1):
                if reached >= 0:
                    reached += 1
                outcome[path[back]] = reached
        for cell in range(rows * cols):
            if number[cell] >= 0:
                steps[number[cell]] = outcome[cell]
        first = query
