"""Sees what happens in an environment, as nobody else does: an agent must not know of mazes."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.envs import GridEnv
from dynamaze.envs.base import MazeEnv

from .environment import Camera
from .regret import Regret


class Witness(gym.Wrapper[Any, Any, Any, Any]):
    """Counts what an agent does, and keeps the last moment of an episode, before the reset.

    Attributes:
        visits: (S,) how often the agent acted in each cell; None where there is no maze.
        tried: (S, 4) bool, the pairs tried since whoever reads this cleared it; None likewise.
        regret: of all actions so far; None likewise.
        arrival: what was to be seen after the last step, if it ended an episode; None otherwise.
        departure: what was to be seen after the last reset.
        keeps_arrivals: whether both are kept; a picture costs time in some environments.
    """

    def __init__(self, env: gym.Env[Any, Any], camera: Camera, gamma: float) -> None:
        """Take an environment.

        Args:
            env: whose camera it is.
            camera: takes the pictures.
            gamma: discount of the regret.
        """
        super().__init__(env)
        maze = env.unwrapped
        self._camera = camera
        self._maze = maze if isinstance(maze, MazeEnv) else None
        self._grid = maze if isinstance(maze, GridEnv) else None
        self.visits = None if self._maze is None else np.zeros(self._maze.layout.num_cells)
        self.tried: Any = None
        self.regret: Regret | None = None
        if self._grid is not None:
            self.tried = np.zeros((self._grid.layout.num_cells, 4), dtype=np.bool_)
            self.regret = Regret(gamma)
        self.arrival: Any = None
        self.departure: Any = None
        self.keeps_arrivals = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        result = self.env.reset(seed=seed, options=options)
        self.departure = self._camera.moment() if self.keeps_arrivals else None
        return result

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step, and note it."""
        if self._maze is not None:
            self._note(self._maze, action)
        result = self.env.step(action)
        ended = result[2] or result[3]
        self.arrival = self._camera.moment() if ended and self.keeps_arrivals else None
        return result

    def _note(self, maze: MazeEnv, action: Any) -> None:
        cell = maze.agent
        if cell is None or self.visits is None:
            return
        layout = maze.layout
        state = layout.index(cell)
        self.visits[state] += 1
        if self.regret is not None and 0 <= action < 4:
            self.tried[state, action] = True
            self.regret.add(layout, state, int(action))
