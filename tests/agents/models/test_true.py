"""The exact model of an environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import DynaQ, MaximumLikelihood, Spaces, TimeBonus
from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models.true import TrueModel
from dynamaze.agents.planning.dynamic_programming import value_iteration

WORLDS = {
    "DynaMaze-v0": {},
    "DynaMazeBlocking-v0": {"slip_probability": 0.3},
    "FrozenLake-v1": {},
    "CliffWalking-v1": {},
    "Taxi-v4": {},
}


def own_mdp(env: gym.Env[Any, Any]) -> SparseMDP:
    base: Any = env.unwrapped
    if hasattr(base, "mdp"):
        return SparseMDP.of(*base.mdp[:4])
    return SparseMDP.of_toy_text(base.P)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_distribution_equals_mdp(name: str) -> None:
    env = gym.make(name, **WORLDS[name])
    model = TrueModel(env)
    values = np.random.default_rng(0).normal(size=model.num_states)
    np.testing.assert_allclose(
        SparseMDP.of_model(model).backup(values, 0.9), own_mdp(env).backup(values, 0.9), atol=1e-12
    )


def test_update_changes_nothing() -> None:
    env = gym.make("FrozenLake-v1")
    model = TrueModel(env)
    before = model.get_state()
    agent = DynaQ(env, model=model, planning="trajectory_sampling", seed=0).learn(300)
    np.testing.assert_equal(model.get_state(), before)
    agent.model.sample(50, np.random.default_rng(0))
    from dynamaze.agents.models.table import update_batch

    one = one_transition(0, 0, 5.0, 3, False)
    assert update_batch(model.table, 16, 4, one) == -1
    np.testing.assert_equal(model.get_state(), before)


@pytest.mark.parametrize("planning", ["uniform_expected", "uniform"])
def test_background_planners_use_true_model(planning: str) -> None:
    """The path to the goal is known without a single real reward."""
    env = gym.make("DynaMaze-v0")
    agent = DynaQ(env, model=TrueModel(env), planning=planning, planning_steps=60, seed=0)
    agent = agent.learn(1500)
    truth = env.unwrapped.optimal_values(0.95)  # type: ignore[attr-defined]
    start = 18
    assert agent.values.values(np.array([start])).max() == pytest.approx(truth[start], abs=1e-3)


def test_samples_follow_probabilities() -> None:
    model = TrueModel(gym.make("FrozenLake-v1"))
    drawn = model.sample(60_000, np.random.Generator(np.random.SFC64(0)))
    here = (drawn.observation == 14) & (drawn.action == 2)  # beside the goal
    n = int(here.sum())
    # 64 pairs share the draws; five standard deviations: a false alarm in a million.
    assert abs(n - 60_000 / 64) < 5 * np.sqrt(60_000 / 64)
    reached = drawn.terminated[here].mean()
    assert abs(reached - 1 / 3) < 5 * np.sqrt(2 / 9 / n)


def test_changes_noticed_immediately() -> None:
    env: Any = gym.make("DynaMazeBlocking-v0")
    env.reset(seed=0)
    model = TrueModel(env)
    seen = [model.version]
    for step in (1000, 0):
        env.unwrapped.world_step = step
        np.testing.assert_allclose(
            value_iteration(SparseMDP.of_model(model), 0.9).values,
            env.unwrapped.optimal_values(0.9),
            atol=1e-8,
        )
        seen.append(model.version)
    assert seen[0] == seen[2] != seen[1]
    env.unwrapped.world_step = 1000
    model.update(one_transition(0, 0, 0.0, 0, False))
    assert model.version == seen[1]


def test_state_works_without_environment() -> None:
    env = gym.make("FrozenLake-v1")
    model = TrueModel(env)
    other = TrueModel(Spaces(env.observation_space, env.action_space))
    assert other.is_empty
    for ask in (
        lambda: other.table,
        lambda: other.distribution(0, 0),
        lambda: other.sample(1, np.random.default_rng(0)),
    ):
        with pytest.raises(RuntimeError, match="knows no environment yet"):
            ask()
    other.set_state(model.get_state())
    assert other.version == model.version
    np.testing.assert_equal(other.get_state(), model.get_state())
    other.set_env(env)
    assert other.version == model.version


def test_bonuses_wrap_true_model() -> None:
    env = gym.make("DynaMaze-v0")
    model = TimeBonus(TrueModel(env), 54, 4, kappa=0.1)
    model.update(one_transition(0, 0, 0.0, 0, False))
    assert model.sample(10, np.random.default_rng(0)).reward.max() > 0


def test_environments_without_mdp_rejected() -> None:
    with pytest.raises(TypeError, match=r"BlackjackEnv provides no Markov decision process"):
        TrueModel(gym.make("Blackjack-v1"))
    with pytest.raises(TypeError, match="a table needs"):
        TrueModel(gym.make("DynaMazeContinuous-v0", action="discrete"))
    with pytest.raises(TypeError, match="a table needs"):
        TrueModel(gym.make("DynaMaze-v0", observation="one_hot"))


class Wrong(gym.Env[Any, Any]):
    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(1)

    def __init__(self, chance: float, states: int) -> None:
        end = [(chance, 0, 0.0, True)]
        self.P = {state: {0: end} for state in range(states)}


def test_mismatched_mdp_rejected() -> None:
    model = TrueModel(Wrong(1.0, 2))
    before = model.get_state()
    with pytest.raises(ValueError, match=r"sum to 0\.5"):
        model.set_env(Wrong(0.5, 2))
    with pytest.raises(ValueError, match="of 3 states and 1 actions in an environment"):
        model.set_env(Wrong(1.0, 3))
    with pytest.raises(ValueError, match="expected states below 2"):
        model.update(one_transition(7, 0, 0.0, 0, False))
    np.testing.assert_equal(model.get_state(), before)
    assert MaximumLikelihood.capabilities == model.capabilities
