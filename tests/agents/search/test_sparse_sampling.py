"""Sparse sampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents.core.transitions import Transitions
from dynamaze.agents.models import LatestOutcome, MaximumLikelihood, NullModel, StoredExperience
from dynamaze.agents.models.true import TrueModel
from dynamaze.agents.search.forward_search import ForwardPlanning
from dynamaze.agents.search.simulators import LoopBatchSimulator, TableSimulator
from dynamaze.agents.search.sparse_sampling import (
    SimulatorExpander,
    SparsePlanning,
    SparseSampling,
    back_up,
)
from dynamaze.agents.values.table import TableValues

STATES, ACTIONS, GAMMA = 6, 3, 0.8


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def values_of(shape: tuple[int, int] = (STATES, ACTIONS)) -> TableValues:
    values = TableValues(*shape, learning_rate=0.1, gamma=GAMMA)
    values.q[:] = np.random.default_rng(2).random(shape)
    return values


@pytest.mark.parametrize("width", [20, 500])
def test_values_are_within_kearns_bound(learned: Callable[..., Any], width: int) -> None:
    """By Hoeffding's inequality all means are within lambda in all but one of 10^6 runs.

    Then the values are within lambda (1 - gamma^H) / (1 - gamma) of exact forward search.
    """
    depth, failures = 8, 1e-6
    model, values, rows = (
        learned(MaximumLikelihood(STATES, ACTIONS), 150),
        values_of(),
        np.arange(STATES),
    )
    exact = ForwardPlanning(depth).action_values(values, model, rows, generator(0))
    found = SparsePlanning(width, depth).action_values(values, model, rows, generator(1))
    reach = 1 + GAMMA * (1 - GAMMA ** (depth - 1)) / (1 - GAMMA)  # of reward plus next value
    means = STATES * ACTIONS * depth
    near = reach * math.sqrt(math.log(2 * means / failures) / (2 * width))
    bound = near * (1 - GAMMA**depth) / (1 - GAMMA)
    assert 0 < np.abs(found - exact).max() <= bound


def test_one_step_is_unbiased(learned: Callable[..., Any]) -> None:
    """Means of 400 searches of width 5 are within 5 standard errors: 10^-5 false alarms."""
    model, values = learned(MaximumLikelihood(STATES, ACTIONS), 150), values_of()
    planning, rng, rows = SparsePlanning(5, 1, leaf_value="values"), generator(3), np.arange(STATES)
    found = np.array([planning.action_values(values, model, rows, rng) for _ in range(400)])
    exact = ForwardPlanning(1, leaf_value="values").action_values(values, model, rows, rng)
    error = found.std(axis=0, ddof=1) / math.sqrt(len(found))
    assert (error > 0).any()
    assert (np.abs(found.mean(axis=0) - exact) <= 5 * error + 1e-12).all()


def test_width_one_suffices_if_deterministic(learned: Callable[..., Any]) -> None:
    model, values = learned(LatestOutcome(STATES, ACTIONS), 150), values_of()
    for leaf in ("zero", "values"):
        found, exact = (
            planning.action_values(values, model, np.arange(STATES), generator(0))
            for planning in (
                SparsePlanning(1, 7, leaf_value=leaf),
                ForwardPlanning(7, leaf_value=leaf),
            )
        )
        np.testing.assert_allclose(found, exact, atol=1e-12)


def test_simulator_expander_equals_table_expander(learned: Callable[..., Any]) -> None:
    """Both sample the same outcomes from the same random numbers."""
    model, values = learned(MaximumLikelihood(STATES, ACTIONS), 150), values_of()
    expander = SimulatorExpander(LoopBatchSimulator(TableSimulator(model)))
    rng, states, layers = generator(5), [0, 3], []
    for _ in range(4):
        layer, states = expander.expand(states, ACTIONS, 6, rng)
        layers.append(layer)
    slow = back_up(layers, values.values(np.array(states)).max(axis=1), GAMMA)
    planning = SparsePlanning(6, 4, leaf_value="values")
    fast = planning.action_values(values, model, np.array([0, 3]), generator(5))
    np.testing.assert_allclose(slow, fast, atol=1e-12)


def test_model_without_lookups_is_sampled(learned: Callable[..., Any]) -> None:
    model, values = learned(StoredExperience(STATES, ACTIONS), 150), values_of()
    rows = np.arange(STATES)
    exact = ForwardPlanning(5).action_values(values, model, rows, generator(0))
    found = SparsePlanning(4000, 5).action_values(values, model, rows, generator(0))
    reach = 1 + GAMMA * (1 - GAMMA**4) / (1 - GAMMA)
    near = reach * math.sqrt(math.log(2 * STATES * ACTIONS * 5 / 1e-6) / 8000)
    assert 0 < np.abs(found - exact).max() <= near * (1 - GAMMA**5) / (1 - GAMMA)


@pytest.mark.parametrize(("name", "best"), [("DynaMaze-v0", 14), ("CliffWalking-v1", 13)])
def test_sparse_sampling_takes_shortest_path(name: str, best: int) -> None:
    agent = SparseSampling(name, width=1, depth=best + 1, seed=0)
    ends: list[int] = []
    agent.learn(2 * best, lambda step: ends.append(step.episode_length) if step.terminated else 0)
    assert ends == [best, best]


def test_env_copies_solve_maze() -> None:
    corridor = gym.make("DynaMaze-v0", layout="S..G")
    agent = SparseSampling(corridor, model="simulator", width=1, depth=4, seed=0)
    lengths: list[int] = []
    agent.learn(9, lambda step: lengths.append(step.episode_length) if step.terminated else 0)
    assert lengths == [3, 3, 3]


class Line:
    """Model of one number: right is +1, left -1; from 3 on it terminates with reward 1."""

    observes, capabilities, size, num_actions = "vectors", frozenset({"sample"}), 1, 2

    def sample_transitions(
        self, vectors: Any, actions: Any, rng: np.random.Generator
    ) -> Transitions:
        following = vectors + np.where(actions, 1.0, -1.0)[:, None]
        ended = following[:, 0] >= 3
        return Transitions(vectors, actions, ended.astype(float), following, ended)


class FlatValues:
    """Return half the goal's reward, everywhere."""

    observes, gamma = "vectors", GAMMA

    def values(self, observations: Any) -> Any:
        return np.full((len(observations), 2), 0.5)


