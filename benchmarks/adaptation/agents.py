"""Reference agents of adaptation in context, from random actions to one that sees the maze."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import DynaQ, DynaQPlus, MapExplorer, QLearning
from dynamaze.benchmarks.harness.agent_runs.resolver import RandomAgent
from dynamaze.envs import GridEnv, Layout
from dynamaze.envs.mazes.layout import DISPLACEMENTS

ORACLE, EXPERT = "oracle", "expert"

TABLE_AGENTS = (
    "q_learning",
    "dyna_q_plus",
    "dyna_q_plus_tuned",
    "prioritised_sweeping",
    "dynamic_programming",
)
"""Agents with a table of values, which are not told geometry."""


class ReferenceAgent(NamedTuple):
    """A reference agent."""

    label: str
    make: Callable[..., Any]  # called as `make(env, seed=int)`


class Oracle:
    """Agent that sees the maze as it is now, and takes shortest paths.

    Args:
        env: a maze on a grid.
        seed: not used; of equal paths it prefers up to right, right to down, and down to left.
    """

    def __init__(self, env: gym.Env[Any, Any], *, seed: int | None = None) -> None:
        maze = env.unwrapped
        assert isinstance(maze, GridEnv)
        self._maze = maze
        self._layout: Layout | None = None

    def act(self, observation: Any) -> int:
        """Return an action that leads nearer to the goal; 0 where no path does."""
        if self._maze.layout is not self._layout:
            self._layout = self._maze.layout
            far = np.where(self._layout.distances >= 0, self._layout.distances, np.inf)
            self._far = np.pad(far, 1, constant_values=np.inf)
        assert self._maze.agent is not None
        row, col = self._maze.agent
        beside = [self._far[row + 1 + down, col + 1 + right] for down, right in DISPLACEMENTS]
        return int(np.argmin(beside))


OPTIMISTIC: dict[str, Any] = {"learning_rate": 1.0, "initial_value": 1.0, "epsilon": 0.0}
"""No reward is larger than 1: greedy actions explore."""

AGENTS = {
    "random": ReferenceAgent("random", RandomAgent),
    "q_learning": ReferenceAgent("Q-learning", partial(QLearning, learning_rate=1.0)),
    # The settings of the README, those of the book's figures.
    "dyna_q_plus": ReferenceAgent(
        "Dyna-Q+", partial(DynaQPlus, learning_rate=1.0, planning_steps=50)
    ),
    # The best of 40 settings on the training levels 0 to 99, where more planning steps change
    # nothing: value iteration with the same bonus is equal.
    "dyna_q_plus_tuned": ReferenceAgent(
        "Dyna-Q+, tuned",
        partial(DynaQPlus, learning_rate=1.0, planning_steps=2000, epsilon=0.0, kappa=1e-3),
    ),
    "prioritised_sweeping": ReferenceAgent(
        "prioritised sweeping, optimistic",
        partial(DynaQ, planning="prioritised_sweeping", planning_steps=50, **OPTIMISTIC),
    ),
    "dynamic_programming": ReferenceAgent(
        "dynamic programming, optimistic",
        partial(DynaQ, planning="dynamic_programming", **OPTIMISTIC),
    ),
    EXPERT: ReferenceAgent("expert (MapExplorer)", MapExplorer),
    ORACLE: ReferenceAgent("oracle", Oracle),
}
"""Agents by their names in the stored tables, in the order of the summary."""
