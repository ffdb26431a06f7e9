"""Random tasks of figure 8.8: sampling, updates and exact values."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from dynamaze.agents.core.rng import load, make_generator, state_words, store
from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.planning.dynamic_programming import value_iteration
from dynamaze.benchmarks.figures.random_tasks import (
    START,
    TERMINATION,
    EvaluationBuffers,
    RandomTask,
    expected_update,
    greedy_pair,
    greedy_value,
    learning_curve,
    update_on_policy,
)

TOLERANCE = 1e-9
KINDS = [(2, 1), (30, 1), (30, 3), (30, 10), (200, 3)]


def task_of(states: int, branching: int, seed: int = 0) -> RandomTask:
    return RandomTask.sample(states, branching, make_generator(np.random.SeedSequence(seed), 0))


def solved(task: RandomTask, pairs: np.ndarray) -> np.ndarray:
    """Return the values of a policy by linear algebra."""
    matrix = np.zeros((task.states, task.states))
    branching = task.successors.shape[1]
    for state, pair in enumerate(pairs):
        for successor in task.successors[pair]:
            matrix[state, successor] += (1 - TERMINATION) / branching
    values: np.ndarray = np.linalg.solve(np.eye(task.states) - matrix, task.reward[pairs])
    return values


def optimal_value(task: RandomTask) -> float:
    """Return the optimal value of the start by value iteration."""
    pairs, branching = task.successors.shape
    shape = (task.states, 2, branching + 1)
    following = np.zeros(shape, dtype=np.int64)
    following[:, :, :-1] = task.successors.reshape(task.states, 2, branching)
    probability = np.full(shape, (1 - TERMINATION) / branching)
    probability[:, :, -1] = TERMINATION
    ends = np.zeros(shape, dtype=bool)
    ends[:, :, -1] = True
    reward = np.broadcast_to(task.reward.reshape(task.states, 2, 1), shape)
    assert pairs == 2 * task.states
    solution = value_iteration(SparseMDP.of(following, probability, reward, ends), gamma=1.0)
    return float(solution.values[START])


@pytest.mark.parametrize(("states", "branching"), KINDS)
def test_greedy_value_matches_linear_algebra(states: int, branching: int) -> None:
    rng = np.random.default_rng(1)
    for seed in range(5):
        task = task_of(states, branching, seed)
        buffers = EvaluationBuffers.allocate(states)
        for scale in (1.0, 100.0, 0.0, 1.0):  # one after the other in the same buffers
            q = scale * rng.standard_normal(2 * states)
            pairs = np.array([greedy_pair(q, state) for state in range(states)])
            value = greedy_value(task, q, buffers, TOLERANCE)
            assert abs(value - solved(task, pairs)[START]) < 2 * TOLERANCE


@pytest.mark.parametrize("on_policy", [False, True])
@pytest.mark.parametrize(("states", "branching"), [(20, 1), (20, 3), (30, 10)])
def test_learning_curve_ends_optimal(states: int, branching: int, on_policy: bool) -> None:
    task = task_of(states, branching)
    rng = make_generator(np.random.SeedSequence(2), 0)
    curve = learning_curve(
        task, on_policy=on_policy, evaluations=4, updates=20_000, epsilon=0.2, rng=rng
    )
    assert curve[-1] == pytest.approx(optimal_value(task), abs=1e-8)
    assert curve[0] < curve[-1]


def test_successors_are_distinct_uniform() -> None:
    all_of_them = task_of(4, 4).successors
    np.testing.assert_array_equal(np.sort(all_of_them, axis=1), np.tile(np.arange(4), (8, 1)))
    drawn = task_of(1000, 5).successors
    assert (np.diff(np.sort(drawn, axis=1).astype(int), axis=1) > 0).all()
    # The mean of 10,000 numbers up to 999, within 5 standard errors: one false alarm in 10^6.
    assert abs(drawn.mean() - 499.5) < 5 * 1000 / np.sqrt(12 * drawn.size)


def test_termination_has_reward() -> None:
    # The variance of the expected rewards of 40,000 pairs is (0.9^2 / b) + 0.1^2; without a reward
    # at the end it would be 0.01 less, 15 standard errors. Within 5: one false alarm in 10^6.
    reward = task_of(20_000, 10).reward
    truth = 0.9**2 / 10 + 0.1**2
    assert abs(reward.var() - truth) < 5 * truth * np.sqrt(2 / reward.size)
    assert abs(reward.mean()) < 5 * np.sqrt(truth / reward.size)


def test_expected_update_by_hand() -> None:
    task = RandomTask(
        np.array([[0, 1], [1, 2], [0, 2], [0, 1], [1, 2], [0, 1]], np.uint32), np.arange(6.0)
    )
    q = np.array([1.0, 2.0, -3.0, -4.0, 0.0, 5.0])
    assert expected_update(task, q, 1) == pytest.approx(1 + 0.9 * (-3 + 5) / 2)


@njit  # without a cache, which would not notice that the rule has changed
def walk(task, q, epsilon, words, steps):  # type: ignore[no-untyped-def]  # Numba types it
    """Return (steps + 1,) the states of episodes."""
    states = np.zeros(steps + 1, dtype=np.int64)
    rng = load(words)
    for step in range(steps):
        states[step + 1], rng = update_on_policy(task, q, states[step], epsilon, rng)
    store(words, rng)
    return states


def test_update_on_policy_frequencies() -> None:
    task, steps, epsilon = task_of(500, 3), 40_000, 0.2
    q = np.zeros(1000)
    words = state_words(make_generator(np.random.SeedSequence(4), 0))
    walk(task, q, epsilon, words, 400_000)  # until the values of what is walked have settled
    before = q.copy()
    states = walk(task, q, epsilon, words, steps)
    now, following = states[:-1], states[1:]
    both = task.successors.reshape(500, 6)
    # Where a step leads tells what was done, but for states with a successor twice or the start.
    clear = np.array([len({START, *row}) == 7 for row in both.tolist()])[now]
    assert clear.mean() > 0.5
    now, following = now[clear], following[clear]
    continues = following != START
    assert ((both[now] == following[:, None]).any(axis=1) | ~continues).all()
    better = np.array([task.successors[greedy_pair(before, state)] for state in now])
    is_better = (better == following[:, None]).any(axis=1)[continues]
    # Within 5 standard errors: one false alarm in 10^6 for each fraction.
    assert abs(1 - continues.mean() - TERMINATION) < 5 * np.sqrt(
        TERMINATION * (1 - TERMINATION) / now.size
    )
    right = 1 - epsilon / 2
    assert abs(is_better.mean() - right) < 5 * np.sqrt(right * (1 - right) / is_better.size)


def test_sample_rejects_bad_branching() -> None:
    with pytest.raises(ValueError, match="branching=5, states=4; expected 1 to 4"):
        task_of(4, 5)
    with pytest.raises(ValueError, match="branching=0"):
        task_of(4, 0)