def test_vectors_are_sampled_in_batches() -> None:
    model: Any = Line()
    values: Any = FlatValues()
    planning, vectors = SparsePlanning(2, 3, leaf_value="values"), np.array([[0.0], [2.0], [-4.0]])
    found = planning.action_values(values, model, vectors, generator(0))
    beyond = 0.5 * GAMMA**3
    wanted = [[beyond, GAMMA**2], [GAMMA**2, 1.0], [beyond, beyond]]
    np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"depth": 0}, {"width": 1.5}])
def test_sparse_planning_rejects_invalid_number(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=rf"{name}=.*expected a whole number in \[1, "):
        SparseSampling("DynaMaze-v0", **wrong)


def test_sparse_sampling_rejects_invalid_argument() -> None:
    with pytest.raises(TypeError, match="NullModel cannot be stepped"):
        SparseSampling("DynaMaze-v0", model=NullModel())
    nothing: Any = None
    with pytest.raises(TypeError, match="depth=None; expected a whole number"):
        SparseSampling("DynaMaze-v0", depth=nothing)


def test_search_rejects_sample_budget() -> None:
    env = gym.make("DynaMazeContinuous-v0", action="discrete")
    agent = SparseSampling(env, model="linear", values="tile_coding", width=8, depth=9, seed=0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"width=8 and depth=9 take 1082400 samples or more"):
        agent.predict(env.observation_space.sample())


def test_true_model_sampling_frequencies() -> None:
    """Within the bound of Hoeffding's inequality; false alarms are below 10^-6."""
    env = gym.make("FrozenLake-v1")
    values, rows = values_of((16, 4)), np.arange(16)
    exact = ForwardPlanning(3).action_values(values, TrueModel(env), rows, generator(0))
    found = SparsePlanning(2000, 3).action_values(values, TrueModel(env), rows, generator(0))
    near = math.sqrt(math.log(2 * 16 * 4 * 3 / 1e-6) / 4000)  # the goal's reward is 1, once
    assert 0 < np.abs(found - exact).max() <= near * (1 + GAMMA + GAMMA**2)
