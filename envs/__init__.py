"""Mazes: layouts, change schedules, exact dynamics, environments and their pictures."""

from __future__ import annotations

from typing import Any

from .dynamics import Dynamics, Tables
from .layout import ACTIONS, Layout, LayoutError, Rewards
from .maze import DynaMazeEnv
from .mdp import FiniteMDP, greedy_policy
from .presets import PRESETS
from .schedule import Schedule, read_schedule

__all__ = [
    "ACTIONS",
    "PRESETS",
    "DynaMazeEnv",
    "DynaMazeVectorEnv",
    "Dynamics",
    "FiniteMDP",
    "Layout",
    "LayoutError",
    "Rewards",
    "Schedule",
    "Tables",
    "greedy_policy",
    "read_schedule",
]


def __getattr__(name: str) -> Any:
    # The vector environment's kernel needs Numba; a single environment does not wait for it.
    if name == "DynaMazeVectorEnv":
        from .vector import DynaMazeVectorEnv

        return DynaMazeVectorEnv
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
