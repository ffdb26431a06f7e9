"""Steps of policies: functions of observations, with the step records of agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym

from .callbacks import Step

ActionFunction = Callable[[Any], Any]  # observation -> action


def policy_episodes(
    act: ActionFunction,
    env: gym.Env[Any, Any],
    seed: int | None = None,
    *,
    on_reset: Callable[[], object] | None = None,
    update: Callable[..., object] | None = None,
) -> Iterator[Step]:
    """Act in one episode after another, without end, and yield each step.

    Args:
        act: returns the action for an observation.
        env: the environment.
        seed: of the first reset; None for no seed.
        on_reset: called before each reset.
        update: called after each step with observation, action, reward, next observation,
            terminated and truncated.
    """
    episode = 0
    while True:
        if on_reset is not None:
            on_reset()
        observation, _ = env.reset(seed=seed if episode == 0 else None)
        length, total, ended = 0, 0.0, False
        while not ended:
            action = act(observation)
            following, reward, terminated, truncated, info = env.step(action)
            reward = float(reward)
            if update is not None:
                update(observation, action, reward, following, terminated, truncated)
            length, total, ended = length + 1, total + reward, terminated or truncated
            yield Step(
                observation,
                action,
                reward,
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
