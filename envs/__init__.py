"""Mazes: layouts, schedules of changes, exact dynamics and values, environments, rendering.

Names that a step of `DynaMazeEnv` does not need are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_exports

from .grid import GridEnv
from .maze import DynaMazeEnv
from .mazes.dynamics import Dynamics
from .mazes.layout import ACTIONS, Layout, LayoutError, Rewards
from .mazes.mdp import FiniteMDP, greedy_policy
from .mazes.random_changes import RandomChanges
from .mazes.schedule import PRESETS, Schedule, apply_change, read_schedule
from .timing.timeline import TimedChange, at, bursts, cycle, each_step, every, once, poisson

if TYPE_CHECKING:  # type checkers do not see what is imported on first use
    from .adaptation import DynaMazeAdaptationEnv as DynaMazeAdaptationEnv
    from .changing.env import ChangingEnv as ChangingEnv
    from .changing.vector import ChangingVectorEnv as ChangingVectorEnv
    from .continuous.env import DynaMazeContinuousEnv as DynaMazeContinuousEnv
    from .continuous.vector import DynaMazeContinuousVectorEnv as DynaMazeContinuousVectorEnv
    from .generated import DynaMazeGeneratedEnv as DynaMazeGeneratedEnv
    from .generation import MazeGenerator as MazeGenerator
    from .loca.continuous import DynaMazeLoCAContinuousEnv as DynaMazeLoCAContinuousEnv
    from .loca.grid import DynaMazeLoCAEnv as DynaMazeLoCAEnv
    from .loca.vector import DynaMazeLoCAContinuousVectorEnv as DynaMazeLoCAContinuousVectorEnv
    from .loca.vector import DynaMazeLoCAVectorEnv as DynaMazeLoCAVectorEnv
    from .maze import DynaMazeDriftingEnv as DynaMazeDriftingEnv
    from .mazes.optimal_values import optimal_action_values as optimal_action_values
    from .mazes.optimal_values import optimal_policy as optimal_policy
    from .mazes.optimal_values import optimal_values as optimal_values
    from .mazes.regret import ClairvoyantValues as ClairvoyantValues
    from .mazes.regret import StationaryValues as StationaryValues
    from .vector.grid import DynaMazeAdaptationVectorEnv as DynaMazeAdaptationVectorEnv
    from .vector.grid import DynaMazeDriftingVectorEnv as DynaMazeDriftingVectorEnv
    from .vector.grid import DynaMazeGeneratedVectorEnv as DynaMazeGeneratedVectorEnv
    from .vector.grid import DynaMazeVectorEnv as DynaMazeVectorEnv
    from .vector.sb3 import sb3_vec_env as sb3_vec_env

__all__ = [
    "ACTIONS",
    "PRESETS",
    "ChangingEnv",
    "ChangingVectorEnv",
    "ClairvoyantValues",
    "DynaMazeAdaptationEnv",
    "DynaMazeAdaptationVectorEnv",
    "DynaMazeContinuousEnv",
    "DynaMazeContinuousVectorEnv",
    "DynaMazeDriftingEnv",
    "DynaMazeDriftingVectorEnv",
    "DynaMazeEnv",
    "DynaMazeGeneratedEnv",
    "DynaMazeGeneratedVectorEnv",
    "DynaMazeLoCAContinuousEnv",
    "DynaMazeLoCAContinuousVectorEnv",
    "DynaMazeLoCAEnv",
    "DynaMazeLoCAVectorEnv",
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
    "TimedChange",
    "apply_change",
    "at",
    "bursts",
    "cycle",
    "each_step",
    "every",
    "greedy_policy",
    "once",
    "optimal_action_values",
    "optimal_policy",
    "optimal_values",
    "poisson",
    "read_schedule",
    "sb3_vec_env",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "ChangingEnv": ".changing.env",
        "ChangingVectorEnv": ".changing.vector",
        "ClairvoyantValues": ".mazes.regret",
        "DynaMazeAdaptationEnv": ".adaptation",
        "DynaMazeAdaptationVectorEnv": ".vector.grid",
        "DynaMazeContinuousEnv": ".continuous.env",
        "DynaMazeContinuousVectorEnv": ".continuous.vector",
        "DynaMazeDriftingEnv": ".maze",
        "DynaMazeDriftingVectorEnv": ".vector.grid",
        "DynaMazeGeneratedEnv": ".generated",
        "DynaMazeGeneratedVectorEnv": ".vector.grid",
        "DynaMazeLoCAContinuousEnv": ".loca.continuous",
        "DynaMazeLoCAContinuousVectorEnv": ".loca.vector",
        "DynaMazeLoCAEnv": ".loca.grid",
        "DynaMazeLoCAVectorEnv": ".loca.vector",
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
