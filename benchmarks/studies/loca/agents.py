"""The agents that are held against LoCA: a name, and how to make one for a world and a seed.

All have the discount of the protocol, epsilon 0.1, a learning rate of 0.1 and, where they have one,
an initial value of 4, the largest reward (as van Seijen et al. 2020; it makes them try everything).
Q-learning on the grid has a learning rate of 0.2: with 0.1 it has not learned task A after 50,000
steps, with 0.2 nearly, and after 100,000 it has. Those of tables plan with 50 updates after each
real step, those of a point with 10. The models that are missing (Gaussian process, deep belief
network, ensemble) take milliseconds a step on the grid.
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
QUICK: dict[str, Any] = {**OPTIMISTIC, "learning_rate": 0.2}
TILED: dict[str, Any] = {**OPTIMISTIC, "values": "tile_coding"}


class Entry(NamedTuple):
    """An agent of the comparison."""

    make: Callable[[Any, int], Any]  # called with the world and a seed
    is_slow: bool = False  # it has fewer runs
    is_chosen: bool = False  # it only takes part where it is asked for


def _dyna(model: str) -> Callable[[Any, int], Any]:
    return lambda world, seed: DynaQ(
        world, model=model, planning_steps=GRID_STEPS, seed=seed, **OPTIMISTIC
    )


def _planned(planning: str) -> Callable[[Any, int], Any]:
    """Dyna-Q on a model that counts outcomes."""
    return lambda world, seed: DynaQ(
        world,
        model="maximum_likelihood",
        planning=planning,
        planning_steps=GRID_STEPS,
        seed=seed,
        **OPTIMISTIC,
    )


def _tiled(model: str) -> Callable[[Any, int], Any]:
    return lambda world, seed: DynaQ(
        world, model=model, planning_steps=POINT_STEPS, seed=seed, **TILED
    )


def _linear_dyna(sweep: str, steps: int) -> Callable[[Any, int], Any]:
    return lambda world, seed: LinearDyna(
        world, sweep=sweep, planning_steps=steps, seed=seed, **SHARED
    )


def _dqn(world: Any, seed: int) -> Any:
    """DQN of Stable-Baselines3, which explores as the others do."""
    sb3: Any = optional_import("stable_baselines3", extra="distill", purpose="DQN in this table")
    return sb3.DQN(
        "MlpPolicy",
        world,
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


GRID_AGENTS: dict[str, Entry] = {
    "q_learning": Entry(lambda world, seed: QLearning(world, seed=seed, **QUICK)),
    **{model: Entry(_dyna(model)) for model in TABLE_MODELS},
    **{planning: Entry(_planned(planning)) for planning in PLANNERS if planning != "uniform"},
    "dyna_q_plus": Entry(
        lambda world, seed: DynaQPlus(world, planning_steps=GRID_STEPS, seed=seed, **OPTIMISTIC)
    ),
    "linear": Entry(_dyna("linear"), is_slow=True),
    "recursive_linear": Entry(_dyna("recursive_linear"), is_slow=True, is_chosen=True),
    "bayesian_linear": Entry(_dyna("bayesian_linear"), is_slow=True, is_chosen=True),
    "linear_dyna_random": Entry(_linear_dyna("random", GRID_STEPS), is_slow=True),
    "linear_dyna_pwma": Entry(_linear_dyna("pwma", GRID_STEPS), is_slow=True),
    "linear_dyna_mg": Entry(_linear_dyna("mg", GRID_STEPS), is_slow=True),
    "sb3_dqn": Entry(_dqn, is_slow=True, is_chosen=True),
}
"""Dyna-Q by the name of its model, or of its planner with a model that counts outcomes (with
"uniform" it is "maximum_likelihood"), and the others by their own."""

POINT_AGENTS: dict[str, Entry] = {
    "q_learning": Entry(lambda world, seed: QLearning(world, seed=seed, **TILED)),
    "stored_experience": Entry(_tiled("stored_experience")),
    "linear": Entry(_tiled("linear")),
    "bayesian_linear": Entry(_tiled("bayesian_linear")),
    "linear_dyna": Entry(_linear_dyna("seen", POINT_STEPS)),
    "sb3_dqn": Entry(_dqn, is_slow=True, is_chosen=True),
}
"""Agents whose values are linear in tiles, and DQN."""

AGENTS = {"grid": GRID_AGENTS, "continuous": POINT_AGENTS}
