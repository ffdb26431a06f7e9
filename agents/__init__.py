"""The Dyna family: values, models, planning, exploration, and the agents made of them."""

from __future__ import annotations

from .agent import Agent
from .callbacks import Step
from .dyna import DynaQ, DynaQPlus, QLearning
from .encoders import Vectors
from .exploration import ActionTimeBonus, EpsilonGreedy
from .features import Coordinates, Identity, OneHot, RadialBases, TileCoding
from .linear_dyna import LinearDyna
from .linear_evaluation import LinearEvaluation
from .models import (
    CAPABILITIES,
    MODELS,
    TABLE_MODELS,
    ForgettingExperience,
    ForgettingLatest,
    ForgettingLikelihood,
    LatestOutcome,
    MaximumLikelihood,
    Model,
    OnRows,
    Prediction,
    RegressionModel,
    ScoredModel,
    StoredExperience,
    StoredVectors,
    TimeBonus,
    UncertaintyBonus,
)
from .planning import UniformPlanning
from .spaces import Spaces
from .transitions import Transitions, check_transitions
from .values import TableValues
from .values_linear import LinearValues
from .values_network import NetworkValues

__all__ = [
    "CAPABILITIES",
    "MODELS",
    "TABLE_MODELS",
    "ActionTimeBonus",
    "Agent",
    "Coordinates",
    "DynaQ",
    "DynaQPlus",
    "EpsilonGreedy",
    "ForgettingExperience",
    "ForgettingLatest",
    "ForgettingLikelihood",
    "Identity",
    "LatestOutcome",
    "LinearDyna",
    "LinearEvaluation",
    "LinearValues",
    "MaximumLikelihood",
    "Model",
    "NetworkValues",
    "OnRows",
    "OneHot",
    "Prediction",
    "QLearning",
    "RadialBases",
    "RegressionModel",
    "ScoredModel",
    "Spaces",
    "Step",
    "StoredExperience",
    "StoredVectors",
    "TableValues",
    "TileCoding",
    "TimeBonus",
    "Transitions",
    "UncertaintyBonus",
    "UniformPlanning",
    "Vectors",
    "check_transitions",
]
