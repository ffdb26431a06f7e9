"""Student beside a person: it follows the walk, names its next move, and takes it on request."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from dynamaze.distill.data.acting import actor_for
from dynamaze.envs import GridEnv


class Advisor:
    """Student that follows a person's walk through a maze.

    One that keeps a map learns the maze from the person's moves as from its own.

    Args:
        env: a maze of cells, with the observations of the student.
        policy: the student.
        name: its name.

    Attributes:
        name: its name.
        num_steps: moves that it has taken for the person.

    Raises:
        ValueError: for another environment, or a student that does not fit it.
    """

    def __init__(self, env: gym.Env[Any, Any], policy: Any, name: str) -> None:
        maze = env.unwrapped
        if not isinstance(maze, GridEnv):
            where = "the environment" if env.spec is None else env.spec.id
            raise ValueError(f"{name} does not fit {where}: expected a maze of cells")
        self.name, self.num_steps = name, 0
        self._maze, self._actor = maze, actor_for(env, policy, name)
        self._has_memory = hasattr(policy, "memory")
        self._action = 0

    @property
    def action(self) -> int:
        """Its next move, in the maze as it is now: the person may have changed it."""
        if not self._has_memory:
            self._action = int(self._actor.act(self._maze.present_observation))
        return self._action

    def begin(self, observation: Any) -> None:
        """See the beginning of an episode."""
        if self._has_memory:
            self._actor.reset()
            self._action = int(self._actor.act(observation))

    def follow(
        self,
        observation: Any,
        action: Any,
        reward: float,
        next_observation: Any,
        terminated: bool,
        truncated: bool,
    ) -> None:
        """See a step, whoever chose it."""
        update = getattr(self._actor, "update", None)
        if update is not None:
            update(observation, action, reward, next_observation, terminated, truncated)
        if self._has_memory and not (terminated or truncated):
            self._action = int(self._actor.act(next_observation))
