"""The Dyna family: values, models, planning, exploration, and the agents made of them."""

from __future__ import annotations

from .agent import Agent
from .callbacks import Step
from .dyna import DynaQ, DynaQPlus, QLearning
from .exploration import ActionTimeBonus, EpsilonGreedy
from .models import (
    CAPABILITIES,
    MODELS,
    LatestOutcome,
    MaximumLikelihood,
    Model,
    Prediction,
    StoredExperience,
    TimeBonus,
)
from .planning import UniformPlanning
from .spaces import Spaces
from .transitions import Transitions
from .values import TableValues

__all__ = [
    "CAPABILITIES",
    "MODELS",
    "ActionTimeBonus",
    "Agent",
    "DynaQ",
    "DynaQPlus",
    "EpsilonGreedy",
    "LatestOutcome",
    "MaximumLikelihood",
    "Model",
    "Prediction",
    "QLearning",
    "Spaces",
    "Step",
    "StoredExperience",
    "TableValues",
    "TimeBonus",
    "Transitions",
    "UniformPlanning",
]
