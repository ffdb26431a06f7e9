"""Overlays of the environment itself: optimal values and policy, for a person who plays."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from dynamaze.common.arrays import AnyArray
from dynamaze.envs import GridEnv, Layout
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.layout import DISPLACEMENTS
from dynamaze.envs.mazes.optimal_values import optimal_action_values, optimal_policy
from dynamaze.envs.rendering.overlays import SWITCHES

from .statistics import RecordStatistics

GAMMA = 0.95
OPTIMAL = ("values", "q", "policy")


class EnvOverlays:
    """Overlays of a maze, computed from the maze itself.

    Attributes:
        shortest_path_only: restrict `policy` to a shortest path from the agent to a goal.
    """

    def __init__(self, maze: MazeEnv, recorded: RecordStatistics) -> None:
        self.shortest_path_only = False
        self._maze, self._recorded = maze, recorded
        self._solved: tuple[Layout, AnyArray, AnyArray] | None = None  # layout, q, policy

    def unavailable(self, name: str) -> str:
        """Return the reason why an overlay is not available; "" if it is."""
        if name in SWITCHES or name == "visits":
            return ""
        if name not in OPTIMAL:
            return f"{name}: available for agents only"
        return "" if isinstance(self._maze, GridEnv) else f"{name}: only for mazes of cells"

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """Return the optimal values, action values and policy, and the player's visits."""
        wanted = set(names)
        arrays: dict[str, AnyArray] = {}
        if wanted.intersection(OPTIMAL):
            q, policy = self._solution()
            shown = shortest_path_policy(self._maze) if self.shortest_path_only else policy
            arrays = {"values": q.max(axis=1), "q": q, "policy": shown}
        if self._recorded.visits is not None:
            arrays["visits"] = self._recorded.visits
        return {name: array for name, array in arrays.items() if name in wanted}

    def _solution(self) -> tuple[AnyArray, AnyArray]:
        """Return q and policy of the present layout, cached until it changes."""
        layout = self._maze.layout
        if self._solved is None or self._solved[0] is not layout:
            q = np.nan_to_num(optimal_action_values(layout, GAMMA))
            self._solved = layout, q, optimal_policy(layout, GAMMA)
        return self._solved[1], self._solved[2]


def shortest_path_policy(maze: MazeEnv) -> AnyArray:
    """Return (rows, cols, 4): 1 on a shortest path from the agent to a goal, 0 elsewhere."""
    layout = maze.layout
    shown = np.zeros((layout.rows, layout.cols, len(DISPLACEMENTS)))
    cells = () if maze.agent is None else layout.path_from(maze.agent)
    for cell, following in pairwise(cells):
        step = following[0] - cell[0], following[1] - cell[1]
        shown[cell][DISPLACEMENTS.index(step)] = 1.0
    return shown
