"""Arguments of the single and the vector environments: the options they share, and checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from operator import index
from typing import Any, NamedTuple, TypedDict, TypeVar, cast

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, IntArray
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import (
    checked_choice,
    checked_number,
    did_you_mean,
    shown,
)

from .maze_config import LevelSource
from .mazes.layout import ACTIONS, Rewards
from .spec import materialised
from .timing.times import LAST_STEP


class EnvOptions(TypedDict, total=False):
    """Keyword arguments of every environment.

    Args:
        change_info: the report of a change: "none" (the default), "change" (`changed`: True if the
            maze has changed since the last observation) or "cells" (`changed_cells`, too).
        change_info_in: the place of the report: "info" (the default) or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing); None by default.
    """

    change_info: str
    change_info_in: str
    render_mode: str | None


class MazeOptions(EnvOptions, total=False):
    """Keyword arguments of the environments whose maze can be chosen.

    Args:
        slip_probability: with this probability (0 by default) a step goes to one of the two
            directions perpendicular to the action, with equal probabilities.
        goal_reward: the reward on reaching a goal, 1 by default.
        step_reward: the reward of any other step, 0 by default.
        wall_reward: the reward of a step that a wall or the edge stopped; None, the default, for
            `step_reward`.
    """

    slip_probability: float
    goal_reward: float
    step_reward: float
    wall_reward: float | None


class StepRules(TypedDict):
    """Rewards and slip probability of a maze, as its constructors take them."""

    rewards: Rewards
    slip_probability: float


def split_options(options: MazeOptions) -> tuple[StepRules, EnvOptions]:
    """Return what belongs to the maze, and the options of every environment.

    Raises:
        ValueError: for a number outside its range; TypeError for anything but a number.
    """
    rewards = Rewards.of(
        options.get("goal_reward", 1.0),
        options.get("step_reward", 0.0),
        options.get("wall_reward"),
    )
    slip = checked_number("slip_probability", options.get("slip_probability", 0.0), 0, 1)
    rest = {name: value for name, value in options.items() if name in EnvOptions.__annotations__}
    return StepRules(rewards=rewards, slip_probability=slip), cast(EnvOptions, rest)


Env = TypeVar("Env")


def with_options(options: type) -> Callable[[type[Env]], type[Env]]:
    """Decorate an environment whose constructor takes `**options: Unpack[...]`.

    The constructor then refuses unknown names and accepts those of version 0.1 with a
    `DeprecationWarning`, and the docstring of the class lists each option instead of `**options`.

    Args:
        options: `EnvOptions` or `MazeOptions`.
    """

    def decorate(env_class: type[Env]) -> type[Env]:
        constructor: Callable[..., None] = env_class.__init__
        parameters = list(inspect.signature(constructor).parameters)[1:-1]
        known = [*parameters, *options.__annotations__]

        @renamed_arguments(notice="change_info", notice_in="change_info_in")
        @wraps(constructor)
        def construct(self: Any, *args: Any, **kwargs: Any) -> None:
            for name in kwargs:
                if name not in known:
                    # Python's own words, which TorchRL looks for.
                    raise TypeError(
                        f"{type(self).__name__} got an unexpected keyword argument {name!r}; "
                        f"expected one of {known}{did_you_mean(name, known)}"
                    )
            kwargs, one_shot = materialised(kwargs)
            self.one_shot_arguments = {**self.one_shot_arguments, **one_shot}
            constructor(self, *args, **kwargs)

        env_class.__init__ = construct  # type: ignore[method-assign]  # of the same signature
        env_class.__doc__ = _with_entries(env_class, dict.fromkeys((options, EnvOptions)))
        return env_class

    return decorate


def _with_entries(env_class: type, groups: Iterable[type]) -> str:
    """Return the docstring of an environment, with the arguments of its groups of options."""
    lines = []
    for line in (inspect.getdoc(env_class) or "").splitlines(keepends=True):
        if not line.startswith("    **options:"):
            lines.append(line)
            continue
        for group in groups:
            lines.append((inspect.getdoc(group) or "").partition("Args:\n")[2] + "\n")
    return "".join(lines)


class ResetOptions(NamedTuple):
    """Options of `reset(options=...)`."""

    world_step: int | None = None
    level: int | None = None


def parse_reset_options(options: dict[str, Any] | None, levels: LevelSource | None) -> ResetOptions:
    """Return the options of a reset.

    Args:
        options: "world_step" sets the clock; "level" selects the maze where mazes are generated.
        levels: the source of generated mazes; None if they are not generated.

    Raises:
        ValueError: for an unknown option, or a number outside its range.
        TypeError: for options that are no mapping, or a level that is not a number.
    """
    known = ["world_step"] if levels is None else ["world_step", "level"]
    given = copy_reset_options(options)
    for name in given:
        checked_choice("reset option", name, known)
    world_step = check_world_step(given["world_step"]) if "world_step" in given else None
    level = None
    if levels is not None and "level" in given:
        level = levels.check(given["level"])
    return ResetOptions(world_step, level)


def copy_reset_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of the options of a reset.

    Raises:
        TypeError: if they are no mapping.
    """
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options={shown(options)}; expected a mapping or None")
    return dict(options or {})


