"""Policies that act without learning, with the step records of agents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.agents import Step
from dynamaze.agents.policies import policy_episodes
from dynamaze.distill.data.playing import bounds_for, output_fn


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
