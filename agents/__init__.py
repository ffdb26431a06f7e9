"""Agents of the Dyna family, and their parts: values, models, planning and exploration.

Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_package

if TYPE_CHECKING:  # type checkers do not see what is imported on first use
    from .agent import Agent as Agent
    from .callbacks import Step as Step
    from .core.encoders import Vectors as Vectors
    from .core.features import CoordinateFeatures as CoordinateFeatures
    from .core.features import Identity as Identity
    from .core.features import OneHotFeatures as OneHotFeatures
    from .core.features import RadialBases as RadialBases
    from .core.features import TileCoding as TileCoding
    from .core.spaces import Spaces as Spaces
    from .core.transitions import Transitions as Transitions
    from .core.transitions import check_transitions as check_transitions
    from .dyna import DynaQ as DynaQ
    from .dyna import DynaQPlus as DynaQPlus
    from .dyna import QLearning as QLearning
    from .exploration import ActionTimeBonus as ActionTimeBonus
    from .exploration import EpsilonGreedy as EpsilonGreedy
    from .linear.dyna import LinearDyna as LinearDyna
    from .linear.evaluation import LinearEvaluation as LinearEvaluation
    from .mapping.agent import MapExplorer as MapExplorer
    from .models.bonus import TimeBonus as TimeBonus
    from .models.bonus import UncertaintyBonus as UncertaintyBonus
    from .models.latest import ForgettingLatest as ForgettingLatest
    from .models.latest import LatestOutcome as LatestOutcome
    from .models.likelihood import ForgettingLikelihood as ForgettingLikelihood
    from .models.likelihood import MaximumLikelihood as MaximumLikelihood
    from .models.protocol import CAPABILITIES as CAPABILITIES
    from .models.protocol import Model as Model
    from .models.protocol import Prediction as Prediction
    from .models.registry import MODELS as MODELS
    from .models.registry import TABLE_MODELS as TABLE_MODELS
    from .models.regression import RegressionModel as RegressionModel
    from .models.scored import ScoredModel as ScoredModel
    from .models.stored import ForgettingExperience as ForgettingExperience
    from .models.stored import StoredExperience as StoredExperience
    from .models.tabular_adapter import TabularAdapter as TabularAdapter
    from .models.true import TrueModel as TrueModel
    from .models.vector_memory import StoredVectors as StoredVectors
    from .planning.base import Planning as Planning
    from .planning.certainty_equivalence import DynamicProgramming as DynamicProgramming
    from .planning.pair_updates import BackwardUpdates as BackwardUpdates
    from .planning.pair_updates import UniformUpdates as UniformUpdates
    from .planning.prioritised_sweeping import PrioritisedSweeping as PrioritisedSweeping
    from .planning.registry import PLANNERS as PLANNERS
    from .planning.trajectory_sampling import TrajectorySampling as TrajectorySampling
    from .planning.uniform import UniformPlanning as UniformPlanning
    from .search.forward_search import ForwardSearch as ForwardSearch
    from .search.mcts.agent import TreeSearch as TreeSearch
    from .search.mcts.agent import TreeSettings as TreeSettings
    from .search.mcts.continuous import ContinuousTreeSearch as ContinuousTreeSearch
    from .search.monte_carlo import MonteCarloSearch as MonteCarloSearch
    from .search.monte_carlo import MonteCarloSettings as MonteCarloSettings
    from .search.sparse_sampling import SparseSampling as SparseSampling
    from .search.td_search import Dyna2 as Dyna2
    from .search.td_search import TDSearch as TDSearch
    from .search.td_search import TDSettings as TDSettings
    from .search.trajectory_optimisation.agent import (
        TrajectoryOptimisation as TrajectoryOptimisation,
    )
    from .search.trajectory_optimisation.planning import TrajectorySettings as TrajectorySettings
    from .values.linear import LinearValues as LinearValues
    from .values.network import NetworkValues as NetworkValues
    from .values.table import TableValues as TableValues

_RENAMED = {
    "ContinuousSearch": "TrajectoryOptimisation",
    "Coordinates": "CoordinateFeatures",
    "OnRows": "TabularAdapter",
    "OneHot": "OneHotFeatures",
}
"""Name in version 0.1 -> name of today."""

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
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
        "MapExplorer": ".mapping.agent",
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
        "TreeSettings": ".search.mcts.agent",
        "TrueModel": ".models.true",
        "UncertaintyBonus": ".models.bonus",
        "UniformPlanning": ".planning.uniform",
        "UniformUpdates": ".planning.pair_updates",
        "Vectors": ".core.encoders",
        "check_transitions": ".core.transitions",
    },
    renamed=_RENAMED,
)
