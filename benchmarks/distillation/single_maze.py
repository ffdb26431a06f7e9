"""A maze that is known by heart: what is best in each cell, and what a student makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.distill.core.dataset import Batch, make_batch
from dynamaze.distill.core.policy import log_probabilities
from dynamaze.envs.generation.planes import steps_to_goal
from dynamaze.envs.mazes.layout import Cell, Layout
from dynamaze.envs.mazes.optimal_values import optimal_policy

from .judging import GAMMA


class KnownMaze:
    """A source that gives every cell of a maze at once, with the best actions as it is now.

    Args:
        layout: the maze.
    """

    levels = ()

    def __init__(self, layout: Layout) -> None:
        free = np.flatnonzero(~layout.walls.ravel() & (layout.distances.ravel() > 0))
        cells = np.eye(layout.num_cells, dtype=np.float32)[free]
        self._batch = make_batch(cells, log_probabilities(optimal_policy(layout, GAMMA)[free]))

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """All cells."""
        return self._batch


def asked(layout: Layout) -> Any:
    """(1, 3, rows, cols) planes of a maze in which every free cell but the goals is asked."""
    planes = np.zeros((1, 3, *layout.walls.shape), dtype=np.float32)
    planes[0, 0] = layout.walls
    planes[0, 1] = ~layout.walls & (layout.distances != 0)
    planes[0, 2] = layout.distances == 0
    return planes


def everywhere(layout: Layout, logits: Any) -> Any:
    """(cells, 4) logits of all cells, of those of the cells asked."""
    spread = np.zeros((layout.num_cells, 4))
    spread[asked(layout)[0, 1].ravel() > 0.5] = logits
    return spread


def kept(layout: Layout, logits: Any, cell: Cell | None = None) -> float:
    """The share of the best discounted return that the best actions keep.

    Args:
        layout: the maze.
        logits: (cells, 4).
        cell: from where; None for the start.
    """
    planes = asked(layout)
    cells = planes[0, 1].ravel() > 0.5
    row, col = layout.starts[0] if cell is None else cell
    at = int(cells[: row * layout.walls.shape[1] + col].sum())
    steps = steps_to_goal(planes, logits.argmax(axis=1)[cells])[at]
    return float(GAMMA ** (steps - layout.distances[row, col])) if steps >= 0 else 0.0
