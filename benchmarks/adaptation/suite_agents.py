"""Agents of the adaptation suite, with the same settings in all environments.

Agents with a learning rate have 0.5, those that explore at random epsilon 0.1, those that plan 50
updates or simulations for each real step, and all the discount of the setting. Optimistic agents
act greedily: every pair counts as worth 1 until it is tried, which no reward of a maze exceeds (of
LoCA and Taxi one does). Where observations are vectors, action values are linear in tile-coded
features, and agents that need a table cannot serve.

The oracle sees the maze, and the expert is told its geometry; beside them must stand that the
others are told neither.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium import spaces

from dynamaze.agents import DynaQ, DynaQPlus, MapExplorer, QLearning, TreeSearch
from dynamaze.agents.search.mcts import TreeSettings
from dynamaze.benchmarks.adaptation.agents import Oracle
from dynamaze.benchmarks.harness.agent_runs.resolver import RandomAgent
from dynamaze.common.optional_imports import optional_import

LEARNING: dict[str, Any] = {"learning_rate": 0.5, "epsilon": 0.1}
PLANNING: dict[str, Any] = {**LEARNING, "planning_steps": 50}
GREEDY: dict[str, Any] = {"learning_rate": 0.5, "epsilon": 0.0}
OPTIMISTIC: dict[str, Any] = {**GREEDY, "initial_value": 1.0}
TILED: dict[str, Any] = {"values": "tile_coding", "initial_value": 0.5}

RANDOM, EXPERT, ORACLE = "random", "expert", "oracle"


class SuiteAgent(NamedTuple):
    """An agent of the suite."""

    label: str
    make: Callable[..., Any]  # called as `make(env, seed=int, gamma=float)`
    is_slow: bool = False  # milliseconds a step: only with `--slow`, and fewer runs
    told: str = ""  # what it knows that the others do not
    observation: Any = None  # what it observes, where that is not the setting's

    def factory(self, gamma: float) -> Callable[..., Any]:
        """Return the factory of a setting's discount, called as `factory(env, seed=int)`."""
        return partial(self.make, gamma=gamma)


def _without_gamma(
    kind: Callable[..., Any], env: gym.Env[Any, Any], *, seed: int, gamma: float
) -> Any:
    """Make an agent that has no discount."""
    return kind(env, seed=seed)


def _make(
    kind: Callable[..., Any],
    env: gym.Env[Any, Any],
    *,
    seed: int,
    gamma: float,
    **arguments: Any,
) -> Any:
    """Make an agent whose values are a table, or tile-coded where observations are vectors."""
    if isinstance(env.observation_space, spaces.Box) and kind is not DynaQPlus:
        arguments = {**arguments, **TILED}
    return kind(env, seed=seed, gamma=gamma, **arguments)


def _sb3(name: str, env: gym.Env[Any, Any], *, seed: int, gamma: float, **arguments: Any) -> Any:
    """Make an algorithm of Stable-Baselines3 with its own settings, on the CPU."""
    sb3: Any = optional_import("stable_baselines3", extra="distill", purpose=name)
    return getattr(sb3, name)("MlpPolicy", env, seed=seed, gamma=gamma, device="cpu", **arguments)


class DynaDQN:
    """DQN of Stable-Baselines3 that also learns from a model: Dyna on DQN.

    Args:
        env: the environment.
        seed: of the algorithm and the model.
        gamma: discount.
    """

    def __init__(self, env: gym.Env[Any, Any], *, seed: int, gamma: float) -> None:
        from dynamaze.agents.sb3 import DynaCallback

        self._algorithm = _sb3("DQN", env, seed=seed, gamma=gamma, **DQN)
        self._callback = DynaCallback("linear", real_ratio=0.1, rollout_length=4, seed=seed)

    def learn(self, total_timesteps: int) -> None:
        """Learn for a number of steps."""
        self._algorithm.learn(total_timesteps, callback=self._callback)

    def predict(self, observation: Any, **arguments: Any) -> Any:
        """Return an action and no state."""
        return self._algorithm.predict(observation, **arguments)


DQN: dict[str, Any] = {
    "learning_starts": 200,
    "train_freq": 4,
    "gradient_steps": 4,
    "target_update_interval": 200,
    "exploration_initial_eps": 0.1,
    "exploration_final_eps": 0.1,
}
"""Settings of DQN for runs of a few thousand steps; the others are those of the library."""


def _with_model(model: str) -> Callable[..., Any]:
    return partial(_make, DynaQ, model=model, **PLANNING)


SUITE_AGENTS = {
    RANDOM: SuiteAgent("random", partial(_without_gamma, RandomAgent)),
    "q_learning": SuiteAgent("Q-learning", partial(_make, QLearning, **LEARNING)),
    "dyna_q": SuiteAgent("Dyna-Q", partial(_make, DynaQ, **PLANNING)),
    "dyna_q_plus": SuiteAgent("Dyna-Q+", partial(_make, DynaQPlus, kappa=1e-3, **PLANNING)),
    "prioritised_sweeping": SuiteAgent(
        "prioritised sweeping, optimistic",
        partial(_make, DynaQ, planning="prioritised_sweeping", planning_steps=50, **OPTIMISTIC),
    ),
    "dynamic_programming": SuiteAgent(
        "certainty equivalence, optimistic",
        partial(_make, DynaQ, planning="dynamic_programming", **OPTIMISTIC),
    ),
    **{
        model: SuiteAgent(f"Dyna-Q, {model.replace('_', ' ')}", _with_model(model), slow)
        for model, slow in {
            "maximum_likelihood": False,
            "stored_experience": False,
            "forgetting_latest_outcome": False,
            "forgetting_maximum_likelihood": False,
            "forgetting_stored_experience": False,
            "linear": True,
            "recursive_linear": True,
            "bayesian_linear": True,
            "gaussian_process": True,
            "deep_belief": True,
            "ensemble": True,
        }.items()
    },
    "tree_search": SuiteAgent(
        "tree search on a learned model",
        partial(
            _make,
            TreeSearch,
            model="latest_outcome",
            simulations=50,
            depth=20,
            settings=TreeSettings(first_play_urgency=1.0),
            **GREEDY,
        ),
    ),
    "dqn": SuiteAgent("DQN (SB3)", partial(_sb3, "DQN", **DQN), is_slow=True),
    "ppo": SuiteAgent("PPO (SB3)", partial(_sb3, "PPO", n_steps=128), is_slow=True),
    "dyna_dqn": SuiteAgent("Dyna on DQN (SB3)", DynaDQN, is_slow=True),
    EXPERT: SuiteAgent(
        "expert (MapExplorer)", partial(_without_gamma, MapExplorer), told="the grid's geometry"
    ),
    ORACLE: SuiteAgent("oracle", Oracle, told="the maze as it is"),
}
"""Agents by their names in the stored tables, in the order of the tables."""
