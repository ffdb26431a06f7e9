"""Checks of what callers hand to both environments, the single and the vector one."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from dynamaze.messages import did_you_mean


def read_world_step(options: dict[str, Any] | None) -> int | None:
    """The world step that `reset(options=...)` asks for, or None.

    Raises:
        ValueError: for an unknown option, or a step that is not a whole number of at least 0.
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
    if isinstance(world_step, bool) or step < 0:
        raise ValueError(f"world_step={world_step!r}; expected a whole number of at least 0")
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
