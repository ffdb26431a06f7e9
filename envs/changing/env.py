"""Wrapper by which any Gymnasium environment changes over its lifetime."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs, seeding

from dynamaze.common.origin import env_name
from dynamaze.common.validation import checked_choice, checked_integer, naming, shown

from ..options import check_world_step, clock_ended, copy_reset_options, reading_state
from ..planning_copy import separate_generator
from ..restarts import RestartWarning
from ..timing.timeline import TimedChange, Timeline, read_changes
from ..timing.times import LAST_STEP, NEVER
from .attributes import Attributes
from .values import jsonable

CHANGE_INFO = ("none", "change", "attributes")

CHANGE_STREAM = 0xC4A9
"""Added to a seed, so that random times do not use the environment's own random numbers."""


class ChangingEnv(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Environment whose attributes and tables change over its lifetime, by the clock of the mazes.

    The clock counts world steps: the steps over all episodes. It survives `reset()`, restarts on
    `reset(seed=...)`, which undoes all changes, and `reset(options={"world_step": k})` sets it. The
    step taken when the clock shows 1000 is the first one after a change at 1000. Random times have
    random numbers of their own: between two changes the environment is bit-identical to the
    wrapped one.

    A change is a mapping of attributes of `env.unwrapped` and their values, such as `{"gravity":
    12.0}` or `{"P": table}`, or a function of `env.unwrapped` that returns such a mapping and
    depends on nothing else. Values have the type and the shape of the present ones; a dotted name
    is an attribute of an attribute.

    Three limits. (1) What an environment computes from an attribute in its constructor does not
    follow by itself, and neither do its spaces. `total_mass` and `polemass_length` of CartPole do
    follow here; elsewhere name them in the change. (2) An attribute that the environment sets in
    its own `reset` loses the change there. (3) The observation and the information of the step
    that ends at a change are of the environment before it, such as Taxi's `action_mask`.

    The information has `world_step`, `phase`, the number of changes so far, and what `change_info`
    adds.

    Args:
        env: any environment but a maze, which has changes of its own.
        changes: time -> change, as a mapping or as pairs; a time is a world step or "episode N". Or
            changes of other times: `at`, `every`, `poisson`, `each_step`, `bursts` or `once` of a
            change or of a `cycle` of changes, or a list of them.
        change_info: "none", "change" (`changed`: True if something has changed since the last
            observation) or "attributes" (`changed_attributes`, their names, too).

    Raises:
        ValueError: for an attribute that does not exist or is read-only, a value of another shape,
            a time before 1, or a maze.
        TypeError: for a value of another type. The environment is unchanged then.
    """

    changes_dynamics: ClassVar = True  # for the origin of stored states

    def __init__(self, env: gym.Env[Any, Any], changes: Any, *, change_info: str = "none") -> None:
        timed = read_timed(changes)
        RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,
            changes=[jsonable(each.to_json()) for each in timed],
            change_info=change_info,
        )
        gym.Wrapper.__init__(self, env)
        if hasattr(env.unwrapped, "maze_config"):
            raise ValueError(
                f"ChangingEnv of the maze {env_name(env)}; expected another environment: a maze "
                "takes `changes` itself"
            )
        checked_choice("change_info", change_info, CHANGE_INFO)
        self._attributes = Attributes(env.unwrapped, type(env.unwrapped))
        timed = checked_changes(timed, self._attributes)
        self._has_functions = any(callable(change) for each in timed for change in each.changes)
        self._timeline = Timeline(timed)
        self._next_change = self._timeline.next_step
        self._rng = np.random.default_rng()
        self._world_step = self._phase = 0
        self._episode = -1
        self._restart_warning = RestartWarning(self._next_change)
        self._started = False  # False until the first random times are drawn
        self._reports = change_info != "none"
        self._reports_names = change_info == "attributes"
        self._unreported: list[str] = []  # attributes changed since the last observation

    # -- the Gymnasium interface ---------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: seeds the environment and the random times, restarts the clock and undoes all
                changes; None does neither.
            options: `{"world_step": k}` sets the clock; other options are the environment's.

        Raises:
            ValueError: for a world step outside its range; and what the environment raises.
        """
        given = copy_reset_options(options)
        world_step = check_world_step(given.pop("world_step")) if "world_step" in given else None
        if seed is not None:
            seeding.np_random(seed)  # raises for an invalid one
            self._rng = change_generator(seed)
            self._restart_warning.restart(self._world_step, self._phase)
            self._episode = -1
        if world_step is not None:
            self._restart_warning.turn_off()
        if seed is not None or world_step is not None or not self._started:
            self._set_clock(world_step or 0)
        self._episode += 1
        for change in self._timeline.due(self._episode, self._rng.random, by_episode=True):
            self.change(change)
        observation, info = self.env.reset(seed=seed, options=None if options is None else given)
        return observation, self._extended(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step; the changes that are due then hold from the next step on.

        Raises:
            RuntimeError: at world step 2**53, the end of the clock; and what the environment
                raises.
        """
        if self._world_step >= LAST_STEP:
            raise clock_ended()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._world_step = world_step = self._world_step + 1
        if world_step == self._next_change:
            for change in self._timeline.due(world_step, self._rng.random):
                self.change(change)
            self._next_change = self._timeline.next_step
        if self._reports:
            return observation, reward, terminated, truncated, self._extended(info)
        info = info.copy()  # the environment may keep its own
        info["world_step"], info["phase"] = world_step, self._phase
        return observation, reward, terminated, truncated, info

    # -- the clock and the changes -------------------------------------------------------------

    @property
    def world_step(self) -> int:
        """The clock: the number of steps over all episodes. May be set."""
        return self._world_step

    @world_step.setter
    def world_step(self, world_step: int) -> None:
        self._restart_warning.turn_off()
        self._set_clock(check_world_step(world_step))

    @property
    def phase(self) -> int:
        """The number of changes so far."""
        return self._phase

    def change(self, change: Any) -> None:
        """Change the environment now: `{"gravity": 12.0}`, or a function (see the class).

        Raises:
            ValueError, TypeError: as the constructor; nothing is changed then.
        """
        names = self._attributes.apply(change)
        self._phase += 1
        if self._reports:
            self._unreported = [*dict.fromkeys((*self._unreported, *names))]

    def _set_clock(self, world_step: int) -> None:
        """Set the clock and undo all changes but known ones; draw the next random changes."""
        timeline = Timeline(self._timeline.timed)
        timeline.set_clock(world_step, max(self._episode, 0), self._rng.random)
        past = timeline.past(each_time=self._has_functions)  # raises before anything is changed
        self._timeline, self._world_step, self._started = timeline, world_step, True
        self._attributes.undo()
        for each in past:
            self._attributes.apply(each.change)
        self._phase, self._next_change = sum(timeline.counts), timeline.next_step
        self._unreported = []

    def _extended(self, info: dict[str, Any]) -> dict[str, Any]:
        """Return the environment's information with ours."""
        extended = {**info, "world_step": self._world_step, "phase": self._phase}
        if self._reports:
            extended["changed"] = bool(self._unreported)
            if self._reports_names:
                extended["changed_attributes"] = tuple(self._unreported)
            self._unreported = []
        return extended

    # -- copies and state ----------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo.update(self._shared_tables())
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(vars(self), memo))
        return made

    def _shared_tables(self) -> dict[int, Any]:
        """Return the tables that copies share, for nothing modifies them, by their identity."""
        changes = (change for each in self._timeline.timed for change in each.changes)
        return {id(table): table for table in self._attributes.tables(changes)}

    def planning_copy(self, seed: int | None = None) -> Self:
        """Return the environment frozen as it is now, for a planner.

        No change comes in it, and steps and resets of either do not affect the other. It has random
        numbers of its own, so that it does not foretell what the environment will draw.

        Args:
            seed: of its random numbers; None derives one from the environment's.

        Raises:
            TypeError: if the environment cannot be copied.
        """
        made: Self = self._copied(self)
        made._timeline, made._next_change = Timeline(()), NEVER
        made._attributes.originals, made._unreported = {}, []
        made._saved_kwargs = {**made._saved_kwargs, "changes": []}
        made._cached_spec = None
        generator = getattr(self.unwrapped, "_np_random", None)
        made.unwrapped.np_random = separate_generator(generator, seed)
        return made

    def get_state(self) -> dict[str, Any]:
        """Return the clock, the changes and a copy of the wrapped environment, for `set_state`.

        Raises:
            TypeError: if the environment cannot be copied.
        """
        return {
            "world_step": self._world_step,
            "phase": self._phase,
            "episode": self._episode,
            "started": self._started,
            "timeline": self._timeline.get_state(),
            "originals": dict(self._attributes.originals),
            "unreported": list(self._unreported),
            "rng": self._rng.bit_generator.state,
            "env": self._copied(self.env),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a result of `get_state`; the same actions then give the same numbers.

        Raises:
            ValueError: if it is not such a state of this environment, which is unchanged then.
        """
        if not isinstance(state, Mapping):
            raise ValueError(f"not a state that get_state() returned: {shown(state)}")
        timeline, rng = Timeline(self._timeline.timed), np.random.default_rng()
        with reading_state():
            world_step = check_world_step(state["world_step"])
            phase = checked_integer("phase", state["phase"], 0)
            episode = checked_integer("episode", state["episode"], -1)
            timeline.set_state(state["timeline"], world_step, max(episode, 0))
            rng.bit_generator.state = state["rng"]
            saved, originals = state["env"], dict(state["originals"])
            started, unreported = bool(state["started"]), list(state["unreported"])
            live = _layers(self.env)
            kinds = [type(each).__name__ for each in live]
            found = [type(each).__name__ for each in _layers(saved)]
            if found != kinds:
                raise ValueError(f"a copy of {shown(found)}; expected {shown(kinds)}")
            # References to the saved environment become references to this one.
            memo = self._shared_tables()
            memo |= {id(old): new for old, new in zip(_layers(saved), live, strict=True)}
            contents = [copy.deepcopy(vars(each), memo) for each in _layers(saved)]
        for layer, content in zip(live, contents, strict=True):
            vars(layer).clear()
            vars(layer).update(content)
        self._timeline, self._next_change, self._rng = timeline, timeline.next_step, rng
        self._world_step, self._phase, self._episode = world_step, phase, episode
        self._attributes.originals, self._started = originals, started
        self._unreported = unreported

    def _copied(self, env: Any) -> Any:
        """Return a deep copy of the wrapped environment, or of this one."""
        try:
            return copy.deepcopy(env, self._shared_tables())
        except Exception as error:  # whatever its parts raise
            raise TypeError(
                f"environment {env_name(self)} cannot be copied: {error}; a state needs copies"
            ) from None


def _layers(env: Any) -> list[Any]:
    """Return the wrappers of an environment, from the outermost one, and the environment."""
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers


def change_generator(seed: int) -> np.random.Generator:
    """Return the random numbers of the times of changes, for a seed of the environment."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, CHANGE_STREAM])))


def read_timed(changes: Any) -> tuple[TimedChange, ...]:
    """Return the timed changes of an argument `changes` (see `timing.timeline.read_changes`)."""
    with naming("changes"):
        return read_changes(changes)


def checked_changes(
    timed: tuple[TimedChange, ...], attributes: Attributes
) -> tuple[TimedChange, ...]:
    """Return timed changes whose values are checked.

    Raises:
        ValueError, TypeError: as `Attributes.check`.
    """
    with naming("changes"):
        return tuple(
            replace(each, changes=tuple(attributes.check(change) for change in each.changes))
            for each in timed
        )
