"""Policies that act without learning, with the step records of agents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Discrete

from dynamaze.agents import Step
from dynamaze.agents.policies import policy_episodes
from dynamaze.distill.data.playing import bounds_for, output_fn
from dynamaze.envs import GridEnv


class FixedPolicyAgent:
    """Agent that follows a policy without learning, such as a distilled student.

    Args:
        env: the environment.
        policy: has `act(observation)` and outputs as a student; if it is recurrent also `reset()`.
        name: name of the policy, for messages.
        seed: of the first reset; None for no seed.

    Raises:
        ValueError: the policy does not fit the observations or the actions.
    """

    def __init__(
        self, env: gym.Env[Any, Any], policy: Any, name: str, seed: int | None = None
    ) -> None:
        self._env, self._policy, self._seed = env, policy, seed
        _check_fits(policy, env, name)

    def steps(self) -> Iterator[Step]:
        """Act without end, one step at a time."""
        recurrent = hasattr(self._policy, "memory")
        on_reset = self._policy.reset if recurrent else lambda: None
        return policy_episodes(self._policy.act, self._env, self._seed, on_reset=on_reset)


class MapPolicyAgent:
    """Agent that follows a policy which keeps a map of a maze that it does not see.

    The policy observes the number of the cell, its last action and its last reward (see
    `dynamaze.distill.core.map_state`). Its map outlives episodes, and is cleared with a new run.

    Args:
        env: environment of a maze whose observation is the number of the cell.
        policy: has `act(observation)`, `reset()`, `memory` and `grid`.
        name: name of the policy, for messages.
        seed: of the first reset; None for no seed.

    Attributes:
        policy: the policy.

    Raises:
        ValueError: for another environment, or a policy that is written for mazes of another size.
    """

    def __init__(
        self, env: gym.Env[Any, Any], policy: Any, name: str, seed: int | None = None
    ) -> None:
        maze = env.unwrapped
        if not (isinstance(maze, GridEnv) and isinstance(env.observation_space, Discrete)):
            where = "the environment" if env.spec is None else env.spec.id
            raise ValueError(
                f'{name} does not fit {where}: expected a maze of cells with observation="index"'
            )
        self.name, self.policy = name, policy
        self._env, self._seed = env, seed
        try:
            policy.grid = (maze.layout.rows, maze.layout.cols)
        except ValueError as error:
            raise ValueError(
                f"{name} does not fit {maze.layout.rows} x {maze.layout.cols} cells: {error}"
            ) from None
        self._latest = 0, 0.0  # action and reward

    def steps(self) -> Iterator[Step]:
        """Act without end, one step at a time."""
        self.policy.memory, run = None, 0
        episodes = policy_episodes(
            self._act, self._env, self._seed, on_reset=self.policy.reset, update=self._observe
        )
        for step in episodes:
            if step.info.get("run", run) != run:
                self.policy.memory, run = None, step.info["run"]
            yield step

    def _act(self, cell: Any) -> int:
        return int(self.policy.act(np.array([cell, *self._latest], dtype=np.float32)))

    def _observe(
        self, _cell: Any, action: Any, reward: float, cell: Any, terminated: bool, truncated: bool
    ) -> None:
        self._latest = int(action), reward
        if terminated or truncated:
            self._act(cell)  # it sees where the episode ended


def _check_fits(policy: Any, env: gym.Env[Any, Any], name: str) -> None:
    """Call a policy once to check that it fits the spaces, before anything is shown."""
    where = "the environment" if env.spec is None else env.spec.id
    space = env.action_space
    try:
        bounds = bounds_for(policy, space)
        seen = np.asarray(env.observation_space.sample())[None]
        columns = output_fn(policy)(seen).shape[1]
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{name} does not fit {where}: {reason}") from None
    if isinstance(space, gym.spaces.Discrete) and (space.start, columns) != (0, space.n):
        raise ValueError(
            f"{name} does not fit {where}: it has {columns} actions; expected {space.n}"
        )
    if bounds is not None and columns != 2 * bounds.dimensions:
        raise ValueError(
            f"{name} does not fit {where}: it has {columns} outputs; expected "
            f"{2 * bounds.dimensions}, a mean and a deviation for each of {space}"
        )
