"""Base class of the native vector environments: seeds, clocks, changes, resets, information."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.origin import env_name
from dynamaze.common.validation import checked_choice, checked_integer, shown

from ..base import AttachedState, RestoredState, check_configuration, longer_trail
from ..changing_maze import ChangingMaze
from ..mazes.dynamics import Dynamics
from ..mazes.layout import Cell
from ..options import (
    AFTER_GOAL,
    MAX_UNIFORMS,
    Seeds,
    check_render_mode,
    clock_ended,
    copy_reset_options,
    parse_reset_mask,
    parse_reset_options,
    parse_seeds,
    reading_state,
)
from ..timing.times import LAST_STEP
from .kernel import (
    BEGINS,
    CHANGES,
    DISABLED,
    ENDED,
    NEXT_STEP,
    SAME_STEP,
    BatchedEnvState,
    StepResult,
    begin_episodes,
    refill_uniforms,
    uniform_sampler,
)

MODES = {
    AutoresetMode.NEXT_STEP: NEXT_STEP,
    AutoresetMode.SAME_STEP: SAME_STEP,
    AutoresetMode.DISABLED: DISABLED,
}
UNIFORM_BLOCK = MAX_UNIFORMS
"""Random numbers held for each environment: NumPy's cost is per call, not per number."""

MAX_ENVS = 2**20
"""Maximum number of environments: their random numbers alone are 4 GiB then."""

MAX_BATCH_BYTES = 2**33
"""Bytes of the observations of all environments."""

STEPS_AHEAD = 32
"""The supply of random numbers is checked once in this many steps."""


def check_time_limit(steps: object) -> int:
    """Return the time limit of an episode after checking it; -1 for none.

    Raises:
        ValueError: for a number outside its range; TypeError for anything but a number.
    """
    limit = checked_integer("max_episode_steps", steps, -1, LAST_STEP)
    if limit == 0:
        raise ValueError("max_episode_steps=0; expected a whole number of at least 1, or -1")
    return limit


def num_bytes(space: gym.Space[Any]) -> int:
    """Return the size of an observation."""
    if isinstance(space, gym.spaces.Dict):
        return sum(num_bytes(part) for part in space.spaces.values())
    return math.prod(space.shape or ()) * np.dtype(space.dtype).itemsize


class Counter(NamedTuple):
    """Attribute of the mazes that the information reports."""

    name: str  # of the attribute
    key: str  # in the information
    values: IntArray  # (n,)


class RestoredBatch(NamedTuple):
    """Parts of a result of `MazeVectorEnv.get_state` after checking them."""

    envs: list[RestoredState]  # n
    episode_step: IntArray  # (n,)
    done: BoolArray  # (n,)
    changed: BoolArray  # (n,)
    changed_cells: BoolArray  # (n, rows, cols), or (n, 0, 0) where they are not reported