def check_world_step(world_step: object) -> int:
    """Return a world step after checking it.

    Raises:
        ValueError: if it is not an integer in range.
    """
    try:
        step = index(world_step)  # type: ignore[arg-type]  # checked by the call
    except TypeError:
        step = -1
    if isinstance(world_step, bool) or not 0 <= step <= LAST_STEP:
        raise ValueError(
            f"world_step={shown(world_step)}; expected a whole number from 0 to {LAST_STEP}"
        )
    return step


AFTER_GOAL = "step() of an agent on a goal, where the episode has ended; call reset() first"


def clock_ended(where: str = "") -> RuntimeError:
    """Return the error for a step when the clock shows the last world step.

    Args:
        where: the environment of a vector environment, for the message: " of environment 3".
    """
    return RuntimeError(
        f"step() at world step {LAST_STEP}{where}, the end of the clock; expected an earlier one: "
        'set it by reset(options={"world_step": k}), or restart it by reset(seed=...)'
    )


def check_render_mode(render_mode: str | None, known: Sequence[str]) -> str | None:
    """Return the render mode after checking it.

    Raises:
        ValueError: for an unknown mode, listing the known ones.
    """
    if render_mode is not None:
        checked_choice("render_mode", render_mode, known, otherwise="None")
    return render_mode


def invalid_action(action: object) -> Exception:
    """Return the error for an invalid action: ValueError for an integer, TypeError otherwise."""
    error = ValueError if _is_integer(action) else TypeError
    return error(
        f"action {shown(action)} of type {type(action).__name__}; "
        f"expected an integer from 0 to {len(ACTIONS) - 1} ({', '.join(ACTIONS)})"
    )


def _is_integer(action: object) -> bool:
    """Return True for an integer of any type, also as an array without axes, but not for a bool."""
    try:
        index(action)  # type: ignore[arg-type]  # checked by the call
    except TypeError:
        return False
    return not isinstance(action, bool)


MAX_UNIFORMS = 520
"""Most unused random numbers of a state: those that the vector environment draws ahead.

Not a power of two: the same number of all environments would lie in a few sets of the caches.
"""


@contextmanager
def reading_state(source: str = "get_state()") -> Iterator[None]:
    """Give errors about the parts of a stored state one form.

    Args:
        source: call that returns such states, for the message.

    Raises:
        ValueError: for each of the errors that a wrong state can raise.
    """
    try:
        yield
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"not a state that {source} returned: {reason}") from None


