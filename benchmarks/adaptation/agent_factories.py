"""Functions that make agents, called as `make(env, seed=int, gamma=float)`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from dynamaze.agents import DynaQPlus
from dynamaze.common.optional_imports import optional_import

TILED: dict[str, Any] = {"values": "tile_coding", "initial_value": 0.5}
"""Arguments where observations are vectors."""


def without_gamma(
    kind: Callable[..., Any], env: gym.Env[Any, Any], *, seed: int, gamma: float
) -> Any:
    """Make an agent that has no discount."""
    return kind(env, seed=seed)


def with_values(
    kind: Callable[..., Any],
    env: gym.Env[Any, Any],
    *,
    seed: int,
    gamma: float,
    **arguments: Any,
) -> Any:
    """Make an agent whose values are a table, or tile-coded where observations are vectors."""
    if isinstance(env.observation_space, spaces.Box) and kind is not DynaQPlus:
        arguments = {**arguments, **TILED}
    return kind(env, seed=seed, gamma=gamma, **arguments)


def sb3_algorithm(
    name: str, env: gym.Env[Any, Any], *, seed: int, gamma: float, **arguments: Any
) -> Any:
    """Make an algorithm of Stable-Baselines3 with its own settings, on the CPU."""
    sb3: Any = optional_import("stable_baselines3", extra="distill", purpose=name)
    return getattr(sb3, name)("MlpPolicy", env, seed=seed, gamma=gamma, device="cpu", **arguments)


class DynaDQN:
    """DQN of Stable-Baselines3 that also learns from a model: Dyna on DQN.

    Args:
        env: the environment.
        seed: of the algorithm and the model.
        gamma: discount.
    """

    def __init__(self, env: gym.Env[Any, Any], *, seed: int, gamma: float) -> None:
        from dynamaze.agents.sb3 import DynaCallback

        self._algorithm = sb3_algorithm("DQN", env, seed=seed, gamma=gamma, **DQN)
        self._callback = DynaCallback("linear", real_ratio=0.1, rollout_length=4, seed=seed)

    def learn(self, total_timesteps: int) -> None:
        """Learn for a number of steps."""
        self._algorithm.learn(total_timesteps, callback=self._callback)

    def predict(self, observation: Any, **arguments: Any) -> Any:
        """Return an action and no state."""
        return self._algorithm.predict(observation, **arguments)


DQN: dict[str, Any] = {
    "learning_starts": 200,
    "train_freq": 4,
    "gradient_steps": 4,
    "target_update_interval": 200,
    "exploration_initial_eps": 0.1,
    "exploration_final_eps": 0.1,
}
"""Settings of DQN for runs of a few thousand steps; the others are those of the library."""


def constructor_of(make: Callable[..., Any]) -> Any:
    """Return the class, or the name of an algorithm, of which a function here makes agents."""
    if not isinstance(make, partial):
        return make
    return make.args[0] if make.args else make.func
