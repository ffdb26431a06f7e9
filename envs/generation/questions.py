"""Whole mazes as questions: what is best in each cell, and where a policy's actions lead.

An observation in planes marks the agent's cell. Here it may mark any number of cells: each is a
question of its own, and the answers come in the order of maze, row and column. A network that sees
the maze answers all of them at once, and so learns from a hundred cells at the price of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray

from . import MazeRecipe

Planes = npt.NDArray[np.float32]


def ask_everywhere(recipe: MazeRecipe, levels: Iterable[int]) -> Planes:
    """(levels, 3, rows, cols) planes of mazes, in which every free cell but the goal is asked.

    Args:
        recipe: how the mazes are made.
        levels: their numbers, as in `DynaMazeGenerated-v0`.
    """
    mazes = [recipe.make(level) for level in levels]
    planes = np.zeros((len(mazes), 3, *recipe.shape), dtype=np.float32)
    for plane, maze in zip(planes, mazes, strict=True):
        plane[0] = maze.walls
        plane[1] = ~maze.walls
        plane[(1, *maze.goal)] = 0.0
        plane[(2, *maze.goal)] = 1.0
    return planes


def one_by_one(planes: Planes) -> Planes:
    """(answers, 3, rows, cols) the same questions, one agent in each observation."""
    maze, row, col = np.nonzero(planes[:, 1] > 0.5)
    alone = planes[maze].copy()
    alone[:, 1] = 0.0
    alone[np.arange(len(maze)), 1, row, col] = 1.0
    return alone


class BestActions:
    """The exact policy of every maze that is seen: the shortest ways, by breadth-first search.

    A policy, from planes to probabilities that share alike among the best actions. It is a teacher
    that needs no training, and the floor that no student beats in time or return.
    """

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(answers, 4) probabilities; alike for all actions where no way leads to a goal.

        Args:
            observations: (mazes, 3, rows, cols) planes, any number of cells asked in each.

        Raises:
            ValueError: for another shape.
        """
        from .planes import share_among_best  # it compiles

        planes = _checked(observations)
        policy = np.empty((int((planes[:, 1] > 0.5).sum()), 4))
        share_among_best(planes, *_work(planes), policy)
        return policy


def steps_to_goal(planes: Planes, actions: npt.ArrayLike) -> IntArray:
    """(answers,) steps from each cell asked to a goal by the actions given; -1 if never there.

    A wall or the edge stops a step, and a cell where nothing is asked ends the way.

    Args:
        planes: (mazes, 3, rows, cols).
        actions: (answers,) 0 up, 1 right, 2 down, 3 left, for each cell asked.

    Raises:
        ValueError: for another shape, or another number of actions.
    """
    from .planes import follow  # it compiles

    planes = _checked(planes)
    taken = np.asarray(actions, dtype=np.int64)
    count = int((planes[:, 1] > 0.5).sum())
    if taken.shape != (count,):
        raise ValueError(f"actions of shape {taken.shape}; expected ({count},), one for each cell")
    steps = np.empty(count, dtype=np.int64)
    follow(planes, taken, np.empty(planes[0, 0].size, dtype=np.int64), steps)
    return steps


def distances_to_goal(planes: Planes) -> IntArray:
    """(mazes, rows, cols) steps from each cell to the nearest goal; -1 for none, and for walls.

    Args:
        planes: (mazes, 3, rows, cols); the agent's does not matter.

    Raises:
        ValueError: for another shape.
    """
    from .planes import distances_of  # it compiles

    planes = _checked(planes)
    steps = np.empty((len(planes), *planes.shape[2:]), dtype=np.int64)
    distances_of(planes, *_work(planes), steps)
    return steps


def _checked(observations: Any) -> Planes:
    planes = np.ascontiguousarray(observations, dtype=np.float32)
    if planes.ndim != 4 or planes.shape[1] != 3:
        raise ValueError(f"planes of shape {planes.shape}; expected (mazes, 3, rows, cols)")
    return planes


def _work(planes: Planes) -> tuple[IntArray, IntArray]:
    size = (planes.shape[2] + 2) * (planes.shape[3] + 2)
    return np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
