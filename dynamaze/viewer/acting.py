"""Policies that act without learning, told step by step as agents tell their lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym

from dynamaze.agents import Step

Act = Callable[[Any], Any]  # from an observation to an action


def act_for_ever(act: Act, env: gym.Env[Any, Any], seed: int | None = None) -> Iterator[Step]:
    """Take the actions that a function chooses, an episode after the other.

    Args:
        act: gives the action for an observation.
        env: where.
        seed: of the first reset; None seeds nothing.
    """
    episode = 0
    while True:
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


class Random:
    """Takes every action as likely as the others; for any environment."""

    def __init__(self, env: gym.Env[Any, Any], seed: int | None = None) -> None:
        self._env, self._seed = env, seed

    def steps(self) -> Iterator[Step]:
        """Act for ever, a step at a time."""
        space = self._env.action_space
        space.seed(self._seed)
        return act_for_ever(lambda _: space.sample(), self._env, self._seed)
