"""Checks of what callers hand to the environments, the single and the vector ones."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.validation import did_you_mean

from .generation.levels import Levels
from .mazes.layout import ACTIONS
from .mazes.schedule import LAST_STEP


class ResetOptions(NamedTuple):
    """What `reset(options=...)` asks for."""

    world_step: int | None = None
    level: int | None = None


def read_options(options: dict[str, Any] | None, levels: Levels | None) -> ResetOptions:
    """The options of a reset.

    Args:
        options: "world_step" sets the clock; "level" chooses the maze, where they are generated.
        levels: the levels that there are.

    Raises:
        ValueError: for an unknown option, or a number outside its range.
        TypeError: for a level that is not a number.
    """
    known = ["world_step"] if levels is None else ["world_step", "level"]
    for name in options or {}:
        if name not in known:
            raise ValueError(
                f"unknown reset option {name!r}; expected {' or '.join(map(repr, known))}"
                f"{did_you_mean(name, known)}"
            )
    given = options or {}
    world_step = read_world_step(given["world_step"]) if "world_step" in given else None
    level = None
    if levels is not None and "level" in given:
        level = levels.check(given["level"])
    return ResetOptions(world_step, level)


def read_world_step(world_step: object) -> int:
    """A world step.

    Raises:
        ValueError: if it is not a whole number in range.
    """
    try:
        step = index(world_step)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        step = -1
    if isinstance(world_step, bool) or not 0 <= step <= LAST_STEP:
        raise ValueError(
            f"world_step={world_step!r}; expected a whole number from 0 to {LAST_STEP}"
        )
    return step


def check_render_mode(render_mode: str | None, known: Sequence[str]) -> str | None:
    """The render mode itself.

    Raises:
        ValueError: if there is no such mode, naming those that are.
    """
    if render_mode is not None and render_mode not in known:
        raise ValueError(
            f"render_mode={render_mode!r}; expected None or one of {list(known)}"
            f"{did_you_mean(render_mode, known)}"
        )
    return render_mode


def refuse_action(action: object) -> Exception:
    """The error for what is not an action: ValueError for an integer, TypeError for the rest."""
    error: type[Exception] = ValueError
    try:
        index(action)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        error = TypeError
    return error(
        f"action {action!r} of type {type(action).__name__}; "
        f"expected an integer from 0 to {len(ACTIONS) - 1} ({', '.join(ACTIONS)})"
    )


def read_life(state: dict[str, Any]) -> tuple[int, list[float]]:
    """The world step and the numbers drawn ahead of what `get_state` returned.

    Raises:
        ValueError: if it is not such a state.
    """
    try:
        world_step = index(state["world_step"])
        uniforms = [float(number) for number in state["uniforms"]]
        np.random.PCG64().state = state["rng"]  # refuses what is not such a state
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"not a state that get_state() returned: {error!r}") from None
    if not 0 <= world_step <= LAST_STEP:
        raise ValueError(f"world_step={world_step} of the state; expected 0 to {LAST_STEP}")
    if not all(0.0 <= number < 1.0 for number in uniforms):
        raise ValueError("uniforms of the state; expected numbers of at least 0 and below 1")
    return world_step, uniforms


def read_cell_state(state: dict[str, Any], num_cells: int) -> int:
    """The cell's number of what `get_state` returned; -1 before the first reset.

    Raises:
        ValueError: if it is not one.
    """
    try:
        cell = index(state["state"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a state that get_state() returned: {error!r}") from None
    if not -1 <= cell < num_cells:
        raise ValueError(f"state {cell}; expected a state below {num_cells}")
    return cell
