"""Agents of the Dyna family, and their parts: values, models, planning and exploration.

The search agents and Linear Dyna are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_exports

from .agent import Agent
from .callbacks import Step
from .core.encoders import Vectors
from .core.features import CoordinateFeatures, Identity, OneHotFeatures, RadialBases, TileCoding
from .core.spaces import Spaces
from .core.transitions import Transitions, check_transitions
from .dyna import DynaQ, DynaQPlus, QLearning
from .exploration import ActionTimeBonus, EpsilonGreedy
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
    Prediction,
    RegressionModel,
    ScoredModel,
    StoredExperience,
    StoredVectors,
    TabularAdapter,
    TimeBonus,
    UncertaintyBonus,
)
from .planning import (
    PLANNERS,
    BackwardUpdates,
    DynamicProgramming,
    Planning,
    PrioritisedSweeping,
    TrajectorySampling,
    UniformPlanning,
    UniformUpdates,
)
from .values.table import TableValues

if TYPE_CHECKING:  # type checkers read what is imported on first use
    from .linear.dyna import LinearDyna
    from .linear.evaluation import LinearEvaluation
    from .models.true import TrueModel
    from .search.forward_search import ForwardSearch
    from .search.mcts.agent import TreeSearch, TreeSettings
    from .search.mcts.continuous import ContinuousTreeSearch
    from .search.monte_carlo import MonteCarloSearch, MonteCarloSettings
    from .search.sparse_sampling import SparseSampling
    from .search.td_search import Dyna2, TDSearch, TDSettings
    from .search.trajectory_optimisation.agent import TrajectoryOptimisation
    from .search.trajectory_optimisation.planning import TrajectorySettings
    from .values.linear import LinearValues
    from .values.network import NetworkValues

_LAZY = {
    "ContinuousTreeSearch": ".search.mcts.continuous",
    "Dyna2": ".search.td_search",
    "ForwardSearch": ".search.forward_search",
    "LinearDyna": ".linear.dyna",
    "LinearEvaluation": ".linear.evaluation",
    "LinearValues": ".values.linear",
    "MonteCarloSearch": ".search.monte_carlo",
    "MonteCarloSettings": ".search.monte_carlo",
    "NetworkValues": ".values.network",
    "SparseSampling": ".search.sparse_sampling",
    "TDSearch": ".search.td_search",
    "TDSettings": ".search.td_search",
    "TrajectoryOptimisation": ".search.trajectory_optimisation.agent",
    "TrajectorySettings": ".search.trajectory_optimisation.planning",
    "TreeSearch": ".search.mcts.agent",
    "TreeSettings": ".search.mcts.agent",
    "TrueModel": ".models.true",
}
"""Name -> module that is imported when the name is first used."""

__all__ = [
    "CAPABILITIES",
    "MODELS",
    "PLANNERS",
    "TABLE_MODELS",
    "ActionTimeBonus",
    "Agent",
    "BackwardUpdates",
    "ContinuousTreeSearch",
    "CoordinateFeatures",
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
    "MonteCarloSettings",
    "NetworkValues",
    "OneHotFeatures",
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
    "TDSettings",
    "TableValues",
    "TabularAdapter",
    "TileCoding",
    "TimeBonus",
    "TrajectoryOptimisation",
    "TrajectorySampling",
    "TrajectorySettings",
    "Transitions",
    "TreeSearch",
    "TreeSettings",
    "TrueModel",
    "UncertaintyBonus",
    "UniformPlanning",
    "UniformUpdates",
    "Vectors",
    "check_transitions",
]

_RENAMED = {
    "ContinuousSearch": "TrajectoryOptimisation",
    "Coordinates": "CoordinateFeatures",
    "OnRows": "TabularAdapter",
    "OneHot": "OneHotFeatures",
}
"""Name in version 0.1 -> name of today."""

__getattr__ = lazy_exports(__name__, _LAZY, renamed=_RENAMED)


def __dir__() -> list[str]:
    return __all__
