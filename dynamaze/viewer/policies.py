"""Policies that act without learning, told step by step as agents tell their lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.agents import Step
from dynamaze.distill.data.playing import bounds_for, question_of

Act = Callable[[Any], Any]  # from an observation to an action


def act_for_ever(
    act: Act,
    env: gym.Env[Any, Any],
    seed: int | None = None,
    *,
    begin: Callable[[], object] = lambda: None,
) -> Iterator[Step]:
    """Take the actions that a function chooses, an episode after the other.

    Args:
        act: gives the action for an observation.
        env: where.
        seed: of the first reset; None seeds nothing.
        begin: called at the beginning of each episode.
    """
    episode = 0
    while True:
        begin()
        observation, _ = env.reset(seed=seed if episode == 0 else None)
        length, total, ended = 0, 0.0, False
        while not ended:
            action = act(observation)
            following, reward, terminated, truncated, info = env.step(action)
            length, total, ended = length + 1, total + float(reward), terminated or truncated
            yield Step(
                observation,
                action,
                float(reward),
                following,
                terminated,
                truncated,
                info,
                episode,
                length,
                total,
            )
            observation = following
        episode += 1


class Acting:
    """Does what a policy does, learning nothing.

    Args:
        env: where.
        policy: has `act(observation)`, and answers as a student does; what has a memory has also
            `reset()`.
        name: the policy's, for messages.
        seed: of the first reset; None seeds nothing.

    Raises:
        ValueError: for a policy that does not take these observations, or has not these actions.
    """

    def __init__(
        self, env: gym.Env[Any, Any], policy: Any, name: str, seed: int | None = None
    ) -> None:
        self._env, self._policy, self._seed = env, policy, seed
        _check_fits(policy, env, name)

    def steps(self) -> Iterator[Step]:
        """Act for ever, a step at a time."""
        remembers = hasattr(self._policy, "memory")
        begin = self._policy.reset if remembers else lambda: None
        return act_for_ever(self._policy.act, self._env, self._seed, begin=begin)


class Random:
    """Takes every action as likely as the others; for any environment."""

    def __init__(self, env: gym.Env[Any, Any], seed: int | None = None) -> None:
        self._env, self._seed = env, seed

    def steps(self) -> Iterator[Step]:
        """Act for ever, a step at a time."""
        space = self._env.action_space
        space.seed(self._seed)
        return act_for_ever(lambda _: space.sample(), self._env, self._seed)


def _check_fits(policy: Any, env: gym.Env[Any, Any], name: str) -> None:
    """Ask a policy once, before anything is shown."""
    where = "the environment" if env.spec is None else env.spec.id
    space = env.action_space
    try:
        bounds = bounds_for(policy, space)
        seen = np.asarray(env.observation_space.sample())[None]
        columns = question_of(policy)(seen).shape[1]
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{name} does not fit {where}: {why}") from None
    if isinstance(space, gym.spaces.Discrete) and (space.start, columns) != (0, space.n):
        raise ValueError(
            f"{name} does not fit {where}: it has {columns} actions; expected {space.n}"
        )
    if bounds is not None and columns != 2 * bounds.dimensions:
        raise ValueError(
            f"{name} does not fit {where}: it answers {columns} numbers; expected "
            f"{2 * bounds.dimensions}, a mean and a deviation for each of {space}"
        )
