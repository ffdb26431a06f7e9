"""Reference agents of adaptation in context, from random actions to one that sees the maze."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import DynaQ, DynaQPlus, MapExplorer, QLearning
from dynamaze.benchmarks.harness.agent_runs.exact_regret import TIE, exact_values
from dynamaze.benchmarks.harness.agent_runs.resolver import RandomAgent
from dynamaze.envs import GridEnv, Layout

ORACLE, EXPERT = "oracle", "expert"


class ReferenceAgent(NamedTuple):
    """A reference agent."""

    label: str
    make: Callable[..., Any]  # called as `make(env, seed=int)`


class Oracle:
    """Agent that sees the maze as it is now, and takes its optimal actions.

    Args:
        env: a maze on a grid.
        seed: not used; of equal actions it takes the first.
        gamma: discount.

    Raises:
        TypeError: for another environment.
    """

    def __init__(
        self, env: gym.Env[Any, Any], *, seed: int | None = None, gamma: float = 0.95
    ) -> None:
        maze = env.unwrapped
        if not isinstance(maze, GridEnv):
            raise TypeError(f"an oracle in {maze}; expected a maze on a grid")
        self._maze, self._gamma = maze, gamma
        self._layout: Layout | None = None

    def act(self, observation: Any) -> int:
        """Return an optimal action."""
        layout = self._maze.layout
        if layout is not self._layout:
            self._layout = layout
            regret = exact_values(layout, self._maze.maze_config.dynamics, self._gamma).regret
            self._actions = np.argmax(regret <= TIE, axis=1).tolist()
        assert self._maze.agent is not None
        action: int = self._actions[layout.index(self._maze.agent)]
        return action


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
