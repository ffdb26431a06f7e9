"""The Dyna family: values, models, planning, exploration, and the agents made of them."""

from __future__ import annotations

from .agent import Agent
from .callbacks import Step
from .certainty_equivalence import DynamicProgramming
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
from .pair_updates import BackwardUpdates, UniformUpdates
from .planners import PLANNERS
from .planning import Planning, UniformPlanning
from .prioritised_sweeping import PrioritisedSweeping
from .spaces import Spaces
from .trajectory_sampling import TrajectorySampling
from .transitions import Transitions, check_transitions
from .values import TableValues
from .values_linear import LinearValues
from .values_network import NetworkValues

__all__ = [
    "CAPABILITIES",
    "MODELS",
    "PLANNERS",
    "TABLE_MODELS",
    "ActionTimeBonus",
    "Agent",
    "BackwardUpdates",
    "Coordinates",
    "DynaQ",
    "DynaQPlus",
    "DynamicProgramming",
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
    "Planning",
    "Prediction",
    "PrioritisedSweeping",
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
    "TrajectorySampling",
    "Transitions",
    "UncertaintyBonus",
    "UniformPlanning",
    "UniformUpdates",
    "Vectors",
    "check_transitions",
]
