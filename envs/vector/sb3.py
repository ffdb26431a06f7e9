"""Vector environments as a `VecEnv` of Stable-Baselines3."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from dynamaze.common.arrays import BoolArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from .base import MazeVectorEnv

optional_import("stable_baselines3", purpose="a VecEnv of Stable-Baselines3")
from stable_baselines3.common.env_util import is_wrapped  # noqa: E402  # after the message
from stable_baselines3.common.monitor import Monitor  # noqa: E402
from stable_baselines3.common.vec_env import VecEnv  # noqa: E402

MONITOR_DIGITS = 6
"""Decimals of an episode's return and time, as in `Monitor`."""


def sb3_vec_env(
    env: str | VectorEnv[Any, Any, Any],
    num_envs: int | None = None,
    *,
    seed: int | None = None,
    monitor: bool = True,
    **arguments: Any,
) -> SB3VecEnv:
    """Return environments as a `VecEnv` of Stable-Baselines3.

        from stable_baselines3 import PPO
        PPO("MlpPolicy", sb3_vec_env("DynaMaze-v0", 16, observation="one_hot")).learn(20_000)

    All of them are stepped by one compiled call, and give the same transitions as `DummyVecEnv` of
    the single ones with the same seeds.

    Args:
        env: an id, or a vector environment: a native one of this package or a `SyncVectorEnv`,
            perhaps in vector wrappers, in mode NEXT_STEP or DISABLED. An id without a native vector
            environment is made as a `SyncVectorEnv`.
        num_envs: number of environments of an id, 1 by default.
        seed: seed of the first reset: environment i gets `seed + i`.
        monitor: report the return, length and time of each episode, as `Monitor` does, for
            `rollout/ep_rew_mean`.
        **arguments: of `gym.make_vec` for an id: `max_episode_steps`, and the environment's.

    Raises:
        TypeError: for anything else, a seed that is no number, or arguments for a vector
            environment that exists.
        ValueError: for a negative seed, another number than that of a vector environment, another
            mode, and all that the environment refuses.
        ImportError: without Stable-Baselines3, naming the extra that installs it.
    """
    if seed is not None:
        seed = checked_integer("seed", seed, 0)
    if isinstance(env, str):
        made = _make(env, 1 if num_envs is None else num_envs, arguments)
    elif not isinstance(env, VectorEnv):
        raise TypeError(f"env of type {type(env).__name__}; expected an id or a vector environment")
    elif arguments:
        raise TypeError(f"{sorted(arguments)} for a vector environment that exists; expected an id")
    elif num_envs not in (None, env.num_envs):
        raise ValueError(f"num_envs={num_envs} for a vector environment of {env.num_envs}")
    else:
        made = env
    vec_env = SB3VecEnv(made, monitor=monitor)
    if seed is not None:
        vec_env.seed(seed)
    return vec_env


def _make(env_id: str, num_envs: int, arguments: dict[str, Any]) -> VectorEnv[Any, Any, Any]:
    entry_point = gym.spec(env_id).vector_entry_point
    if isinstance(entry_point, str) and entry_point.startswith("dynamaze."):
        return gym.make_vec(env_id, num_envs, autoreset_mode="Disabled", **arguments)
    return gym.make_vec(
        env_id,
        num_envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED},
        **arguments,
    )