class MazeVectorEnv(VectorEnv[Any, Any, Any], ABC):
    """`num_envs` environments with results bit-identical to `SyncVectorEnv` of the single one.

    Each environment has its own clock, random numbers, maze and time limit. A compiled call steps
    all of them; only where a maze changes does Python handle one environment after the other.

    Args:
        num_envs: the number of environments.
        max_episode_steps: the time limit of each; None or -1 for none.
        autoreset_mode: when a finished episode begins again (Gymnasium's `AutoresetMode`).
        **maze_arguments: the arguments of the single environment. `render_mode` may be any but
            "human".

    Attributes:
        autoreset_mode: Gymnasium's `AutoresetMode`, also in `metadata`.

    Raises:
        ValueError: for a number of environments or a time limit below 1, for observations of more
            than 8 GiB, and for all that the single environment refuses.
    """

    single_class: ClassVar[Callable[..., Any]]
    """The single environment."""

    tables_class: ClassVar[Any]
    """The record of mazes, one in each slot, that the compiled step reads."""

    numbers_per_step: ClassVar[int] = 2
    """The most random numbers that a compiled step uses, the start of an episode included."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **maze_arguments: Any,
    ) -> None:
        self.num_envs = checked_integer("num_envs", num_envs, 1)
        if self.num_envs > MAX_ENVS:
            raise ValueError(f"num_envs={shown(num_envs)}; expected at most {MAX_ENVS}")
        single_class = type(self).single_class
        known = [mode for mode in single_class.metadata["render_modes"] if mode != "human"]  # type: ignore[attr-defined]  # a class
        check_render_mode(maze_arguments.get("render_mode"), known)
        self._single_env = single_class(**maze_arguments)
        self.render_mode = self._single_env.render_mode
        self.autoreset_mode = mode = AutoresetMode(
            autoreset_mode
            if isinstance(autoreset_mode, AutoresetMode)
            else checked_choice(
                "autoreset_mode",
                autoreset_mode,
                [mode.value for mode in AutoresetMode],
                otherwise="an AutoresetMode",
            )
        )
        self.metadata = {
            **self._single_env.metadata,
            "render_modes": known,
            "autoreset_mode": mode,
        }
        self.single_observation_space = self._single_env.observation_space
        self.single_action_space = self._single_env.action_space
        size = self.num_envs * num_bytes(self.single_observation_space)
        if size > MAX_BATCH_BYTES:
            raise ValueError(
                f"num_envs={self.num_envs} with observations of {size:,} bytes in all; expected at "
                f"most {MAX_BATCH_BYTES:,}"
            )
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.max_episode_steps = -1
        if max_episode_steps is not None:
            self.max_episode_steps = check_time_limit(max_episode_steps)
        self._mode = MODES[mode]
        self._config = self._single_env.maze_config
        self._change_info = self._single_env.change_info
        self._encoder = self._single_env.observation_encoder
        self._phases = self._config.phases
        self._mazes = [ChangingMaze(self._config) for _ in range(self.num_envs)]
        self._started = np.zeros(self.num_envs, dtype=np.bool_)
        self._is_ready = False  # True once every environment was reset
        self._is_watched = self.render_mode is not None
        self._trails: list[list[Any]] = [[] for _ in range(self.num_envs)]
        self._is_random = self._needs_random_numbers() or self._config.is_random
        self._steps_drawn_ahead = 0
        self._seeds: list[int | None] = [None] * self.num_envs
        self._generators: list[np.random.Generator] | None = None
        self._single_envs: list[Any] | None = None
        self._counters = [
            Counter(name, key, np.zeros(self.num_envs, dtype=np.int64))
            for name, key in self._config.counters.items()
        ]
        self._unreported: set[int] = set()  # environments with changes that are not reported yet
        self._clocks_ended: set[int] = set()  # environments at the end of the clock
        self._on_goals: set[int] = set()  # agents that came to a goal otherwise than by `step`
        self._changed = np.zeros(self.num_envs, dtype=np.bool_)
        shape = self._config.first.walls.shape if self._change_info.with_cells else (0, 0)
        self._changed_cells = np.zeros((self.num_envs, *shape), dtype=np.bool_)
        self._everywhere = np.ones(self.num_envs, dtype=np.bool_)
        self._batch = self._initial_batch()
        self._final_states = np.empty_like(self._batch.state)
        self._marks = np.empty(self.num_envs, dtype=np.uint8)
        self._tables = type(self).tables_class.of(self._phases)
        for slot, phase in enumerate(self._phases):
            self._encoder.load(slot, phase.layout)

    @property
    def spec(self) -> EnvSpec | None:
        """The spec of `gym.make_vec`, with its arguments in forms that JSON can hold."""
        spec: EnvSpec | None = self._single_env.spec  # which names the environment in its states
        return spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._single_env.spec = spec

    # -- to be defined by subclasses -----------------------------------------------------------

    def _initial_batch(self) -> BatchedEnvState:
        """Return the state before the first reset."""
        return BatchedEnvState.initial(self.num_envs, UNIFORM_BLOCK)

    def _needs_random_numbers(self) -> bool:
        """Return True if a step uses random numbers beside those of the maze."""
        return False

    @abstractmethod
    def _step_batch(self, actions: Any, result: StepResult) -> int:
        """Step all environments by the compiled rule, fill in the result and return all marks."""

    @abstractmethod
    def _check_actions(self, actions: Any) -> Any:
        """Return the actions after checking them."""

    @abstractmethod
    def _cell(self, i: int) -> Cell | None:
        """Return the cell of agent i; None before the first reset."""

    @abstractmethod
    def _agent_state(self, i: int) -> Any:
        """Return the state of agent i in the form of the single environment."""

    @abstractmethod
    def _set_agent_state(self, i: int, state: Any) -> None:
        """Set the state of agent i from the form of the single environment."""

    def _trail_entry(self, i: int) -> Any:
        """Return the position of agent i as the trail of a single environment stores it."""
        return self._cell(i)

    # -- the Gymnasium interface ---------------------------------------------------------------

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all environments, or in those of `options["reset_mask"]`.

        Args:
            seed: one seed (environment i gets `seed + i`), one for each environment, or None.
            options: `reset_mask`, (n,) bool with at least one True; `world_step` sets the clocks;
                `level` selects the maze where mazes are generated.

        Returns:
            The batch of observations and the information of the environments that were reset.

        Raises:
            ValueError: for a wrong number of seeds, an unknown option, a mask of another shape or
                without a True.
            TypeError: if the mask is not a bool array.
        """
        options = copy_reset_options(options)
        mask = parse_reset_mask(options.pop("reset_mask", None), self.num_envs)
        given = parse_reset_options(options, self._config.levels)
        seeded = {
            i: seeding.np_random(one_seed)
            for i, one_seed in enumerate(parse_seeds(seed, self.num_envs))
            if one_seed is not None and mask[i]
        }
        restarts = bool(seeded) or given.world_step is not None or not self._started[mask].all()
        if restarts:
            for i in np.flatnonzero(mask).tolist():
                self._reset_clock(i, seeded.get(i), given.world_step)
        self._begin_episodes(mask, given.level, restarted=restarts)
        if not self._is_ready:
            self._check_agents()
        if self._is_watched:
            self._extend_trails(mask)
        return self._observations(), self._infos(mask)

    def step(
        self, actions: npt.ArrayLike
    ) -> tuple[Any, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Take a step in every environment.

        Args:
            actions: (n,) or (n, 2), each of the single environment's action space.

        Returns:
            Observations, rewards (n,) float64, terminated (n,), truncated (n,) and information:
            an array and a mask for each key.

        Raises:
            ValueError: for actions of another shape or outside the space; TypeError for another
                dtype.
            RuntimeError: in an environment at world step 2**53, the end of the clock.
            gymnasium.error.ResetNeeded: before the first reset, or, where the mode is DISABLED,
                in an environment whose episode has ended; with goal observations also where `call`
                or `set_attr` brought an agent and a goal together.
        """
        checked = self._check_actions(actions)
        self._check_ready()
        self._refill_uniforms()
        result = self._new_result()
        marks = self._step_batch(checked, result)
        if marks & CHANGES:
            for i in np.flatnonzero(result.marks & CHANGES).tolist():
                self._apply_due_changes(i)
        self._collect_changes(self._everywhere)
        final = self._final_info(result) if marks & ENDED else {}
        if marks & BEGINS:
            self._begin_episodes((result.marks & BEGINS) > 0)
        if self._is_watched:
            self._extend_trails(self._everywhere)
        infos = self._infos(self._everywhere)
        infos.update(final)
        return self._observations(), result.reward, result.terminated, result.truncated, infos

    def _new_result(self) -> StepResult:
        """Return a result to be filled in, with new arrays of what `step` returns."""
        return StepResult(
            reward=np.empty(self.num_envs),
            terminated=np.empty(self.num_envs, dtype=np.bool_),
            truncated=np.empty(self.num_envs, dtype=np.bool_),
            final_state=self._final_states,
            marks=self._marks,
        )

    @property
    def compute_reward(self) -> Callable[..., Any]:
        """`compute_reward` of the single environment, for batches of goals.

        Raises:
            AttributeError: without goal observations.
        """
        function: Callable[..., Any] = self._single_env.compute_reward
        return function

    def render(self) -> tuple[Any, ...]:
        """Render each environment in the form that `render_mode` selects."""
        return self.call("render")

    # -- single environments -------------------------------------------------------------------

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of each single environment, or read its attribute.

        Raises:
            AttributeError: if a single environment has nothing of that name.
        """
        results = []

        def use(single: Any) -> Any:
            attribute = single.get_wrapper_attr(name)
            return attribute(*args, **kwargs) if callable(attribute) else attribute

        for i in range(self.num_envs):
            result = self.with_single(i, use)
            if name == "reset":
                self._batch.episode_step[i] = 0
            if name == "step":
                result = self._counted(i, result)
            results.append(result)
        return tuple(results)

    def _counted(self, i: int, result: Any) -> Any:
        """Count a step of single environment i, which the time limit may truncate."""
        self._batch.episode_step[i] += 1
        if not self._batch.episode_step[i] >= self.max_episode_steps > 0:
            return result
        observation, reward, terminated, _, info = result
        return observation, reward, terminated, True, info

    def with_single(self, i: int, function: Callable[[Any], Any]) -> Any:
        """Return the result of a function of environment i as a single environment."""
        single = self._attach_single(i)
        result = function(single)
        self._detach_single(i, single)
        return result

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each single environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of each single environment, or of none if a value is refused.

        Args:
            name: the attribute, for example "world_step".
            values: a list or tuple with a value for each, or one value for all.

        Raises:
            ValueError: for another number of values.
            AttributeError: if it cannot be set.
        """
        if not isinstance(values, (list, tuple)):
            values = [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(f"{len(values)} values of {name!r}; expected {self.num_envs}")
        for i, value in enumerate(values):  # on copies, which may raise
            copy.deepcopy(self._attach_single(i)).set_wrapper_attr(name, value)
        for i, value in enumerate(values):
            single = self._attach_single(i)
            single.set_wrapper_attr(name, value)
            self._detach_single(i, single)

    @property
    def np_random_seed(self) -> tuple[Any, ...]:  # type: ignore[override]  # as SyncVectorEnv
        """The latest seed of each environment."""
        return self.get_attr("np_random_seed")

    @property  # type: ignore[misc]  # as SyncVectorEnv
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment."""
        return tuple(self._all_generators())

    def _attach_single(self, i: int) -> Any:
        """Return environment i as a single environment."""
        if self._single_envs is None:
            self._single_envs = [copy.copy(self._single_env) for _ in range(self.num_envs)]
        batch, single = self._batch, self._single_envs[i]
        single.use_generator(self._all_generators()[i], self._seeds[i])
        self._mazes[i].episode = int(batch.episode[i])
        state = AttachedState(
            maze=self._mazes[i],
            agent=self._agent_state(i),
            world_step=int(batch.world_step[i]),
            started=bool(self._started[i]),
            uniforms=batch.uniforms[i, batch.next_uniform[i] :].tolist(),
            trail=self._trails[i],
        )
        single.attach(state, self._own_slot(i))
        return single

    def _detach_single(self, i: int, single: Any) -> None:
        """Copy a single environment back into environment i."""
        batch, state = self._batch, single.detach()
        self._mazes[i], self._started[i], self._trails[i] = state.maze, state.started, state.trail
        self._set_agent_state(i, state.agent)
        batch.world_step[i] = state.world_step
        batch.episode[i] = state.maze.episode
        used = batch.uniforms.shape[1] - len(state.uniforms)
        batch.uniforms[i, used:] = state.uniforms
        batch.next_uniform[i] = used
        self._steps_drawn_ahead = 0
        self._all_generators()[i] = single.np_random
        self._seeds[i] = single.np_random_seed
        self._sync_maze(i)
        self._check_agents()
        if self._single_env.has_goals and self._cell(i) in state.maze.layout.goals:
            self._on_goals.add(i)  # the single environment refuses a further step, too
        else:
            self._on_goals.discard(i)

    # -- saving and restoring ------------------------------------------------------------------

    def configuration_digest(self) -> str:
        """Return the digest of the single environment's configuration (see `MazeEnv`)."""
        digest: str = self._single_env.configuration_digest()
        return digest

    def get_state(self) -> dict[str, Any]:
        """Return everything that the future depends on, as plain numbers that JSON can hold.

        The entry `envs` holds a state for each environment, in the form of the single one.
        """
        batch = self._batch
        return {
            "environment": env_name(self),
            "configuration": self.configuration_digest(),
            "autoreset_mode": self.autoreset_mode.value,
            "envs": list(self.call("get_state")),
            "episode_steps": batch.episode_step.tolist(),
            "done": batch.done.tolist(),
            "changed": self._changed.tolist(),
            "changed_cells": np.argwhere(self._changed_cells).tolist(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a result of `get_state`; the same actions then give the same numbers.

        Raises:
            ValueError: if it is not such a state, or one of another configuration, number of
                environments or autoreset mode; nothing is changed then.
        """
        restored = self._parse_state(state)
        for i, each in enumerate(restored.envs):
            single = self._attach_single(i)
            single.restore(each)
            self._detach_single(i, single)
        batch = self._batch
        batch.episode_step[:], batch.done[:] = restored.episode_step, restored.done
        self._changed[:], self._changed_cells[:] = restored.changed, restored.changed_cells

    def _parse_state(self, state: dict[str, Any]) -> RestoredBatch:
        check_configuration(state, self)
        with reading_state(f"get_state() of {self.num_envs} environments"):
            mode, envs = state["autoreset_mode"], state["envs"]
            if mode != self.autoreset_mode.value:
                raise ValueError(
                    f"autoreset_mode={shown(mode)}; expected {self.autoreset_mode.value!r}"
                )
            columns = [state[name] for name in ("episode_steps", "done", "changed")]
            if not all(isinstance(column, list) for column in (envs, *columns)):
                raise TypeError("expected a list for each of the environments")
            if {len(column) for column in (envs, *columns)} != {self.num_envs}:
                raise ValueError(f"{len(envs)} environments; expected {self.num_envs}")
            steps = [checked_integer("episode step", n, 0, LAST_STEP) for n in columns[0]]
            if not all(isinstance(flag, bool) for flag in (*columns[1], *columns[2])):
                raise TypeError("expected True or False for each of the environments")
            cells = np.zeros_like(self._changed_cells)
            for index in state["changed_cells"]:
                cells[self._checked_index(index, cells.shape)] = True
            return RestoredBatch(
                [self._single_env.parse_state(each) for each in envs],
                np.array(steps, dtype=np.int64),
                np.array(columns[1], dtype=np.bool_),
                np.array(columns[2], dtype=np.bool_),
                cells,
            )

    @staticmethod
    def _checked_index(index: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the index (environment, row, column) of a changed cell."""
        return tuple(
            checked_integer("changed cell", number, 0, size - 1)
            for number, size in zip(index, shape, strict=True)
        )

    def _check_agents(self) -> None:
        """Note if every agent has a state; the first number of it is negative or NaN before."""
        first = self._batch.state.reshape(self.num_envs, -1)[:, 0]
        self._is_ready = bool((first >= 0).all())

    def _extend_trails(self, mask: BoolArray) -> None:
        """Extend the trails by the present positions; a new episode has an empty one."""
        for i in np.flatnonzero(mask).tolist():
            begins = self._batch.episode_step[i] == 0
            self._trails[i] = [] if begins else longer_trail(self._trails[i], self._trail_entry(i))

    # -- changes -------------------------------------------------------------------------------

    def _own_slot(self, i: int) -> int:
        """Return the slot of environment i's own maze, after those of the schedule."""
        return len(self._phases) + i

    def _apply_due_changes(self, i: int) -> None:
        """Apply the changes of maze i that are due now."""
        world_step = int(self._batch.world_step[i])
        self._mazes[i].apply_due_changes(world_step, self._cell(i), self._uniform_sampler(i))
        self._steps_drawn_ahead = 0
        self._sync_maze(i)

    def _begin_maze_episode(self, i: int, level: int | None = None) -> None:
        """Begin an episode of maze i, which may bring another layout."""
        maze, batch = self._mazes[i], self._batch
        maze.episode = int(batch.episode[i])
        maze.begin_episode(int(batch.world_step[i]), self._uniform_sampler(i), level)
        batch.episode[i] = maze.episode
        self._sync_maze(i)

    def _begin_episodes(
        self, mask: BoolArray, level: int | None = None, *, restarted: bool = False
    ) -> None:
        """Begin an episode in the masked environments, perhaps in another maze.

        Args:
            mask: (n,)
            level: of the maze, where mazes are generated; None draws one.
            restarted: True if the clocks were set, which may have changed the mazes.
        """
        rows = np.flatnonzero(mask).tolist()
        self._on_goals.difference_update(rows)
        if restarted or self._config.changes_at_reset:
            for i in rows:
                self._begin_maze_episode(i, level)
        else:
            self._batch.episode[mask] += 1
        self._steps_drawn_ahead = 0
        self._refill_uniforms()
        tables = self._tables
        begin_episodes(tables.starts, tables.num_starts, tuple(self._batch), mask)
        self._collect_changes(mask)

    def _sync_maze(self, i: int) -> None:
        """Copy from maze i what the compiled step reads."""
        maze, batch = self._mazes[i], self._batch
        shared = [n for n, phase in enumerate(self._phases) if phase.layout is maze.layout]
        if shared:
            batch.slot[i] = shared[0]
        else:
            batch.slot[i] = slot = self._own_slot(i)
            self._load_maze(slot, maze.dynamics)
            self._encoder.load(slot, maze.layout)
            self._is_random = self._is_random or maze.layout.is_random
        batch.next_change[i] = maze.next_change
        if batch.world_step[i] < LAST_STEP:
            self._clocks_ended.discard(i)
        else:
            self._clocks_ended.add(i)
        for counter in self._counters:
            counter.values[i] = getattr(maze, counter.name) or 0
        if self._change_info.is_off:
            maze.unreported = None
        elif maze.unreported is not None:
            self._unreported.add(i)
        else:
            self._unreported.discard(i)

    def _load_maze(self, slot: int, dynamics: Dynamics) -> None:
        """Write a maze into a slot of the tables."""
        capacity = (len(self._phases) + self.num_envs, len(dynamics.starts))
        self._tables = self._tables.with_capacity(*capacity)
        self._tables.put(slot, dynamics)

    def _reset_clock(
        self, i: int, seeded: tuple[np.random.Generator, int] | None, world_step: int | None
    ) -> None:
        """Restart the clock of environment i if it is seeded, and set it to a given world step."""
        maze, batch, uniform = self._mazes[i], self._batch, self._uniform_sampler(i)
        if seeded is not None:
            generator, self._seeds[i] = seeded
            if self._generators is not None:
                self._generators[i] = generator
            batch.next_uniform[i] = batch.uniforms.shape[1]
            batch.world_step[i] = 0
            maze.restart(uniform)
            batch.episode[i] = maze.episode
        elif not self._started[i]:
            maze.set_clock(0, uniform)
        self._started[i] = True
        if world_step is not None:
            batch.world_step[i] = world_step
            maze.episode = int(batch.episode[i])
            maze.set_clock(world_step, uniform)

    def _step_arguments(self, actions: Any, result: StepResult) -> tuple[Any, ...]:
        """Return the arguments of a compiled step that follow the mazes."""
        return (
            tuple(self._batch),
            tuple(result),
            actions,
            self.max_episode_steps,
            self._mode,
            self._config.changes_at_reset,
        )

    # -- observations and information ----------------------------------------------------------

    def _observations(self) -> Any:
        encoded = self._encoder.encode_batch(self._batch.state, self._batch.slot)
        if not self._change_info.in_observation:
            return encoded
        return self._change_info.extend_observation(
            encoded, self._changed.astype(np.int64), self._changed_cells
        )

    def _infos(self, mask: BoolArray) -> dict[str, Any]:
        """Return the masked environments' information in the form of Gymnasium's vector ones."""
        infos: dict[str, Any] = {"world_step": self._batch.world_step.copy()}
        for counter in self._counters:
            infos[counter.key] = counter.values.copy()
        if self._change_info.in_info:
            infos.update(self._change_info.info(self._changed.copy(), self._changed_cells.copy()))
        others = None if mask is self._everywhere else ~mask
        for name, values in list(infos.items()):
            if others is not None:
                values[others] = 0
            infos[f"_{name}"] = mask.copy()
        return infos

    def _final_info(self, result: StepResult) -> dict[str, Any]:
        """Return the entries of mode SAME_STEP for the episodes that have ended."""
        ended = (result.marks & ENDED) > 0
        observations = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended).tolist():
            state = self._final_state(result, i)
            encoded = self._encoder.encode(state, int(self._batch.slot[i]))
            observations[i] = self._change_info.extend_observation(
                encoded, int(self._changed[i]), self._changed_cells[i]
            )
        return {
            "final_obs": observations,
            "_final_obs": ended,
            "final_info": self._infos(ended),
            "_final_info": ended.copy(),
        }

    def _final_state(self, result: StepResult, i: int) -> Any:
        return result.final_state[i]

    def _collect_changes(self, mask: BoolArray) -> None:
        """Collect the unreported changes of the masked environments; drop those reported before."""
        if self._change_info.is_off:
            return
        self._changed[mask] = False
        self._changed_cells[mask] = False
        for i in [i for i in self._unreported if mask[i]]:
            self._changed[i] = True
            if self._change_info.with_cells:
                self._changed_cells[i] = self._mazes[i].changed_cells
            self._mazes[i].unreported = None
            self._unreported.discard(i)

    # -- random numbers ------------------------------------------------------------------------

    def _all_generators(self) -> list[np.random.Generator]:
        if self._generators is None:
            self._generators = []
            for i, seed in enumerate(self._seeds):
                generator, self._seeds[i] = seeding.np_random(seed)
                self._generators.append(generator)
        return self._generators

    def _uniform_sampler(self, i: int) -> Callable[[], float]:
        """Return a function that draws the random numbers of environment i one by one."""
        return uniform_sampler(self._batch, self._all_generators(), i)

    def _refill_uniforms(self) -> None:
        """Draw the random numbers of the next compiled steps."""
        if not self._is_random:
            return
        if self._steps_drawn_ahead == 0:
            at_least = self.numbers_per_step * STEPS_AHEAD
            refill_uniforms(self._batch, self._all_generators(), at_least)
            self._steps_drawn_ahead = STEPS_AHEAD
        self._steps_drawn_ahead -= 1

    # -- checks --------------------------------------------------------------------------------

    def _check_ready(self) -> None:
        batch = self._batch
        if not self._is_ready:
            raise gym.error.ResetNeeded("step() before the first reset(); call reset() first")
        if self._clocks_ended:
            raise clock_ended(f" of environment {min(self._clocks_ended)}")
        if self._on_goals:
            if not batch.done[list(self._on_goals)].all():
                raise gym.error.ResetNeeded(AFTER_GOAL)
            self._on_goals.clear()  # new episodes begin there
        if self._mode == DISABLED and np.count_nonzero(batch.done):  # faster than `any`
            raise gym.error.ResetNeeded(
                f"the episodes of environments {np.flatnonzero(batch.done).tolist()} have ended; "
                'reset them by reset(options={"reset_mask": mask})'
            )
