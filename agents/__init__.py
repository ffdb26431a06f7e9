"""The Dyna family: values, models, planning, exploration, and the agents made of them."""

from __future__ import annotations

from .agent import Agent
from .callbacks import Step
from .certainty_equivalence import DynamicProgramming
from .continuous_search import ContinuousSearch
from .dyna import DynaQ, DynaQPlus, QLearning
from .dyna_2 import Dyna2
from .encoders import Vectors
from .exploration import ActionTimeBonus, EpsilonGreedy
from .features import Coordinates, Identity, OneHot, RadialBases, TileCoding
from .forward_search import ForwardSearch
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
from .models.true import TrueModel
from .monte_carlo_search import MonteCarloSearch
from .pair_updates import BackwardUpdates, UniformUpdates
from .planners import PLANNERS
from .planning import Planning, UniformPlanning
from .prioritised_sweeping import PrioritisedSweeping
from .spaces import Spaces
from .sparse_sampling import SparseSampling
from .td_search import TDSearch
from .trajectory_sampling import TrajectorySampling
from .transitions import Transitions, check_transitions
from .tree_search import TreeSearch
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
    "ContinuousSearch",
    "Coordinates",
    "Dyna2",
    "DynaQ",
    "DynaQPlus",
    "DynamicProgramming",
    "EpsilonGreedy",
    "ForgettingExperience",
    "ForgettingLatest",
    "ForgettingLikelihood",
    "ForwardSearch",
    "Identity",
    "LatestOutcome",
    "LinearDyna",
    "LinearEvaluation",
    "LinearValues",
    "MaximumLikelihood",
    "Model",
    "MonteCarloSearch",
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
    "SparseSampling",
    "Step",
    "StoredExperience",
    "StoredVectors",
    "TDSearch",
    "TableValues",
    "TileCoding",
    "TimeBonus",
    "TrajectorySampling",
    "Transitions",
    "TreeSearch",
    "TrueModel",
    "UncertaintyBonus",
    "UniformPlanning",
    "UniformUpdates",
    "Vectors",
    "check_transitions",
]
