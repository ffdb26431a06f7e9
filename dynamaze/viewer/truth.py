"""What is so, as arrays to lay over a maze: what a person may look up while walking it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dynamaze.envs import GridEnv, Layout
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.exact import optimal_action_values, optimal_policy
from dynamaze.envs.layout import DISPLACEMENTS

from .insight import FROM_THE_SCENE, Array
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
        self._solved: tuple[Layout, Array, Array] | None = None  # layout, q, policy

    def missing(self, name: str) -> str:
        """Why there is no such overlay; "" if there is."""
        if name in FROM_THE_SCENE or name == "visits":
            return ""
        if name not in OPTIMAL:
            return f"{name}: only agents have this"
        return "" if isinstance(self._maze, GridEnv) else f"{name}: only mazes of cells have this"

    def arrays(self, names: Iterable[str]) -> dict[str, Array]:
        """The optimal values, action values and policy, and the walker's visits."""
        wanted = set(names)
        arrays: dict[str, Array] = {}
        if wanted.intersection(OPTIMAL):
            q, policy = self._solution()
            shown = way(self._maze) if self.hints else policy
            arrays = {"values": q.max(axis=1), "q": q, "policy": shown}
        if self._witness.visits is not None:
            arrays["visits"] = self._witness.visits
        return {name: array for name, array in arrays.items() if name in wanted}

    def _solution(self) -> tuple[Array, Array]:
        layout = self._maze.layout
        if self._solved is None or self._solved[0] is not layout:
            q = np.nan_to_num(optimal_action_values(layout, GAMMA))
            self._solved = layout, q, optimal_policy(layout, GAMMA)
        return self._solved[1], self._solved[2]


def way(maze: MazeEnv) -> Array:
    """(rows, cols, 4) the actions of a shortest way from the agent to a goal; 0 elsewhere."""
    distances = maze.layout.distances
    shown = np.zeros((*distances.shape, len(DISPLACEMENTS)))
    cell = maze.agent
    while cell is not None and distances[cell] > 0:
        for action, (down, right) in enumerate(DISPLACEMENTS):
            following = cell[0] + down, cell[1] + right
            inside = all(0 <= at < end for at, end in zip(following, distances.shape, strict=True))
            if inside and distances[following] == distances[cell] - 1:
                shown[cell][action] = 1.0
                cell = following
                break
    return shown
