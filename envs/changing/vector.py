"""Wrapper by which a native vector environment changes, with a clock for each sub-environment."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

from dynamaze.common.arrays import BoolArray, IntArray
from dynamaze.common.validation import checked_choice, shown

from ..options import (
    check_world_step,
    clock_ended,
    copy_reset_options,
    parse_reset_mask,
    parse_seeds,
)
from ..timing.timeline import Timeline
from ..timing.times import LAST_STEP
from .attributes import Attributes
from .env import change_generator, checked_changes, read_timed


class Row:
    """Attributes of one sub-environment of a vector environment, which holds arrays of them.

    A number that all share becomes an array (n,) when one of them sets it.
    """

    def __init__(self, env: Any, row: int) -> None:
        vars(self).update(_env=env, _row=row)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of copies and pickles, before the row has its environment
            raise AttributeError(name)
        env = vars(self)["_env"]
        value = getattr(env, name)
        is_column = isinstance(value, np.ndarray) and value.shape == (env.num_envs,)
        return value[self._row].item() if is_column else value

    def __setattr__(self, name: str, value: Any) -> None:
        env, row = self._env, self._row
        present = getattr(env, name)
        shared = isinstance(present, Real) and not isinstance(present, bool)
        if not shared and np.shape(present) != (env.num_envs,):
            raise ValueError(
                f"the attribute {name!r} of {type(env).__name__}, {shown(present)}; expected one "
                "that is a number"
            )
        if shared and value == present:
            return
        column = np.full(env.num_envs, present, dtype=np.float64)  # a copy of an array
        column[row] = value
        setattr(env, name, column)

    def __dir__(self) -> list[str]:
        return dir(self._env)


class ChangingVectorEnv(VectorWrapper):
    """Vector environment whose attributes change, with a clock for each sub-environment.

    For a native vector environment, which computes all its sub-environments at once, such as
    `gym.make_vec("CartPole-v1", num_envs=8, vectorization_mode="vector_entry_point")`. An attribute
    that is a number for all becomes an array (n,) of numbers, so the environment must compute with
    arrays wherever it reads the attribute, as CartPole's does with its physical constants. The
    clocks are those of `ChangingEnv`: a step that only begins an episode (autoreset) does not
    count.

    Where the sub-environments are separate objects, wrap each of them:
    `gym.make_vec(id, num_envs=8, vectorization_mode="sync", wrappers=[partial(ChangingEnv,
    changes=changes)])`.

    Args:
        env: a native vector environment.
        changes: as of `ChangingEnv`, of attributes that are numbers.
        change_info: "none" or "change".

    Raises:
        ValueError: for another vector environment, and as `ChangingEnv`; TypeError likewise.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], changes: Any, *, change_info: str = "none"
    ) -> None:
        super().__init__(env)
        inner = env.unwrapped
        if isinstance(inner, SyncVectorEnv | AsyncVectorEnv) or hasattr(
            inner, "configuration_digest"
        ):
            raise ValueError(
                f"ChangingVectorEnv of {type(inner).__name__}; expected a native vector "
                "environment: wrap each sub-environment, make_vec(..., wrappers=[...])"
            )
        checked_choice("change_info", change_info, ("none", "change"))
        self._reports = change_info == "change"
        n = self.num_envs
        self._attributes = [Attributes(Row(inner, i), type(inner)) for i in range(n)]
        timed = checked_changes(read_timed(changes), self._attributes[0])
        self._has_functions = any(callable(change) for each in timed for change in each.changes)
        self._timelines = [Timeline(timed) for _ in range(n)]
        self._rngs = [np.random.default_rng() for _ in range(n)]
        self._next_change: IntArray = np.array([each.next_step for each in self._timelines])
        self._world_step: IntArray = np.zeros(n, dtype=np.int64)
        self._phase: IntArray = np.zeros(n, dtype=np.int64)
        self._episode: IntArray = np.full(n, -1, dtype=np.int64)
        self._changed: BoolArray = np.zeros(n, dtype=np.bool_)
        self._done: BoolArray = np.zeros(n, dtype=np.bool_)
        self._started: BoolArray = np.zeros(n, dtype=np.bool_)

    @property
    def world_step(self) -> IntArray:
        """The clocks, (n,)."""
        return self._world_step.copy()

    @property
    def phase(self) -> IntArray:
        """The number of changes so far of each sub-environment, (n,)."""
        return self._phase.copy()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all sub-environments, or in those of `options["reset_mask"]`.

        Args:
            seed: the times of changes in sub-environment i are drawn from `seed + i`; None
                restarts no clock.
            options: `world_step` sets the clocks; others are the environment's.

        Raises:
            ValueError: for a world step outside its range; and what the environment raises.
        """
        given = copy_reset_options(options)
        world_step = check_world_step(given.pop("world_step")) if "world_step" in given else None
        mask = parse_reset_mask(given.get("reset_mask"), self.num_envs)
        seeds = parse_seeds(seed, self.num_envs)
        for i in np.flatnonzero(mask).tolist():
            self._begin(i, seeds[i], world_step)
        self._done[mask] = False
        rest = None if options is None else given
        observations, infos = self.env.reset(seed=seed, options=rest)
        return observations, self._extended(infos, mask)

    def _begin(self, i: int, seed: int | None, world_step: int | None) -> None:
        """Begin an episode of sub-environment i."""
        if seed is not None:
            self._rngs[i] = change_generator(seed)
            self._episode[i] = -1
        if seed is not None or world_step is not None or not self._started[i]:
            self._set_clock(i, world_step or 0)
        self._episode[i] += 1
        self._apply(i, int(self._episode[i]), by_episode=True)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step in every sub-environment.

        Raises:
            RuntimeError: in a sub-environment at world step 2**53, the end of the clock.
        """
        if self._world_step.max() >= LAST_STEP:
            raise clock_ended(f" of environment {int(self._world_step.argmax())}")
        mode = self.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        begins = self._done if mode == AutoresetMode.NEXT_STEP else np.zeros_like(self._done)
        for i in np.flatnonzero(begins).tolist():
            self._begin(i, None, None)
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        self._world_step += ~begins
        for i in np.flatnonzero(~begins & (self._world_step == self._next_change)).tolist():
            self._apply(i, int(self._world_step[i]))
        self._done = np.logical_or(terminated, truncated)
        if mode == AutoresetMode.SAME_STEP:
            for i in np.flatnonzero(self._done).tolist():
                self._begin(i, None, None)
        everywhere = np.ones_like(self._done)
        return observations, rewards, terminated, truncated, self._extended(infos, everywhere)

    def _apply(self, i: int, time: int, *, by_episode: bool = False) -> None:
        """Apply the changes of sub-environment i that are due."""
        timeline = self._timelines[i]
        for change in timeline.due(time, self._rngs[i].random, by_episode=by_episode):
            self._attributes[i].apply(change)
            self._phase[i] += 1
            self._changed[i] = True
        self._next_change[i] = timeline.next_step

    def _set_clock(self, i: int, world_step: int) -> None:
        """Set the clock of sub-environment i and undo all its changes but known ones."""
        timeline, attributes = self._timelines[i], self._attributes[i]
        timeline.set_clock(world_step, max(int(self._episode[i]), 0), self._rngs[i].random)
        attributes.undo()
        for past in timeline.past(each_time=self._has_functions):
            attributes.apply(past.change)
        self._world_step[i], self._phase[i] = world_step, sum(timeline.counts)
        self._next_change[i], self._changed[i] = timeline.next_step, False
        self._started[i] = True

    def _extended(self, infos: dict[str, Any], mask: BoolArray) -> dict[str, Any]:
        """Return the environment's information with ours, in Gymnasium's vector form."""
        ours: dict[str, npt.NDArray[Any]] = {"world_step": self._world_step, "phase": self._phase}
        if self._reports:
            ours["changed"] = self._changed
        extended = dict(infos)
        for name, values in ours.items():
            extended[name] = np.where(mask, values, 0).astype(values.dtype)
            extended[f"_{name}"] = mask.copy()
        self._changed = np.where(mask, False, self._changed)
        return extended
