"""Dynamic programming against linear algebra, brute force and the toy-text environments."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import Transitions
from dynamaze.agents.core.priority_queue import Queue, drop, put, raise_to, take
from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.models import LatestOutcome, MaximumLikelihood, StoredVectors
from dynamaze.agents.planning.dynamic_programming import (
    METHODS,
    Solution,
    _solution,
    policy_iteration,
    value_iteration,
)

SOLVERS = (*METHODS, "policy_iteration", "modified")


def solve(mdp: SparseMDP, gamma: float, solver: str, **more: Any) -> Solution:
    if solver in METHODS:
        return value_iteration(mdp, gamma, method=solver, **more)
    sweeps = 3 if solver == "modified" else None
    return policy_iteration(mdp, gamma, evaluation_sweeps=sweeps, **more)


def random_mdp(seed: int, states: int = 4, actions: int = 3, outcomes: int = 3) -> SparseMDP:
    rng = np.random.default_rng(seed)
    shape = (states, actions, outcomes)
    return SparseMDP.of(
        rng.integers(states, size=shape),
        rng.dirichlet(np.ones(outcomes), size=shape[:2]),
        rng.normal(size=shape),
        rng.random(shape) < 0.2,
    )


def dense(mdp: SparseMDP) -> np.ndarray:
    """Return (S * A, S) probabilities of continuing."""
    matrix = np.zeros((mdp.reward.size, mdp.num_states))
    for pair in range(mdp.reward.size):
        for place in range(mdp.first[pair], mdp.first[pair + 1]):
            matrix[pair, mdp.next_state[place]] += mdp.probability[place]
    return matrix


def brute_force(mdp: SparseMDP, gamma: float) -> np.ndarray:
    """Return the values of the best of all policies, by linear algebra (equation 4.4)."""
    matrix, states = dense(mdp), np.arange(mdp.num_states)
    best = np.full(mdp.num_states, -np.inf)
    for policy in itertools.product(range(mdp.num_actions), repeat=mdp.num_states):
        pairs = states * mdp.num_actions + np.array(policy)
        system = np.eye(mdp.num_states) - gamma * matrix[pairs]
        best = np.maximum(best, np.linalg.solve(system, mdp.reward[pairs]))
    return best


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("seed", range(5))
def test_value_iteration_equals_brute_force(solver: str, gamma: float, seed: int) -> None:
    mdp = random_mdp(seed)
    solution = solve(mdp, gamma, solver)
    expected = brute_force(mdp, gamma)
    np.testing.assert_allclose(solution.values, expected, atol=1e-8)
    np.testing.assert_allclose(
        (solution.policy * solution.action_values).sum(axis=1), expected, atol=1e-8
    )
    assert solution.residual <= 1e-10 * max(1, np.abs(expected).max())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 4), st.sampled_from([0.3, 0.9]))
def test_solvers_agree(seed: int, states: int, actions: int, gamma: float) -> None:
    mdp = random_mdp(seed, states, actions)
    first = solve(mdp, gamma, SOLVERS[0])
    for solver in SOLVERS[1:]:
        np.testing.assert_allclose(solve(mdp, gamma, solver).values, first.values, atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["FrozenLake-v1", "Taxi-v4", "CliffWalking-v1", "DynaMaze-v0"])
def test_solvers_solve_toy_text(name: str, solver: str) -> None:
    env: Any = gym.make(name).unwrapped
    mdp = SparseMDP.of_toy_text(env.P)
    solution = solve(mdp, 0.95, solver)
    np.testing.assert_allclose(
        mdp.backup(solution.values, 0.95).max(axis=1), solution.values, atol=1e-9
    )
    if name == "DynaMaze-v0":
        np.testing.assert_allclose(solution.values, env.optimal_values(0.95), atol=1e-9)
        np.testing.assert_allclose(solution.policy, env.optimal_policy(0.95))
        again = SparseMDP.of(*env.mdp[:4])
        np.testing.assert_array_equal(again.reward, mdp.reward)
        np.testing.assert_array_equal(solve(again, 0.95, solver).values, solution.values)


def test_policy_iteration_stops_at_ties() -> None:
    """An open maze has many shortest paths, whose values differ by rounding."""
    env: Any = gym.make("DynaMaze-v0", layout=["S......"] + ["......."] * 5 + ["......G"]).unwrapped
    mdp = SparseMDP.of(*env.mdp[:4])
    solution = policy_iteration(mdp, 0.99)
    np.testing.assert_allclose(solution.values, env.optimal_values(0.99), atol=1e-9)
    assert np.isin(solution.policy[0], [0, 0.5]).all()


def test_policy_evaluation_alternates_directions() -> None:
    """From the end back the path's numbers rise, fall, rise and fall: a sweep for each."""
    path = [4, 5, 3, 2, 6, 7, 1, 0]
    following = np.zeros((8, 1, 1), int)
    following[path[1:], 0, 0] = path[:-1]
    ends = np.arange(8)[:, None, None] == path[0]
    mdp = SparseMDP.of(following, np.ones((8, 1, 1)), ends.astype(float), ends)
    solution = policy_iteration(mdp, 0.5)
    assert solution.values[path].tolist() == [0.5**steps for steps in range(8)]
    assert solution.sweeps == 5  # the last one changes nothing


