"""Agents that plan at decision time, on a model or on copies of the environment."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "ContinuousTreeSearch": ".mcts.continuous",
        "Dyna2": ".td_search",
        "EnvCopies": ".env_copies",
        "ForwardSearch": ".forward_search",
        "MonteCarloSearch": ".monte_carlo",
        "MonteCarloSettings": ".monte_carlo",
        "SparseSampling": ".sparse_sampling",
        "TDSearch": ".td_search",
        "TDSettings": ".td_search",
        "TrajectoryOptimisation": ".trajectory_optimisation.agent",
        "TrajectorySettings": ".trajectory_optimisation.planning",
        "TreeSearch": ".mcts.agent",
        "TreeSettings": ".mcts.agent",
        "make_simulator": ".simulators",
    },
)
