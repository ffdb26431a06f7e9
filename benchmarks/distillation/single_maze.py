"""Best actions in one known maze, and the normalised return of a student there."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.benchmarks.distillation.mazes import GAMMA
from dynamaze.distill.core.dataset import Batch, make_batch
from dynamaze.distill.core.policy import log_probabilities
from dynamaze.envs.generation.planes import steps_to_goal
from dynamaze.envs.mazes.layout import Cell, Layout
from dynamaze.envs.mazes.optimal_values import optimal_policy


class SingleMazeSource:
    """Source of a maze's best actions in all of its cells.

    Args:
        layout: the maze.
    """

    levels = ()

    def __init__(self, layout: Layout) -> None:
        free = np.flatnonzero(~layout.walls.ravel() & (layout.distances.ravel() > 0))
        cells = np.eye(layout.num_cells, dtype=np.float32)[free]
        self._batch = make_batch(cells, log_probabilities(optimal_policy(layout, GAMMA)[free]))

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Return all cells."""
        return self._batch


def query_planes(layout: Layout) -> Any:
    """Return a maze's planes with every free cell but the goals queried, (1, 3, rows, cols)."""
    planes = np.zeros((1, 3, *layout.walls.shape), dtype=np.float32)
    planes[0, 0] = layout.walls
    planes[0, 1] = ~layout.walls & (layout.distances != 0)
    planes[0, 2] = layout.distances == 0
    return planes


def scatter_logits(layout: Layout, logits: Any) -> Any:
    """Return the logits of all cells, (cells, 4), from those of the queried cells."""
    scattered = np.zeros((layout.num_cells, 4))
    scattered[query_planes(layout)[0, 1].ravel() > 0.5] = logits
    return scattered


def normalised_return(layout: Layout, logits: Any, cell: Cell | None = None) -> float:
    """Return the greedy policy's discounted return as a fraction of the optimal one.

    Args:
        layout: the maze.
        logits: (cells, 4).
        cell: the first cell; None for the start.
    """
    planes = query_planes(layout)
    cells = planes[0, 1].ravel() > 0.5
    row, col = layout.starts[0] if cell is None else cell
    at = int(cells[: row * layout.walls.shape[1] + col].sum())
    steps = steps_to_goal(planes, logits.argmax(axis=1)[cells])[at]
    # The reward is 1 at the goal, so a return is gamma^(steps - 1).
    return float(GAMMA ** (steps - layout.distances[row, col])) if steps >= 0 else 0.0