def test_policy_keeps_action_within_tolerance() -> None:
    """The tolerance is relative to the largest value: 3 more than 100 is no improvement."""
    reward = np.array([[[0.0], [50.0]], [[100.0], [103.0]]])
    mdp = SparseMDP.of(np.zeros((2, 2, 1), int), np.ones((2, 2, 1)), reward, reward >= 0)
    assert policy_iteration(mdp, 0.9, tolerance=0.1).values.tolist() == [50, 100]


@pytest.mark.parametrize(("gamma", "accuracy"), [(0.9, 2.0), (1.0, 0.2)])
def test_ties_follow_accuracy_of_values(gamma: float, accuracy: float) -> None:
    """The values' residual is 0.1: two of them differ by up to 2 * 0.1 / (1 - gamma)."""
    reward = 1 - accuracy * np.array([[[0.0], [0.99], [1.01]]])
    mdp = SparseMDP.of(np.zeros((1, 3, 1), int), np.ones((1, 3, 1)), reward, reward == reward)
    solution = _solution(mdp, np.array([0.9]), gamma, 0)
    assert solution.policy.tolist() == [[0.5, 0.5, 0]]


def test_prioritised_method_needs_fewer_backups() -> None:
    text = ["S" + "." * 398 + "G"]
    env: Any = gym.make("DynaMaze-v0", layout=text, slip_probability=0.1).unwrapped
    mdp = SparseMDP.of(*env.mdp[:4])
    sweeps = {method: solve(mdp, 0.95, method).sweeps for method in ("jacobi", "prioritised")}
    assert sweeps["prioritised"] < 0.5 * sweeps["jacobi"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_raises_without_convergence(solver: str) -> None:
    endless_reward = SparseMDP.of([[[0]]], [[[1.0]]], [[[1.0]]], [[[False]]])
    with pytest.raises(
        RuntimeError, match=r"residual after .* sweeps is 1; expected at most 1e-10"
    ):
        solve(endless_reward, 1.0, solver, max_sweeps=50)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_stops_below_rounding(solver: str) -> None:
    for seed in range(5):
        try:
            solve(random_mdp(seed), 0.9, solver, tolerance=1e-300, max_sweeps=2000)
        except RuntimeError as error:
            assert "expected at most 1e-300" in str(error)  # noqa: PT017  # either outcome is allowed


def test_mdp_equals_model_predictions() -> None:
    model = MaximumLikelihood(3, 2)
    rows = [(0, 0, 1.0, 1, False), (0, 0, 3.0, 2, False), (1, 1, 5.0, 2, True)]
    model.update(Transitions(*(np.array(column) for column in zip(*rows, strict=True))))
    mdp = SparseMDP.of_model(model)
    np.testing.assert_allclose(mdp.reward, [2, 0, 0, 5, 0, 0])
    matrix = dense(mdp)
    np.testing.assert_allclose(matrix[0], [0, 0.5, 0.5])
    np.testing.assert_allclose(matrix[3], [0, 0, 0])  # the end
    np.testing.assert_allclose(matrix[1], [1, 0, 0])  # never tried
    with pytest.raises(ValueError, match=r"StoredVectors declares .* needs 'distribution'"):
        SparseMDP.of_model(StoredVectors(2, 2))
    assert SparseMDP.of_model(LatestOutcome(3, 2)).reward.tolist() == [0.0] * 6


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"probability": [[[0.5, 0.4]]]}, r"state 0, action 0: they sum to 0\.9; expected"),
        ({"probability": [[[1.5, -0.5]]]}, r"state 0, action 0: .* at least 0"),
        ({"probability": [[[np.nan, 1.0]]]}, r"state 0, action 0: they sum to nan"),
        ({"next_state": [[[0, 1]]]}, r"next states 0 to 1 .* from 0 to 0"),
        ({"next_state": [[[0.0, 0.0]]]}, r"dtype float64; expected integers"),
        ({"reward": [[[np.inf, 0.0]]]}, r"a reward of state 0, action 0: expected finite"),
        ({"reward": [[0.0, 0.0]]}, r"shapes .* expected one shape \(S, A, K\)"),
    ],
)
def test_mdp_rejects_invalid_arrays(change: dict[str, Any], sentence: str) -> None:
    good: dict[str, Any] = {
        "next_state": [[[0, 0]]],
        "probability": [[[0.5, 0.5]]],
        "reward": [[[1.0, 0.0]]],
        "terminated": [[[True, False]]],
    }
    SparseMDP.of(**good)
    with pytest.raises(ValueError, match=sentence):
        SparseMDP.of(**{**good, **change})


