"""What is so, as arrays to lay over a maze: what a person may look up while walking it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from dynamaze.common.arrays import AnyArray
from dynamaze.envs import GridEnv, Layout
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.layout import DISPLACEMENTS
from dynamaze.envs.mazes.optimal_values import optimal_action_values, optimal_policy

from .overlays import FROM_THE_SCENE
from .witness import Witness

GAMMA = 0.95
OPTIMAL = ("values", "q", "policy")


class Truth:
    """Reads overlays out of the maze itself.

    Attributes:
        hints: whether `policy` is only the shortest way from where the agent is.
    """

    def __init__(self, maze: MazeEnv, witness: Witness) -> None:
        self.hints = False
        self._maze, self._witness = maze, witness
        self._solved: tuple[Layout, AnyArray, AnyArray] | None = None  # layout, q, policy

    def missing(self, name: str) -> str:
        """Why there is no such overlay; "" if there is."""
        if name in FROM_THE_SCENE or name == "visits":
            return ""
        if name not in OPTIMAL:
            return f"{name}: only agents have this"
        return "" if isinstance(self._maze, GridEnv) else f"{name}: only mazes of cells have this"

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """The optimal values, action values and policy, and the walker's visits."""
        wanted = set(names)
        arrays: dict[str, AnyArray] = {}
        if wanted.intersection(OPTIMAL):
            q, policy = self._solution()
            shown = way(self._maze) if self.hints else policy
            arrays = {"values": q.max(axis=1), "q": q, "policy": shown}
        if self._witness.visits is not None:
            arrays["visits"] = self._witness.visits
        return {name: array for name, array in arrays.items() if name in wanted}

    def _solution(self) -> tuple[AnyArray, AnyArray]:
        layout = self._maze.layout
        if self._solved is None or self._solved[0] is not layout:
            q = np.nan_to_num(optimal_action_values(layout, GAMMA))
            self._solved = layout, q, optimal_policy(layout, GAMMA)
        return self._solved[1], self._solved[2]


def way(maze: MazeEnv) -> AnyArray:
    """(rows, cols, 4) the actions of a shortest way from the agent to a goal; 0 elsewhere."""
    layout = maze.layout
    shown = np.zeros((layout.rows, layout.cols, len(DISPLACEMENTS)))
    cells = () if maze.agent is None else layout.way_from(maze.agent)
    for cell, following in pairwise(cells):
        step = following[0] - cell[0], following[1] - cell[1]
        shown[cell][DISPLACEMENTS.index(step)] = 1.0
    return shown
