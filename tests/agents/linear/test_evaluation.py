"""Linear Dyna for policy evaluation: fixed point, sweeps, and bias of action values."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents.learners.linear import RecursiveLeastSquares
from dynamaze.agents.linear.evaluation import (
    FeatureTransitions,
    LinearEvaluation,
    least_squares_values,
)
from dynamaze.agents.linear.expectation_model import LinearExpectation
from dynamaze.agents.linear.sweeping import SWEEPS, FeatureSweeping, raise_priority
from dynamaze.benchmarks.studies.linear_dyna import chain_episode, chain_features, chain_values
from dynamaze.common.arrays import FloatArray


def episodes(n: int, seed: int) -> FeatureTransitions:
    features, rng = chain_features(4), np.random.default_rng(seed)
    parts = [chain_episode(features, rng) for _ in range(n)]
    return FeatureTransitions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@pytest.mark.parametrize("sweep", SWEEPS)
def test_planning_converges_to_lstd(sweep: str) -> None:
    batch, rng = episodes(20, 0), np.random.default_rng(1)
    # A discount below 1 and noise, so that LSTD differs from the exact values.
    noisy = batch._replace(reward=batch.reward + rng.normal(size=batch.reward.size))
    dyna = LinearEvaluation(
        4,
        gamma=0.9,
        sweep=sweep,
        model="recursive_least_squares",
        prior_variance=10.0,
        planning_step_size=1.0,
        threshold=1e-12,
    )
    dyna.update(noisy, rng)
    while dyna.plan(2000, rng) > 0:
        if np.abs(dyna.theta - dyna.fixed_point()).max() < 1e-10:
            break
    exact = least_squares_values(noisy, 0.9, ridge=0.1)
    np.testing.assert_allclose(dyna.fixed_point(), exact, atol=1e-8)
    np.testing.assert_allclose(dyna.theta, exact, atol=1e-8)
    assert np.abs(exact - least_squares_values(batch, 0.9)).max() > 0.01


@pytest.mark.parametrize("sweep", SWEEPS)
def test_evaluation_solves_boyan_chain(sweep: str) -> None:
    dyna = LinearEvaluation(
        4,
        sweep=sweep,
        model="recursive_least_squares",
        prior_variance=1e9,
        planning_steps=20,
        step_size=0.01,
        planning_step_size=1.0,
    )
    rng = np.random.default_rng(0)
    dyna.update(episodes(300, 3), rng)
    np.testing.assert_allclose(dyna.theta, chain_values(4), atol=0.8)
    # In this chain the expected next features are linear in the features only on average.
    np.testing.assert_allclose(dyna.fixed_point(), chain_values(4), atol=0.8)


def test_least_squares_model_equals_learner() -> None:
    batch = episodes(5, 2)
    dyna = LinearEvaluation(4, model="recursive_least_squares", planning_steps=0)
    dyna.update(batch, np.random.default_rng(0))
    learner = RecursiveLeastSquares(4, 5)
    learner.update(batch.features, np.column_stack((batch.next_features, batch.reward)))
    np.testing.assert_allclose(dyna.matrix, learner.weights[:, :4].T, atol=1e-10)
    np.testing.assert_allclose(dyna.reward, learner.weights[:, 4], atol=1e-10)


def test_zero_planning_steps_is_td() -> None:
    batch, theta = episodes(3, 4), np.zeros(4)
    dyna = LinearEvaluation(4, planning_steps=0, step_size=0.2, gamma=0.9)
    dyna.update(batch, np.random.default_rng(0))
    for x, reward, y in zip(*batch, strict=True):
        theta += 0.2 * (reward + 0.9 * y @ theta - x @ theta) * x
    np.testing.assert_allclose(dyna.theta, theta)


@pytest.mark.parametrize("sweep", ["pwma", "mg"])
def test_sweeping_updates_backwards(sweep: str) -> None:
    """0 leads to 1, 1 leads to 2, and 2 terminates with a new reward."""
    dyna = LinearEvaluation(
        3, sweep=sweep, planning_steps=2, step_size=1.0, planning_step_size=1.0, gamma=0.5
    )
    dyna.matrix[1, 0] = dyna.matrix[2, 1] = 1.0
    eye = np.eye(3)
    dyna.update(FeatureTransitions(eye[2:], np.ones(1), np.zeros((1, 3))), np.random.default_rng(0))
    np.testing.assert_allclose(dyna.theta, [0.25, 0.5, 1.0])


def test_excess_updates_reduce_next_budget() -> None:
    """Four features lead to the last one, and the first of them to itself."""
    dyna = LinearEvaluation(5, sweep="mg", planning_step_size=1.0, gamma=0.5)
    dyna.matrix[4, :4] = dyna.matrix[0, 0] = 1.0
    dyna.theta[4] = 1.0
    dyna.sweeping.priorities[4] = 1.0
    rng = np.random.default_rng(0)
    assert [dyna.plan(2, rng) for _ in range(3)] == [4, 0, 2]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_evaluation_resumes_bit_identically(sweep: str) -> None:
    one, other = (LinearEvaluation(4, sweep=sweep, planning_steps=3) for _ in range(2))
    rng = np.random.default_rng(5)
    one.update(episodes(2, 5), rng)
    other.set_state(one.get_state())
    for each in (one, other):
        each.update(episodes(3, 6), np.random.default_rng(7))
    np.testing.assert_equal(one.get_state(), other.get_state())
    with pytest.raises(ValueError, match="shape"):
        LinearEvaluation(5).set_state(one.get_state())


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_update_rejects_nan(wrong: float) -> None:
    dyna, batch = LinearEvaluation(4), episodes(1, 0)
    before = dyna.get_state()
    for name in ("features", "reward", "next_features"):
        column = getattr(batch, name).copy()
        column[-1] = wrong
        with pytest.raises(ValueError, match="expected finite"):
            dyna.update(batch._replace(**{name: column}), np.random.default_rng(0))
    with pytest.raises(ValueError, match="expected"):
        dyna.update(batch._replace(reward=batch.reward[:-1]), np.random.default_rng(0))
    np.testing.assert_equal(dyna.get_state(), before)
    with pytest.raises(ValueError, match="did you mean 'pwma'"):
        LinearEvaluation(4, sweep="pwm")


def test_queue_keeps_highest_priority() -> None:
    priorities = np.zeros(5)
    for feature, priority in ((3, 1.0), (1, 2.0), (3, 3.0), (4, 0.05), (1, 0.5), (0, 2.0)):
        raise_priority(priorities, feature, priority, 0.1)
    np.testing.assert_array_equal(priorities, [2, 2, 0, 3, 0])


# -- expectations and action values ----------------------------------------------------------------

# An action leads to s1 or s2, each as likely. In s1 the first action pays 1 and the second 0, in
# s2 the other way round, and the episode ends. So the action is worth 1, whatever happens.
ACTION_VALUES = np.array([[1.0, 0.0], [0.0, 1.0]])  # of s1 and s2, one-hot
EXPECTED = np.array([0.5, 0.5])


def test_state_values_are_unbiased() -> None:
    truth = ACTION_VALUES.max(axis=1).mean()  # E[max_a Q(s', a)]
    from_action_values = (EXPECTED @ ACTION_VALUES).max()  # max_a Q(E[s'], a)
    state_values: FloatArray = ACTION_VALUES.max(axis=1)  # v(s) = theta . x(s)
    assert (truth, from_action_values, EXPECTED @ state_values) == (1.0, 0.5, 1.0)


def test_default_step_size() -> None:
    dyna = LinearEvaluation(2, planning_steps=0)
    one = FeatureTransitions(np.array([[1.0, 0.5]]), np.array([2.0]), np.zeros((1, 2)))
    dyna.update(one, np.random.default_rng(0))
    np.testing.assert_allclose(dyna.theta, [0.2, 0.1])  # theta + alpha r x, with alpha = 0.1


def test_next_budgets_pay_excess() -> None:
    """A pop of "mg" updates all three features that lead on, whatever the budget."""
    model, sweeping = LinearExpectation(4, 1), FeatureSweeping(4, "mg")
    model.leads[0, :3, 3] = 1.0
    theta, rng, counts = np.zeros(4), np.random.default_rng(0), []
    for steps in (1, 1, 3, 5):
        sweeping.priorities[3] = 1.0
        among = np.arange(4)
        done = sweeping.plan(theta, model, steps, gamma=1.0, step_size=1.0, among=among, rng=rng)
        counts.append((done, sweeping.owed[0]))
    assert counts == [(3, 2), (0, 1), (3, 1), (3, 0)]