def test_mdp_names_first_wrong_pair() -> None:
    probability = np.array([[[0.0, 1.0], [0.0, 1.0]], [[1.5, -0.5], [0.0, 1.0]]])
    zeros = np.zeros((2, 2, 2))
    with pytest.raises(ValueError, match=r"probabilities of state 1, action 0: .* at least 0"):
        SparseMDP.of(zeros.astype(int), probability, zeros, zeros.astype(bool))


def test_toy_text_rejects_uneven_actions() -> None:
    stay = [(1.0, 0, 0.0, False)]
    with pytest.raises(ValueError, match="other actions than state 0; expected 2 in each"):
        SparseMDP.of_toy_text({0: {0: stay, 1: stay}, 1: {0: stay}})


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"gamma": 1.1}, "gamma=1.1"),
        ({"method": "jacoby"}, "did you mean 'jacobi'?"),
        ({"tolerance": 0}, "tolerance=0"),
        ({"max_sweeps": 0}, "max_sweeps=0"),
    ],
)
def test_solver_rejects_invalid_number(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        value_iteration(random_mdp(0), **{"gamma": 0.9, **more})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(-3, 3)), max_size=80))
def test_queue_equals_sorted_dictionary(calls: list[tuple[int, int, int]]) -> None:
    queue, truth = Queue.empty(7), {}
    for call, item, priority in calls:
        if call == 0:
            put(queue, item, float(priority))
            truth[item] = priority
        elif call == 1:
            raise_to(queue, item, float(priority))
            truth[item] = max(priority, truth.get(item, priority))
        elif call == 2 and truth:
            taken = take(queue)
            assert truth.pop(taken) == max([*truth.values(), queue.priority[taken]])
        elif call == 3 and item in truth:
            drop(queue, item)
            del truth[item]
        assert queue.size[0] == len(truth)
        waiting = queue.heap[: queue.size[0]].tolist()
        assert {name: int(queue.priority[name]) for name in waiting} == truth
        assert [queue.place[name] for name in waiting] == list(range(len(truth)))
