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
    from .models.true import TrueModel
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
    from .search.forward_search import ForwardSearch
    from .search.mcts.agent import TreeSearch
    from .search.mcts.continuous import ContinuousTreeSearch
    from .search.mcts.planning import TreeSettings
    from .search.monte_carlo import MonteCarloSearch, MonteCarloSettings
    from .search.sparse_sampling import SparseSampling
    from .search.td_search import Dyna2, TDSearch, TDSettings
    from .search.trajectory_optimisation.agent import TrajectoryOptimisation
    from .search.trajectory_optimisation.planning import TrajectorySettings
    from .values import LinearValues, NetworkValues, TableValues

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
    "CAPABILITIES": ".models",
    "MODELS": ".models",
    "PLANNERS": ".planning",
    "TABLE_MODELS": ".models",
    "ActionTimeBonus": ".exploration",
    "Agent": ".agent",
    "BackwardUpdates": ".planning",
    "ContinuousTreeSearch": ".search.mcts.continuous",
    "CoordinateFeatures": ".core.features",
    "Dyna2": ".search.td_search",
    "DynaQ": ".dyna",
    "DynaQPlus": ".dyna",
    "DynamicProgramming": ".planning",
    "EpsilonGreedy": ".exploration",
    "ForgettingExperience": ".models",
    "ForgettingLatest": ".models",
    "ForgettingLikelihood": ".models",
    "ForwardSearch": ".search.forward_search",
    "Identity": ".core.features",
    "LatestOutcome": ".models",
    "LinearDyna": ".linear.dyna",
    "LinearEvaluation": ".linear.evaluation",
    "LinearValues": ".values",
    "MaximumLikelihood": ".models",
    "Model": ".models",
    "MonteCarloSearch": ".search.monte_carlo",
    "MonteCarloSettings": ".search.monte_carlo",
    "NetworkValues": ".values",
    "OneHotFeatures": ".core.features",
    "Planning": ".planning",
    "Prediction": ".models",
    "PrioritisedSweeping": ".planning",
    "QLearning": ".dyna",
    "RadialBases": ".core.features",
    "RegressionModel": ".models",
    "ScoredModel": ".models",
    "Spaces": ".core.spaces",
    "SparseSampling": ".search.sparse_sampling",
    "Step": ".callbacks",
    "StoredExperience": ".models",
    "StoredVectors": ".models",
    "TDSearch": ".search.td_search",
    "TDSettings": ".search.td_search",
    "TableValues": ".values",
    "TabularAdapter": ".models",
    "TileCoding": ".core.features",
    "TimeBonus": ".models",
    "TrajectoryOptimisation": ".search.trajectory_optimisation.agent",
    "TrajectorySampling": ".planning",
    "TrajectorySettings": ".search.trajectory_optimisation.planning",
    "Transitions": ".core.transitions",
    "TreeSearch": ".search.mcts.agent",
    "TreeSettings": ".search.mcts.planning",
    "TrueModel": ".models.true",
    "UncertaintyBonus": ".models",
    "UniformPlanning": ".planning",
    "UniformUpdates": ".planning",
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