def parse_saved_state(state: Mapping[str, Any]) -> tuple[int, list[float]]:
    """Return the world step and the unused random numbers of a result of `get_state`.

    Raises:
        ValueError, KeyError, TypeError: if it is not such a state (see `reading_state`).
    """
    world_step = check_world_step(state["world_step"])
    uniforms = [checked_number("uniforms", number) for number in state["uniforms"]]
    np.random.PCG64(0).state = state["rng"]  # raises for anything but a generator's state
    increment = index(state["rng"]["state"]["inc"])
    if len(uniforms) > MAX_UNIFORMS or not all(0.0 <= number < 1.0 for number in uniforms):
        raise ValueError(
            f"uniforms of the state; expected at most {MAX_UNIFORMS} numbers of at least 0 and "
            "below 1"
        )
    if increment % 2 == 0:  # the generator would repeat a few numbers
        raise ValueError(f"rng of the state with increment {increment}; expected an odd number")
    return world_step, uniforms


Seeds = int | Sequence[int | None] | None


def parse_seeds(seed: Seeds, num_envs: int) -> list[int | None]:
    """Return a seed for each environment: one seed is counted up from, None seeds nothing.

    Raises:
        ValueError: for another number of seeds; TypeError for anything but seeds.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int):
        return [seed + i for i in range(num_envs)]
    try:
        seeds = list(seed)
    except TypeError:
        raise TypeError(
            f"seed={shown(seed)}; expected an int, None, or one of them for each environment"
        ) from None
    if len(seeds) != num_envs:
        raise ValueError(f"{len(seeds)} seeds; expected {num_envs}, one for each")
    return seeds


def parse_reset_mask(mask: Any, num_envs: int) -> BoolArray:
    """Return (n,) the mask of environments to reset; None selects all of them.

    Raises:
        ValueError: for another shape, or a mask without a True.
        TypeError: for another dtype.
    """
    if mask is None:
        return np.ones(num_envs, dtype=np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError(f"reset_mask={shown(mask)}; expected a NumPy array of dtype bool")
    if mask.shape != (num_envs,) or not mask.any():
        raise ValueError(
            f"reset_mask {shown(mask)}; expected shape ({num_envs},) and at least one True"
        )
    return mask


def check_discrete_actions(actions: npt.ArrayLike, num_envs: int, num_actions: int) -> IntArray:
    """Return the actions of all environments, (n,) int64, after checking them.

    Raises:
        ValueError: for another shape or a number outside the space.
        TypeError: for another dtype.
    """
    checked = actions_array(actions)
    if checked.shape != (num_envs,):
        raise ValueError(f"actions of shape {checked.shape}; expected ({num_envs},)")
    # As unsigned numbers the negative ones are the largest, so that one test finds both.
    is_integers = checked.dtype.kind in "iu" and not has_bool(actions)
    if is_integers:
        # Contiguous: for other actions Numba would compile the step again.
        as_int = checked.astype(np.int64, order="C", copy=False)
        if as_int.view(np.uint64).max(initial=0) < num_actions:
            return as_int
    given: Any = checked if isinstance(actions, np.ndarray) else actions
    expected = f"from 0 to {num_actions - 1} ({', '.join(ACTIONS)})"
    for i, action in enumerate(given):
        if not _is_integer(action):
            raise TypeError(
                f"actions of dtype {checked.dtype}; expected integers {expected}, not action "
                f"{shown(action)} of environment {i}"
            )
        if not 0 <= action < num_actions:
            raise ValueError(
                f"action {int(action)} of environment {i}; expected an integer {expected}"
            )
    return np.array([int(action) for action in given])  # of several types


def actions_array(actions: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return actions as an array.

    Raises:
        ValueError: for rows of different lengths.
    """
    try:
        return np.asarray(actions)
    except ValueError:
        raise ValueError(f"actions={shown(actions)}; expected rows of equal lengths") from None


def has_bool(actions: Any) -> bool:
    """Return True if a bool is in a list of actions: its array may hold it as a number."""
    if isinstance(actions, list | tuple):
        return any(has_bool(action) for action in actions)
    return isinstance(actions, bool) or getattr(actions, "dtype", None) == np.bool_
