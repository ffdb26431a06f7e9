"""The parts of which the golden cases of agents are made, each under a neutral word.

The words on the left are those of the stored keys and stay; what stands on the right follows the
code's names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    Dyna2,
    DynaQ,
    DynaQPlus,
    ForwardSearch,
    LatestOutcome,
    LinearDyna,
    MapExplorer,
    MaximumLikelihood,
    MonteCarloSearch,
    MonteCarloSettings,
    QLearning,
    ScoredModel,
    SparseSampling,
    TDSearch,
    TimeBonus,
    TrajectoryOptimisation,
    TreeSearch,
    TreeSettings,
    TrueModel,
    UncertaintyBonus,
    Vectors,
)
from dynamaze.agents.models import LEARNED_MODELS

MAZE = "S..#\n.#..\n...G\n@ 60\nS#..\n....\n.#.G"
ROOM = "S..\n...\n..G"
STATES, ACTIONS = 12, 4

REWARDS: Any = {"goal_reward": 1.0, "step_reward": -0.05, "wall_reward": -0.2}
"""Each step pays something, so that all values differ from zero soon."""

NAMED = {
    "latest": "latest_outcome",
    "counts": "maximum_likelihood",
    "memory": "stored_experience",
    "latest_forgets": "forgetting_latest_outcome",
    "counts_forget": "forgetting_maximum_likelihood",
    "memory_forgets": "forgetting_stored_experience",
    "lms": "linear",
    "rls": "recursive_linear",
    "bayes": "bayesian_linear",
    "gp": "gaussian_process",
    "dbn": "deep_belief",
    "ensemble": "ensemble",
}
"""Word -> name of a model."""

LEARNED = ("lms", "rls", "bayes", "gp", "dbn", "ensemble")
"""Models that generalise: they also serve vectors."""

NEEDS = {"gp": ("scipy", "threadpoolctl"), "dbn": ("scipy", "threadpoolctl", "torch")}
"""Word -> the libraries that such a part needs beside the core."""
NEEDS["ensemble"] = NEEDS["dbn"]
NEEDS["network"] = ("torch",)


def timed(env: Any) -> Any:
    """Make a model with a bonus for time."""
    return TimeBonus(LatestOutcome(STATES, ACTIONS), STATES, ACTIONS, kappa=0.01)


def unsure(env: Any) -> Any:
    """Make a model with a bonus for uncertainty."""
    return UncertaintyBonus(MaximumLikelihood(STATES, ACTIONS, include_untried=True), weight=0.04)


def scored(env: Any) -> Any:
    """Make a model whose predictions are scored."""
    return ScoredModel(MaximumLikelihood(STATES, ACTIONS, include_untried=True))


def checked(env: Any) -> Any:
    """Make a model whose predictions are scored and compared with counts."""
    return ScoredModel(LatestOutcome(STATES, ACTIONS), count_check=True)


def both(env: Any) -> Any:
    """Make a scored model with a bonus for uncertainty."""
    return UncertaintyBonus(scored(env), weight=0.04)


def scored_learned(env: Any) -> Any:
    """Make a scored model that generalises."""
    vectors = Vectors(env.observation_space)
    return UncertaintyBonus(
        ScoredModel(LEARNED_MODELS["bayesian_linear"].on_rows(vectors, ACTIONS)), weight=0.04
    )


OBJECTS: dict[str, Callable[[Any], Any]] = {
    "timed": timed,
    "unsure": unsure,
    "scored": scored,
    "checked": checked,
    "both": both,
    "scored_bayes": scored_learned,
    "known": TrueModel,
}
"""Word -> function of the environment that makes a model."""

WORLDS = {"true": "true", "copies": "simulator"}
"""Word -> name of a model that is the environment itself; for agents that search."""

PLANNERS = {
    "uniform": "uniform",
    "expected": "uniform_expected",
    "backward": "backward",
    "sweeping": "prioritised_sweeping",
    "trajectories": "trajectory_sampling",
    "solve": "dynamic_programming",
}
"""Word -> name of a planner."""

SEARCHERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "tree": (TreeSearch, {"simulations": 16, "depth": 8}),
    "tree_values": (
        TreeSearch,
        {
            "simulations": 16,
            "depth": 6,
            "settings": TreeSettings(leaf_value="values"),
            "epsilon": 0.2,
        },
    ),
    "forward": (ForwardSearch, {"depth": 4, "epsilon": 0.2}),
    "forward_values": (ForwardSearch, {"depth": 3, "leaf_value": "values", "epsilon": 0.2}),
    "sparse": (SparseSampling, {"width": 2, "depth": 3, "epsilon": 0.2}),
    "sparse_values": (
        SparseSampling,
        {"width": 2, "depth": 2, "leaf_value": "values", "epsilon": 0.2},
    ),
    "rollouts": (MonteCarloSearch, {"simulations": 16, "depth": 8, "epsilon": 0.2}),
    "rollouts_values": (
        MonteCarloSearch,
        {
            "simulations": 16,
            "depth": 5,
            "settings": MonteCarloSettings(policy="values", leaf_value="values"),
            "epsilon": 0.2,
        },
    ),
    "td": (TDSearch, {"simulations": 8, "depth": 10, "epsilon": 0.2}),
    "dyna2": (Dyna2, {"simulations": 8, "depth": 10}),
}
"""Word -> agent that plans at decision time, and its arguments."""

LEARN_TOO = ("tree_values", "forward_values", "sparse_values", "rollouts_values", "dyna2")
"""Agents that plan at decision time, and also learn values from real experience."""

LEARNERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dyna": (DynaQ, {"planning_steps": 5, "learning_rate": 0.5}),
    "plus": (DynaQPlus, {"planning_steps": 5, "learning_rate": 0.5, "kappa": 0.01}),
    "plus_action": (
        DynaQPlus,
        {"planning_steps": 5, "learning_rate": 0.5, "kappa": 0.01, "bonus": "action"},
    ),
}
"""Word -> agent that plans in the background with any model, and its arguments."""

OTHERS = (QLearning, LinearDyna, MapExplorer, TrajectoryOptimisation)
"""Agents with cases of their own."""


def maze() -> gym.Env[Any, Any]:
    """Make the tiny maze of these cases: 12 cells, slips, and a change after 60 steps."""
    return gym.make(
        "DynaMaze-v0", layout=MAZE, slip_probability=0.1, max_episode_steps=30, **REWARDS
    )


def point(action: str = "discrete") -> gym.Env[Any, Any]:
    """Make the tiny continuous maze of these cases."""
    return gym.make(
        "DynaMazeContinuous-v0", layout=ROOM, action=action, max_episode_steps=40, **REWARDS
    )


def model_of(word: str, env: Any) -> Any:
    """Return what the argument `model` of an agent takes, for a neutral word."""
    if word in OBJECTS:
        return OBJECTS[word](env)
    return {**NAMED, **WORLDS}[word]
