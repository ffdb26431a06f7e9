"""Policies that act without learning, with the step records of agents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym

from dynamaze.agents import Step
from dynamaze.agents.policies import policy_episodes
from dynamaze.distill.data.acting import MapActor, check_fits


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
        check_fits(policy, env, name)

    def steps(self) -> Iterator[Step]:
        """Act without end, one step at a time."""
        recurrent = hasattr(self._policy, "memory")
        on_reset = self._policy.reset if recurrent else lambda: None
        return policy_episodes(self._policy.act, self._env, self._seed, on_reset=on_reset)


class MapPolicyAgent:
    """Agent that follows a policy which keeps a map of a maze that it does not see.

    Args:
        env: environment of a maze; see `MapActor`.
        policy: has `act(observation)`, `reset()`, `memory` and `grid`.
        name: name of the policy, for messages.
        seed: of the first reset; None for no seed.

    Attributes:
        name: name of the policy.
        policy: the policy.

    Raises:
        ValueError: for another environment, or a policy that is written for mazes of another size.
    """

    def __init__(
        self, env: gym.Env[Any, Any], policy: Any, name: str, seed: int | None = None
    ) -> None:
        self.name, self.policy = name, policy
        self._env, self._seed = env, seed
        self._actor = MapActor(env, policy, name)

    def steps(self) -> Iterator[Step]:
        """Act without end, one step at a time."""
        self.policy.memory = None
        actor = self._actor
        return policy_episodes(
            actor.act, self._env, self._seed, on_reset=actor.reset, update=actor.update
        )
