"""Monte-Carlo search: rollouts of a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents.core.transitions import Transitions, one_transition
from dynamaze.agents.exploration import epsilon_greedy_probabilities
from dynamaze.agents.models import MaximumLikelihood, NullModel, StoredExperience
from dynamaze.agents.search.agent import Query
from dynamaze.agents.search.monte_carlo import (
    MonteCarloPlanning,
    MonteCarloSearch,
    MonteCarloSettings,
)
from dynamaze.agents.search.simulators import LoopBatchSimulator, TableSimulator
from dynamaze.agents.values.table import TableValues

STATES, ACTIONS, GAMMA = 5, 3, 0.8
SIMULATIONS = 3 * 20_000
FAR = 5.5
"""Standard errors: 4e-8 false alarms for each of the 15 values of a test."""


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def whole_rewards(rng: np.random.Generator, n: int) -> Any:
    return rng.integers(3, size=n).astype(float)


def random_values() -> TableValues:
    values = TableValues(STATES, ACTIONS, learning_rate=0.1, gamma=GAMMA)
    values.q[:] = np.random.default_rng(2).random((STATES, ACTIONS))
    return values


def exact(model: Any, policy: Any, depth: int, leaf: Any) -> tuple[Any, Any]:
    """Return (states, actions) means and variances of the returns of `depth` steps."""
    mean_return, square = leaf, leaf**2
    for _ in range(depth):
        mean, second = np.zeros((STATES, ACTIONS)), np.zeros((STATES, ACTIONS))
        for state in range(STATES):
            for action in range(ACTIONS):
                for following, p, reward, ended in zip(
                    *model.distribution(state, action), strict=True
                ):
                    v, m = (0.0, 0.0) if ended else (mean_return[following], square[following])
                    mean[state, action] += p * (reward + GAMMA * v)
                    second[state, action] += p * (reward**2 + 2 * reward * GAMMA * v + GAMMA**2 * m)
        mean_return, square = (policy * mean).sum(axis=1), (policy * second).sum(axis=1)
    return mean, second - mean**2


def given(observations: Any) -> Any:
    """Custom rollout policy."""
    return np.array([[0.6, 0.3, 0.1]] * len(observations))


@pytest.mark.parametrize("model_class", [MaximumLikelihood, StoredExperience])
@pytest.mark.parametrize("policy", ["random", "values", given])
def test_values_equal_rollout_policy(
    learned: Callable[..., Any], model_class: Any, policy: Any
) -> None:
    model, values, rows = (
        learned(model_class(STATES, ACTIONS), rewards=whole_rewards),
        random_values(),
        np.arange(STATES),
    )
    probabilities = {
        "random": np.full((STATES, ACTIONS), 1 / ACTIONS),
        "values": epsilon_greedy_probabilities(values.q, 0.3),
        given: given(rows),
    }[policy]
    planning = MonteCarloPlanning(
        SIMULATIONS, depth=60, settings=MonteCarloSettings(policy=policy, rollout_epsilon=0.3)
    )
    found = planning.action_values(values, model, rows, generator(0))
    mean, variance = exact(model, probabilities, 60, np.zeros(STATES))
    assert (np.abs(found - mean) <= FAR * np.sqrt(variance / (SIMULATIONS / ACTIONS))).all()


def test_values_without_depth_equal_linear_solution(learned: Callable[..., Any]) -> None:
    """The truncated rest is at most 0.001 * 2 / (1 - gamma)."""
    model, values, rows = (
        learned(MaximumLikelihood(STATES, ACTIONS), rewards=whole_rewards),
        random_values(),
        np.arange(5),
    )
    matrix, reward = np.zeros((STATES, STATES)), np.zeros(STATES)
    for state in range(STATES):
        for action in range(ACTIONS):
            for following, p, r, ended in zip(*model.distribution(state, action), strict=True):
                reward[state] += p * r / ACTIONS
                matrix[state, following] += p * (not ended) / ACTIONS
    mean_return = np.linalg.solve(np.eye(STATES) - GAMMA * matrix, reward)
    found = MonteCarloPlanning(SIMULATIONS).action_values(values, model, rows, generator(0))
    _, variance = exact(model, np.full((STATES, ACTIONS), 1 / ACTIONS), 60, np.zeros(STATES))
    error = np.sqrt((variance / (SIMULATIONS / ACTIONS)).mean(axis=1) / ACTIONS)
    assert (np.abs(found.mean(axis=1) - mean_return) <= FAR * error + 0.001 * 2 / (1 - GAMMA)).all()


def test_leaf_value_is_learned_value(learned: Callable[..., Any]) -> None:
    model, values, rows = (
        learned(MaximumLikelihood(STATES, ACTIONS), rewards=whole_rewards),
        random_values(),
        np.arange(5),
    )
    planning = MonteCarloPlanning(
        SIMULATIONS, depth=2, settings=MonteCarloSettings(leaf_value="values")
    )
    found = planning.action_values(values, model, rows, generator(0))
    uniform = np.full((STATES, ACTIONS), 1 / ACTIONS)
    mean, variance = exact(model, uniform, 2, values.q.max(axis=1))
    assert (np.abs(found - mean) <= FAR * np.sqrt(variance / (SIMULATIONS / ACTIONS))).all()


@pytest.mark.parametrize("policy", ["random", "values", given])
def test_simulator_gives_same_values(learned: Callable[..., Any], policy: Any) -> None:
    model, values = (
        learned(MaximumLikelihood(STATES, ACTIONS), rewards=whole_rewards),
        random_values(),
    )
    planning = MonteCarloPlanning(
        3000,
        depth=4,
        settings=MonteCarloSettings(policy=policy, rollout_epsilon=0.3, leaf_value="values"),
    )
    simulator = LoopBatchSimulator(TableSimulator(model))
    query = Query(values, model, np.array([1]), generator(0))
    slow = planning._by_simulator(query, simulator, 1, 4)
    probabilities = planning._probabilities(values, np.arange(STATES), ACTIONS)
    mean, variance = exact(model, probabilities, 4, values.q.max(axis=1))
    assert (np.abs(slow - mean[1]) <= FAR * np.sqrt(variance[1] / 1000)).all()


def test_simulations_are_divided_equally() -> None:
    """In a deterministic model the mean does not depend on the count; 4 simulations suffice."""
    model = MaximumLikelihood(1, 3)
    model.update(
        Transitions(
            np.zeros(3, int), np.arange(3), np.arange(3.0), np.zeros(3, int), np.ones(3) > 0
        )
    )
    values = TableValues(1, 3, learning_rate=0.1, gamma=GAMMA)
    for simulations in (3, 4, 5, 9):
        planning = MonteCarloPlanning(simulations, depth=5)
        found = planning.action_values(values, model, np.array([0]), generator(0))
        np.testing.assert_array_equal(found, [[0.0, 1.0, 2.0]])


def test_monte_carlo_solves_maze() -> None:
    for model, simulations, steps in (
        ("true", 400, 60),
        ("simulator", 24, 20),
        ("latest_outcome", 400, 120),
    ):
        env = gym.make("DynaMaze-v0", layout="S...\n.##.\n...G")
        agent = MonteCarloSearch(env, model=model, simulations=simulations, depth=30, seed=0)
        lengths: list[int] = []
        agent.learn(
            steps,
            lambda step, found=lengths: found.append(step.episode_length) if step.terminated else 0,
        )
        assert np.median(lengths) <= 10, model


def test_policy_uses_learned_values() -> None:
    """With random rollouts the last ten episodes took 54 steps, here 17 (medians)."""
    agent = MonteCarloSearch(
        "DynaMaze-v0",
        simulations=40,
        settings=MonteCarloSettings(policy="values", leaf_value="values"),
        learning_rate=0.5,
        epsilon=0.1,
        seed=0,
    )
    lengths: list[int] = []
    agent.learn(2000, lambda step: lengths.append(step.episode_length) if step.terminated else 0)
    assert np.median(lengths[-10:]) <= 20


def test_monte_carlo_rejects_invalid_argument() -> None:
    maze = "DynaMaze-v0"
    for name in ("simulations", "depth"):
        with pytest.raises(ValueError, match=rf"{name}=0; expected a whole number in \[1, "):
            MonteCarloSearch(maze, **{name: 0})  # type: ignore[arg-type]  # that is the question
    with pytest.raises(
        ValueError, match="simulations=3 with 4 actions; expected at least one of each"
    ):
        MonteCarloSearch(maze, simulations=3)
    with pytest.raises(ValueError, match="depth=None with gamma=1; expected a depth"):
        MonteCarloSearch(maze, gamma=1.0)
    with pytest.raises(ValueError, match=r"policy='value'.*did you mean 'values'"):
        MonteCarloSearch(maze, settings=MonteCarloSettings(policy="value"))
    nothing: Any = None
    with pytest.raises(TypeError, match="policy=None; expected one of"):
        MonteCarloSearch(maze, settings=MonteCarloSettings(policy=nothing))
    with pytest.raises(TypeError, match="NullModel cannot be stepped"):
        MonteCarloSearch(maze, model=NullModel())
    with pytest.raises(TypeError, match="model='true' is a table"):
        MonteCarloSearch(maze, values="network")


def test_policy_must_return_probabilities() -> None:
    for wrong in (np.ones((54, 4)), np.full((54, 2), 0.5), -np.eye(4)):
        agent = MonteCarloSearch(
            "DynaMaze-v0", settings=MonteCarloSettings(policy=lambda rows, wrong=wrong: wrong)
        )  # type: ignore[misc]
        with pytest.raises(ValueError, match=r"expected \(54, 4\) probabilities"):
            agent.predict(0)


def test_undiscounted_search_stops_at_depth() -> None:
    """Untried pairs stay with reward 0, and pair 1 was tried: the return is 50."""
    model = MaximumLikelihood(1, 1)
    model.update(one_transition(0, 0, 1.0, 0, False))
    values = TableValues(1, 1, learning_rate=0.1, gamma=1.0)
    found = MonteCarloPlanning(8, depth=50).action_values(
        values, model, np.array([0]), generator(0)
    )
    np.testing.assert_array_equal(found, [[50.0]])


def test_empty_model_gives_equal_values() -> None:
    agent = MonteCarloSearch("DynaMaze-v0", model="latest_outcome", seed=0)
    np.testing.assert_array_equal(agent.action_probabilities(0), [[0.25] * 4])
