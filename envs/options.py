"""Checks of what callers hand to both environments, the single and the vector one."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from dynamaze.messages import did_you_mean

from .layout import ACTIONS
from .schedule import LAST_STEP


def read_world_step(options: dict[str, Any] | None) -> int | None:
    """The world step that `reset(options=...)` asks for, or None.

    Raises:
        ValueError: for an unknown option, or a step that is not a whole number in range.
    """
    if not options:
        return None
    for name in options:
        if name != "world_step":
            raise ValueError(
                f"unknown reset option {name!r}; expected 'world_step'"
                f"{did_you_mean(name, ['world_step'])}"
            )
    world_step = options["world_step"]
    try:
        step = index(world_step)
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


def read_state(state: dict[str, Any], num_cells: int) -> tuple[int, int, list[float]]:
    """The cell, the world step and the numbers drawn ahead of what `get_state` returned.

    Raises:
        ValueError: if it is not such a state.
    """
    try:
        cell, world_step = index(state["state"]), index(state["world_step"])
        uniforms = [float(number) for number in state["uniforms"]]
        np.random.PCG64().state = state["rng"]  # refuses what is not such a state
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"not a state that get_state() returned: {error!r}") from None
    if not (-1 <= cell < num_cells and 0 <= world_step <= LAST_STEP):
        raise ValueError(
            f"state {cell} at world step {world_step}; expected a state below {num_cells} and a "
            f"world step from 0 to {LAST_STEP}"
        )
    if not all(0.0 <= number < 1.0 for number in uniforms):
        raise ValueError("uniforms of the state; expected numbers of at least 0 and below 1")
    return cell, world_step, uniforms
