"""Mazes: layouts, change schedules, exact dynamics, environments and their pictures."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .drifting import DynaMazeDriftingEnv
from .generated import DynaMazeGeneratedEnv
from .generation import MazeRecipe
from .grid import GridEnv
from .loca.grid import DynaMazeLoCAEnv
from .maze import DynaMazeEnv
from .mazes.dynamics import Dynamics
from .mazes.layout import ACTIONS, Layout, LayoutError, Rewards
from .mazes.mdp import FiniteMDP, greedy_policy
from .mazes.optimal_values import optimal_action_values, optimal_policy, optimal_values
from .mazes.presets import PRESETS
from .mazes.random_changes import RandomChanges
from .mazes.regret import PhaseValues, SequenceValues
from .mazes.schedule import Schedule, apply_change, read_schedule

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
    "DynaMazeContinuousEnv": ".continuous.env",
    "DynaMazeContinuousVectorEnv": ".continuous.vector",
    "DynaMazeLoCAContinuousEnv": ".loca.continuous",
    "DynaMazeVectorEnv": ".vector.grid",
    "DynaMazeGeneratedVectorEnv": ".vector.grid",
    "DynaMazeDriftingVectorEnv": ".vector.grid",
}


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
