"""Agents of the adaptation suite, with the same settings in all environments.

Agents with a learning rate have 0.5, those that explore at random epsilon 0.1, those that plan 50
updates or simulations for each real step, and all the discount of the setting. Optimistic agents
act greedily: every pair counts as worth 1 until it is tried, which no reward of a maze exceeds (of
LoCA and Taxi one does). Where observations are vectors, action values are linear in tile-coded
features, and agents that need a table cannot serve.

The oracle sees the maze, the expert is told its geometry, and the built-in student was distilled
from that expert; beside them must stand that the others are told neither. The student learns by its
map alone: its weights are frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from dynamaze.agents import DynaQ, DynaQPlus, MapExplorer, QLearning, TreeSearch
from dynamaze.agents.search.mcts import TreeSettings
from dynamaze.benchmarks.adaptation.agent_factories import (
    DQN,
    DynaDQN,
    sb3_algorithm,
    with_values,
    without_gamma,
)
from dynamaze.benchmarks.adaptation.agents import Oracle
from dynamaze.benchmarks.adaptation.suite_runs import RunAgent
from dynamaze.benchmarks.harness.agent_runs.resolver import RandomAgent, StoredAgent

LEARNING: dict[str, Any] = {"learning_rate": 0.5, "epsilon": 0.1}
PLANNING: dict[str, Any] = {**LEARNING, "planning_steps": 50}
GREEDY: dict[str, Any] = {"learning_rate": 0.5, "epsilon": 0.0}
OPTIMISTIC: dict[str, Any] = {**GREEDY, "initial_value": 1.0}

RANDOM, STUDENT, EXPERT, ORACLE = "random", "student", "expert", "oracle"

TUNED = "_tuned"
"""End of the name of an agent with tuned arguments."""


class SuiteAgent(NamedTuple):
    """An agent of the suite."""

    label: str
    make: Callable[..., Any]  # called as `make(env, seed=int, gamma=float)`
    is_slow: bool = False  # milliseconds a step: only with `--slow`, and fewer runs
    told: str = ""  # what it knows that the others do not
    observation: Any = None  # what it observes, where that is not the setting's

    def for_run(self, name: str, gamma: float, **arguments: Any) -> RunAgent:
        """Return the agent under a name, with the discount of a setting.

        Args:
            name: in the tables.
            gamma: the discount.
            **arguments: that differ from its own.
        """
        return RunAgent(name, partial(self.make, gamma=gamma, **arguments), self.observation)


def _with_model(model: str) -> Callable[..., Any]:
    return partial(with_values, DynaQ, model=model, **PLANNING)


SUITE_AGENTS = {
    RANDOM: SuiteAgent("random", partial(without_gamma, RandomAgent)),
    "q_learning": SuiteAgent("Q-learning", partial(with_values, QLearning, **LEARNING)),
    "dyna_q": SuiteAgent("Dyna-Q", partial(with_values, DynaQ, **PLANNING)),
    "dyna_q_plus": SuiteAgent("Dyna-Q+", partial(with_values, DynaQPlus, kappa=1e-3, **PLANNING)),
    "prioritised_sweeping": SuiteAgent(
        "prioritised sweeping, optimistic",
        partial(
            with_values, DynaQ, planning="prioritised_sweeping", planning_steps=50, **OPTIMISTIC
        ),
    ),
    "dynamic_programming": SuiteAgent(
        "certainty equivalence, optimistic",
        partial(with_values, DynaQ, planning="dynamic_programming", **OPTIMISTIC),
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
            with_values,
            TreeSearch,
            model="latest_outcome",
            simulations=50,
            depth=20,
            settings=TreeSettings(first_play_urgency=1.0),
            **GREEDY,
        ),
    ),
    "dqn": SuiteAgent("DQN (SB3)", partial(sb3_algorithm, "DQN", **DQN), is_slow=True),
    "ppo": SuiteAgent("PPO (SB3)", partial(sb3_algorithm, "PPO", n_steps=128), is_slow=True),
    "dyna_dqn": SuiteAgent("Dyna on DQN (SB3)", DynaDQN, is_slow=True),
    STUDENT: SuiteAgent(
        "student with a map (built-in)",
        partial(without_gamma, StoredAgent.of("builtin:map_value_iteration")),
        told="the grid's shape; frozen weights, trained in other mazes that change",
    ),
    EXPERT: SuiteAgent(
        "expert (MapExplorer)", partial(without_gamma, MapExplorer), told="the grid's geometry"
    ),
    ORACLE: SuiteAgent("oracle", Oracle, told="the maze as it is"),
}
"""Agents by their names in the stored tables, in the order of the tables."""