class SB3VecEnv(VecEnv):
    """`VecEnv` of a vector environment; see `sb3_vec_env`.

    Args:
        env: the vector environment.
        monitor: report the return, length and time of each episode.

    Attributes:
        env: the vector environment.
        spec: its specification; None without one.

    Raises:
        TypeError: for a vector environment whose single ones cannot be reached.
        ValueError: for one in mode SAME_STEP, which begins episodes by itself.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], *, monitor: bool = True) -> None:
        if not isinstance(env.unwrapped, (MazeVectorEnv, SyncVectorEnv)):
            raise TypeError(
                f"a vector environment {type(env.unwrapped).__name__}; expected one of this "
                "package or a SyncVectorEnv"
            )
        if env.metadata.get("autoreset_mode") == AutoresetMode.SAME_STEP:
            raise ValueError(
                'autoreset_mode="SameStep" of a vector environment; expected "Disabled" or '
                '"NextStep"'
            )
        self.env, self._monitor, self.spec = env, monitor, env.spec
        self._actions: Any = None
        self._began = time.time()
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, dtype=np.int64)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.metadata = env.metadata

    # -- steps ---------------------------------------------------------------------------------

    def reset(self) -> Any:
        """Begin an episode in each environment and return the observations.

        Seeds and options are those of the last calls of `seed` and `set_options`; they are used
        once.
        """
        self._returns[:] = 0
        self._lengths[:] = 0
        groups: list[tuple[Any, BoolArray]] = []  # environments with equal options
        for options in self._options:
            if not any(_are_equal(options, known) for known, _ in groups):
                mask = np.array([_are_equal(options, each) for each in self._options])
                groups.append((options, mask))
        reset: Any = self.env.reset  # Gymnasium's type has no list of seeds
        observations: Any = None
        for options, mask in groups:
            more = {} if len(groups) == 1 else {"reset_mask": mask}
            observations, infos = reset(seed=self._seeds, options={**options, **more})
            self._store_reset_infos(infos, mask)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Store the (n, ...) actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, npt.NDArray[np.float32], BoolArray, list[dict[str, Any]]]:
        """Step all environments; begin an episode where one has ended.

        Returns:
            Observations, the first ones of new episodes; rewards (n,); dones (n,); and information,
            which has `TimeLimit.truncated` and, where an episode ended, `terminal_observation` and
            `episode`.
        """
        seen, rewards, terminated, truncated, infos = self.env.step(self._actions)
        done: BoolArray = terminated | truncated
        rows = info_rows({**infos, "TimeLimit.truncated": truncated > terminated}, self.num_envs)
        if self._monitor:
            self._returns += rewards
            self._lengths += 1
        if np.count_nonzero(done):  # faster than `any`
            for i in np.flatnonzero(done).tolist():
                rows[i]["terminal_observation"] = _observation_of(seen, i)
            if self._monitor:
                self._report_episodes(rows, done)
            seen, reset_infos = self._begin(done)
            self._store_reset_infos(reset_infos, done)
        return seen, rewards.astype(np.float32), done, rows

    def _begin(self, done: BoolArray) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in the masked environments; return all observations and information."""
        return self.env.reset(options={"reset_mask": done})

    def _report_episodes(self, rows: list[dict[str, Any]], done: BoolArray) -> None:
        seconds = round(time.time() - self._began, MONITOR_DIGITS)
        for i in np.flatnonzero(done).tolist():
            rows[i]["episode"] = {
                "r": round(float(self._returns[i]), MONITOR_DIGITS),
                "l": int(self._lengths[i]),
                "t": seconds,
            }
        self._returns[done] = 0
        self._lengths[done] = 0

    def _store_reset_infos(self, infos: dict[str, Any], mask: BoolArray) -> None:
        rows = info_rows(infos, self.num_envs)
        for i in np.flatnonzero(mask).tolist():
            self.reset_infos[i] = rows[i]

    # -- single environments -------------------------------------------------------------------

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of each chosen environment.

        Raises:
            AttributeError: if there is none of that name.
        """
        if attr_name == "render_mode":  # asked for before the first reset
            return [self.env.unwrapped.render_mode] * len(self._numbers(indices))
        return self._on_each(indices, lambda env: env.get_wrapper_attr(attr_name))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of each chosen environment to one value."""
        self._on_each(indices, lambda env: env.set_wrapper_attr(attr_name, value))

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each chosen environment and return the results.

        Raises:
            AttributeError: if there is none of that name.
        """
        return self._on_each(
            indices, lambda env: env.get_wrapper_attr(method_name)(*method_args, **method_kwargs)
        )

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: Any = None) -> list[bool]:
        """Return for each chosen environment whether it is in a wrapper; `monitor` is `Monitor`."""
        is_monitored = self._monitor and issubclass(Monitor, wrapper_class)
        env = self.env.unwrapped
        return [
            is_monitored
            or (isinstance(env, SyncVectorEnv) and is_wrapped(env.envs[i], wrapper_class))
            for i in self._numbers(indices)
        ]

    def get_images(self) -> Sequence[Any]:
        """Return a frame of each environment, in render mode "rgb_array"; otherwise None."""
        if self.render_mode != "rgb_array":
            return [None] * self.num_envs
        return list(self.env.unwrapped.render() or ())

    def close(self) -> None:
        """Close the environments."""
        self.env.close()

    def _numbers(self, indices: Any) -> list[int]:
        return [int(i) for i in self._get_indices(indices)]

    def _on_each(self, indices: Any, function: Callable[[Any], Any]) -> list[Any]:
        """Return the results of a function of each chosen single environment."""
        env = self.env.unwrapped
        if isinstance(env, MazeVectorEnv):
            return [env.with_single(i, function) for i in self._numbers(indices)]
        assert isinstance(env, SyncVectorEnv)
        return [function(env.envs[i]) for i in self._numbers(indices)]


def info_rows(infos: dict[str, Any], num_envs: int) -> list[dict[str, Any]]:
    """Return the information of a vector environment as one dictionary for each environment.

    Args:
        infos: arrays by name, or dictionaries of them, with a mask under "_" and the name.
        num_envs: number of environments.
    """
    rows: list[dict[str, Any]] = [{} for _ in range(num_envs)]
    for name, values in infos.items():
        if name[0] == "_":
            continue
        column: Any = values
        if isinstance(values, dict):
            column = info_rows(values, num_envs)
        elif values.ndim == 1:
            column = values.tolist()
        mask = infos.get(f"_{name}")
        if mask is None or np.count_nonzero(mask) == num_envs:
            for row, value in zip(rows, column, strict=True):
                row[name] = value
        else:
            for i in np.flatnonzero(mask).tolist():
                rows[i][name] = column[i]
    return rows


def _observation_of(observations: Any, i: int) -> Any:
    """Return the observation of environment i as the single one returns it."""
    if isinstance(observations, dict):
        return {name: _observation_of(part, i) for name, part in observations.items()}
    row = observations[i]
    return row.copy() if row.ndim else row.item()


def _are_equal(one: Any, other: Any) -> bool:
    """Return True for equal options, also where these are arrays."""
    try:
        return bool(one == other)
    except ValueError:  # arrays inside
        return one is other
