"""Mazes: layouts, change schedules, exact dynamics, environments and their pictures."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .drifting import DynaMazeDriftingEnv
from .dynamics import Dynamics
from .exact import optimal_action_values, optimal_policy, optimal_values
from .generated import DynaMazeGeneratedEnv
from .generation import MazeRecipe
from .grid import GridEnv
from .layout import ACTIONS, Layout, LayoutError, Rewards
from .loca import DynaMazeLoCAEnv
from .maze import DynaMazeEnv
from .mdp import FiniteMDP, greedy_policy
from .presets import PRESETS
from .random_changes import RandomChanges
from .regret import PhaseValues, SequenceValues
from .schedule import Schedule, apply_change, read_schedule

__all__ = [
    "ACTIONS",
    "PRESETS",
    "DynaMazeContinuousEnv",
    "DynaMazeContinuousVectorEnv",
    "DynaMazeDriftingEnv",
    "DynaMazeDriftingVectorEnv",
    "DynaMazeEnv",
    "DynaMazeGeneratedEnv",
    "DynaMazeGeneratedVectorEnv",
    "DynaMazeLoCAContinuousEnv",
    "DynaMazeLoCAEnv",
    "DynaMazeVectorEnv",
    "Dynamics",
    "FiniteMDP",
    "GridEnv",
    "Layout",
    "LayoutError",
    "MazeRecipe",
    "PhaseValues",
    "RandomChanges",
    "Rewards",
    "Schedule",
    "SequenceValues",
    "apply_change",
    "greedy_policy",
    "optimal_action_values",
    "optimal_policy",
    "optimal_values",
    "read_schedule",
]

# The compiled steps need Numba; a single environment on a grid does not wait for it.
LAZY = {
    "DynaMazeContinuousEnv": ".continuous",
    "DynaMazeContinuousVectorEnv": ".continuous_vector",
    "DynaMazeLoCAContinuousEnv": ".loca_continuous",
    "DynaMazeVectorEnv": ".vector",
    "DynaMazeGeneratedVectorEnv": ".vector",
    "DynaMazeDriftingVectorEnv": ".vector",
}


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
