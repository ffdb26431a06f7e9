"""Environments made to be looked at."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium import spaces

from dynamaze.envs import GridEnv

FOR_TABLES = (spaces.Discrete, spaces.MultiDiscrete, spaces.Tuple)


def make_env(
    env_id: str, *, table: bool = False, render_mode: str = "rgb_array", **options: Any
) -> gym.Env[Any, Any]:
    """An environment that gives frames, or text.

    Args:
        env_id: its id.
        table: whether who acts in it needs numbered observations: a maze of cells is then made
            with observation "index", unless it has such a form by itself.
        render_mode: the form of its pictures.
        **options: of `gymnasium.make`; None stands for the environment's own default.

    Raises:
        gymnasium.error.Error: for an id that does not exist.
        ValueError: for an option that cannot be.
    """
    given = {name: value for name, value in options.items() if value is not None}
    env: gym.Env[Any, Any] = gym.make(env_id, render_mode=render_mode, **given)
    has_cells = isinstance(env.unwrapped, GridEnv)
    if table and has_cells and not isinstance(env.observation_space, FOR_TABLES):
        return gym.make(env_id, render_mode=render_mode, observation="index", **given)
    return env
