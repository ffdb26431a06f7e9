"""Mazes: layouts, schedules of changes, exact dynamics and values, environments, rendering.

Names that a step of `DynaMazeEnv` does not need are imported when they are first used.
"""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

from .grid import GridEnv
from .maze import DynaMazeEnv
from .mazes.dynamics import Dynamics
from .mazes.layout import ACTIONS, Layout, LayoutError, Rewards
from .mazes.mdp import FiniteMDP, greedy_policy
from .mazes.random_changes import RandomChanges
from .mazes.schedule import PRESETS, Schedule, apply_change, read_schedule

__all__ = [
    "ACTIONS",
    "PRESETS",
    "ClairvoyantValues",
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
    "MazeGenerator",
    "RandomChanges",
    "Rewards",
    "Schedule",
    "StationaryValues",
    "apply_change",
    "greedy_policy",
    "optimal_action_values",
    "optimal_policy",
    "optimal_values",
    "read_schedule",
    "sb3_vec_env",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "ClairvoyantValues": ".mazes.regret",
        "DynaMazeContinuousEnv": ".continuous.env",
        "DynaMazeContinuousVectorEnv": ".continuous.vector",
        "DynaMazeDriftingEnv": ".maze",
        "DynaMazeDriftingVectorEnv": ".vector.grid",
        "DynaMazeGeneratedEnv": ".generated",
        "DynaMazeGeneratedVectorEnv": ".vector.grid",
        "DynaMazeLoCAContinuousEnv": ".loca.continuous",
        "DynaMazeLoCAEnv": ".loca.grid",
        "DynaMazeVectorEnv": ".vector.grid",
        "MazeGenerator": ".generation",
        "StationaryValues": ".mazes.regret",
        "optimal_action_values": ".mazes.optimal_values",
        "optimal_policy": ".mazes.optimal_values",
        "optimal_values": ".mazes.optimal_values",
        "sb3_vec_env": ".vector.sb3",
    },
    renamed={
        "MazeRecipe": "MazeGenerator",
        "PhaseValues": "StationaryValues",
        "SequenceValues": "ClairvoyantValues",
    },
)
