"""The Dyna family: values, models, planning, exploration, and the agents made of them."""

from __future__ import annotations

from .agent import Agent
from .callbacks import Step
from .core.encoders import Vectors
from .core.features import Coordinates, Identity, OneHot, RadialBases, TileCoding
from .core.spaces import Spaces
from .core.transitions import Transitions, check_transitions
from .dyna import DynaQ, DynaQPlus, QLearning
from .exploration import ActionTimeBonus, EpsilonGreedy
from .linear.dyna import LinearDyna
from .linear.evaluation import LinearEvaluation
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
from .planning import PLANNERS
from .planning.base import Planning, UniformPlanning
from .planning.certainty_equivalence import DynamicProgramming
from .planning.pair_updates import BackwardUpdates, UniformUpdates
from .planning.prioritised_sweeping import PrioritisedSweeping
from .planning.trajectory_sampling import TrajectorySampling
from .search.dyna_2 import Dyna2
from .search.forward_search import ForwardSearch
from .search.mcts.agent import TreeSearch
from .search.monte_carlo import MonteCarloSearch
from .search.sparse_sampling import SparseSampling
from .search.td_search import TDSearch
from .search.trajectory_optimisation.agent import ContinuousSearch
from .values.linear import LinearValues
from .values.network import NetworkValues
from .values.table import TableValues

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
