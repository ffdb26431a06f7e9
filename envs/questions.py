"""Module of version 0.1; its names are in `dynamaze.envs.generation.planes` now."""

from __future__ import annotations

from typing import Any

from dynamaze.common.deprecation import warn_renamed

from .generation import planes

RENAMED = {
    "BestActions": "ShortestPathPolicy",
    "ask_everywhere": "query_all_cells",
    "distances_to_goal": "distances_to_goal",
    "one_by_one": "split_queries",
    "steps_to_goal": "steps_to_goal",
}


def __getattr__(name: str) -> Any:
    if name not in RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_renamed(f"{__name__}.{name}", f"{planes.__name__}.{RENAMED[name]}")
    return getattr(planes, RENAMED[name])
