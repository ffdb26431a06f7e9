"""Agents of the Dyna family, and their parts: values, models, planning and exploration.

Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_exports

if TYPE_CHECKING:  # type checkers read what is imported on first use
    from .agent import Agent
    from .callbacks import Step
    from .core.encoders import Vectors
    from .core.features import CoordinateFeatures, Identity, OneHotFeatures, RadialBases, TileCoding
    from .core.spaces import Spaces
    from .core.transitions import Transitions, check_transitions
    from .dyna import DynaQ, DynaQPlus, QLearning
    from .exploration import ActionTimeBonus, EpsilonGreedy
    from .linear.dyna import LinearDyna
    from .linear.evaluation import LinearEvaluation
    from .models.bonus import TimeBonus, UncertaintyBonus
    from .models.latest import ForgettingLatest, LatestOutcome
    from .models.likelihood import ForgettingLikelihood, MaximumLikelihood
    from .models.protocol import CAPABILITIES, Model, Prediction
    from .models.registry import MODELS, TABLE_MODELS
    from .models.regression import RegressionModel
    from .models.scored import ScoredModel
    from .models.stored import ForgettingExperience, StoredExperience
    from .models.tabular_adapter import TabularAdapter
    from .models.true import TrueModel
    from .models.vector_memory import StoredVectors
    from .planning.base import Planning
    from .planning.certainty_equivalence import DynamicProgramming
    from .planning.pair_updates import BackwardUpdates, UniformUpdates
    from .planning.prioritised_sweeping import PrioritisedSweeping
    from .planning.registry import PLANNERS
    from .planning.trajectory_sampling import TrajectorySampling
    from .planning.uniform import UniformPlanning
    from .search.forward_search import ForwardSearch
    from .search.mcts.agent import TreeSearch
    from .search.mcts.continuous import ContinuousTreeSearch
    from .search.mcts.planning import TreeSettings
    from .search.monte_carlo import MonteCarloSearch, MonteCarloSettings
    from .search.sparse_sampling import SparseSampling
    from .search.td_search import Dyna2, TDSearch, TDSettings
    from .search.trajectory_optimisation.agent import TrajectoryOptimisation
    from .search.trajectory_optimisation.planning import TrajectorySettings
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

_LAZY = {
    "CAPABILITIES": ".models.protocol",
    "MODELS": ".models.registry",
    "PLANNERS": ".planning.registry",
    "TABLE_MODELS": ".models.registry",
    "ActionTimeBonus": ".exploration",
    "Agent": ".agent",
    "BackwardUpdates": ".planning.pair_updates",
    "ContinuousTreeSearch": ".search.mcts.continuous",
    "CoordinateFeatures": ".core.features",
    "Dyna2": ".search.td_search",
    "DynaQ": ".dyna",
    "DynaQPlus": ".dyna",
    "DynamicProgramming": ".planning.certainty_equivalence",
    "EpsilonGreedy": ".exploration",
    "ForgettingExperience": ".models.stored",
    "ForgettingLatest": ".models.latest",
    "ForgettingLikelihood": ".models.likelihood",
    "ForwardSearch": ".search.forward_search",
    "Identity": ".core.features",
    "LatestOutcome": ".models.latest",
    "LinearDyna": ".linear.dyna",
    "LinearEvaluation": ".linear.evaluation",
    "LinearValues": ".values.linear",
    "MaximumLikelihood": ".models.likelihood",
    "Model": ".models.protocol",
    "MonteCarloSearch": ".search.monte_carlo",
    "MonteCarloSettings": ".search.monte_carlo",
    "NetworkValues": ".values.network",
    "OneHotFeatures": ".core.features",
    "Planning": ".planning.base",
    "Prediction": ".models.protocol",
    "PrioritisedSweeping": ".planning.prioritised_sweeping",
    "QLearning": ".dyna",
    "RadialBases": ".core.features",
    "RegressionModel": ".models.regression",
    "ScoredModel": ".models.scored",
    "Spaces": ".core.spaces",
    "SparseSampling": ".search.sparse_sampling",
    "Step": ".callbacks",
    "StoredExperience": ".models.stored",
    "StoredVectors": ".models.vector_memory",
    "TDSearch": ".search.td_search",
    "TDSettings": ".search.td_search",
    "TableValues": ".values.table",
    "TabularAdapter": ".models.tabular_adapter",
    "TileCoding": ".core.features",
    "TimeBonus": ".models.bonus",
    "TrajectoryOptimisation": ".search.trajectory_optimisation.agent",
    "TrajectorySampling": ".planning.trajectory_sampling",
    "TrajectorySettings": ".search.trajectory_optimisation.planning",
    "Transitions": ".core.transitions",
    "TreeSearch": ".search.mcts.agent",
    "TreeSettings": ".search.mcts.planning",
    "TrueModel": ".models.true",
    "UncertaintyBonus": ".models.bonus",
    "UniformPlanning": ".planning.uniform",
    "UniformUpdates": ".planning.pair_updates",
    "Vectors": ".core.encoders",
    "check_transitions": ".core.transitions",
}
"""Name -> module that is imported when the name is first used."""

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
