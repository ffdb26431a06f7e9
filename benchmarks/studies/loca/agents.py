"""Agents of the LoCA comparison by name.

All have the discount of the protocol, epsilon 0.1, a learning rate of 0.1 and, where they have one,
an initial value of 4, the largest reward (van Seijen et al. 2020), which is optimistic. Tabular
agents plan with 50 updates after each real step, those of a point with 10. Gaussian process, deep
belief network and ensemble are missing: they take milliseconds a step on the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dynamaze.agents import PLANNERS, TABLE_MODELS, DynaQ, DynaQPlus, LinearDyna, QLearning
from dynamaze.common.optional_imports import optional_import
from dynamaze.envs.loca.tasks import GAMMA

GRID_STEPS, POINT_STEPS = 50, 10

SHARED: dict[str, Any] = {"gamma": GAMMA, "epsilon": 0.1, "learning_rate": 0.1}
OPTIMISTIC: dict[str, Any] = {**SHARED, "initial_value": 4.0}
# Q-learning on the grid: with 0.1 it has not learned task A after 50,000 steps, with 0.2 nearly,
# and after 100,000 it has.
QUICK: dict[str, Any] = {**OPTIMISTIC, "learning_rate": 0.2}
TILED: dict[str, Any] = {**OPTIMISTIC, "values": "tile_coding"}


class LoCAAgent(NamedTuple):
    """An agent of the comparison."""

    make: Callable[[Any, int], Any]  # called with the environment and a seed
    is_slow: bool = False  # it has fewer runs
    is_optional: bool = False  # only included if named


def _dyna(model: str) -> Callable[[Any, int], Any]:
    return lambda env, seed: DynaQ(
        env, model=model, planning_steps=GRID_STEPS, seed=seed, **OPTIMISTIC
    )


def _planned(planning: str) -> Callable[[Any, int], Any]:
    """Return a function that makes Dyna-Q with a maximum-likelihood model and a planner."""
    return lambda env, seed: DynaQ(
        env,
        model="maximum_likelihood",
        planning=planning,
        planning_steps=GRID_STEPS,
        seed=seed,
        **OPTIMISTIC,
    )


def _tiled(model: str) -> Callable[[Any, int], Any]:
    return lambda env, seed: DynaQ(env, model=model, planning_steps=POINT_STEPS, seed=seed, **TILED)


def _linear_dyna(sweep: str, steps: int) -> Callable[[Any, int], Any]:
    return lambda env, seed: LinearDyna(env, sweep=sweep, planning_steps=steps, seed=seed, **SHARED)


def _dqn(env: Any, seed: int) -> Any:
    """Return DQN of Stable-Baselines3, with the exploration of the other agents."""
    sb3: Any = optional_import("stable_baselines3", extra="distill", purpose="DQN in this table")
    return sb3.DQN(
        "MlpPolicy",
        env,
        gamma=GAMMA,
        learning_rate=1e-3,
        learning_starts=500,
        buffer_size=50_000,
        target_update_interval=200,
        exploration_initial_eps=0.1,
        exploration_final_eps=0.1,
        seed=seed,
        device="cpu",
    )


GRID_AGENTS: dict[str, LoCAAgent] = {
    "q_learning": LoCAAgent(lambda env, seed: QLearning(env, seed=seed, **QUICK)),
    **{model: LoCAAgent(_dyna(model)) for model in TABLE_MODELS},
    **{planning: LoCAAgent(_planned(planning)) for planning in PLANNERS if planning != "uniform"},
    "dyna_q_plus": LoCAAgent(
        lambda env, seed: DynaQPlus(env, planning_steps=GRID_STEPS, seed=seed, **OPTIMISTIC)
    ),
    "linear": LoCAAgent(_dyna("linear"), is_slow=True),
    "recursive_linear": LoCAAgent(_dyna("recursive_linear"), is_slow=True, is_optional=True),
    "bayesian_linear": LoCAAgent(_dyna("bayesian_linear"), is_slow=True, is_optional=True),
    "linear_dyna_random": LoCAAgent(_linear_dyna("random", GRID_STEPS), is_slow=True),
    "linear_dyna_pwma": LoCAAgent(_linear_dyna("pwma", GRID_STEPS), is_slow=True),
    "linear_dyna_mg": LoCAAgent(_linear_dyna("mg", GRID_STEPS), is_slow=True),
    "sb3_dqn": LoCAAgent(_dqn, is_slow=True, is_optional=True),
}
"""Dyna-Q by the name of its model, or of its planner with the maximum-likelihood model (with
"uniform" it is "maximum_likelihood"), and the others by their own."""

POINT_AGENTS: dict[str, LoCAAgent] = {
    "q_learning": LoCAAgent(lambda env, seed: QLearning(env, seed=seed, **TILED)),
    "stored_experience": LoCAAgent(_tiled("stored_experience")),
    "linear": LoCAAgent(_tiled("linear")),
    "bayesian_linear": LoCAAgent(_tiled("bayesian_linear")),
    "linear_dyna": LoCAAgent(_linear_dyna("seen", POINT_STEPS)),
    "sb3_dqn": LoCAAgent(_dqn, is_slow=True, is_optional=True),
}
"""Agents with linear values in tile coding, and DQN."""

AGENTS = {"grid": GRID_AGENTS, "continuous": POINT_AGENTS}
