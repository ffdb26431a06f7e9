"""Linear learners against normal equations and batch posteriors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.agents.learners.linear import (
    BayesianLinear,
    LinearLeastMeanSquares,
    RecursiveLeastSquares,
)
from dynamaze.agents.learners.per_action import PerAction

LEARNERS: dict[str, Any] = {
    "least_mean_squares": LinearLeastMeanSquares,
    "recursive": RecursiveLeastSquares,
    "forgetting": lambda i, o: RecursiveLeastSquares(i, o, forgetting=0.9),
    "bayesian": BayesianLinear,
    "known_noise": lambda i, o: BayesianLinear(i, o, noise=0.25),
    "per_action": lambda i, o: PerAction(RecursiveLeastSquares, i - 2, 2, o),
}


@pytest.fixture(params=sorted(LEARNERS))
def make(request: pytest.FixtureRequest) -> Any:
    return LEARNERS[request.param]


def data(n: int, seed: int = 0) -> tuple[Any, Any]:
    """Five inputs, the last two a one-hot action, and two outputs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    x[:, 3:] = np.eye(2)[rng.integers(2, size=n)]
    return x, x @ rng.normal(size=(5, 2)) + 0.3 * rng.normal(size=(n, 2))


def test_lms_equals_widrow_hoff() -> None:
    x, y = data(50)
    for normalised in (True, False):
        learner = LinearLeastMeanSquares(
            5, 2, step_size=0.05, normalised=normalised, averaging=False
        )
        learner.update(x, y)
        weights = np.zeros((5, 2))
        for row, target in zip(x, y, strict=True):
            length = row @ row if normalised else 1
            weights += 0.05 * np.outer(row, target - row @ weights) / length
        np.testing.assert_allclose(learner.weights, weights)


def test_lms_averages_one_hot_inputs() -> None:
    learner = LinearLeastMeanSquares(2, 1, step_size=0.25)
    targets = [3.0, 5.0, 4.0, 8.0, 9.0]
    for count, target in enumerate(targets, 1):
        learner.update([[0, 1]], [[target]])
        if count <= 4:
            assert learner.weights[1, 0] == pytest.approx(np.mean(targets[:count]))
    assert learner.weights[1, 0] == pytest.approx(5 + (9 - 5) / 4)
    assert learner.weights[0, 0] == 0


def test_lms_rejects_divergence() -> None:
    learner = LinearLeastMeanSquares(1, 1, step_size=3.0, normalised=False, averaging=False)
    learner.update([[1.0]], [[1.0]])
    with pytest.raises(ValueError, match="diverge"):
        learner.update(np.full((400, 1), 9.0), np.ones((400, 1)))
    assert learner.weights[0, 0] == 3


def test_rls_solves_normal_equations() -> None:
    x, y = data(80)
    learner = RecursiveLeastSquares(5, 2, prior_variance=10.0)
    for part in np.split(np.arange(80), [1, 2, 30]):
        learner.update(x[part], y[part])
    precision = x.T @ x + np.eye(5) / 10
    weights = np.linalg.solve(precision, x.T @ y)
    np.testing.assert_allclose(learner.weights, weights, atol=1e-10)
    np.testing.assert_allclose(learner.spread, np.linalg.inv(precision), atol=1e-10)
    left = ((y - x @ weights) ** 2).sum(axis=0) + (weights**2).sum(axis=0) / 10
    np.testing.assert_allclose(learner.squares, left)
    estimate = learner.predict(x[:3])
    np.testing.assert_allclose(
        estimate.epistemic / estimate.noise,
        np.einsum("bi,ij,bj->b", x[:3], np.linalg.inv(precision), x[:3])[:, None].repeat(2, 1),
    )


def test_rls_noise_approaches_sample_variance() -> None:
    """With a constant input, a flat prior and 1000 targets the corrections differ by below 1%."""
    y = np.random.default_rng(0).normal(3, [0.5, 4], (1000, 2))
    learner = RecursiveLeastSquares(1, 2, prior_variance=1e6)
    learner.update(np.ones((1000, 1)), y)
    np.testing.assert_allclose(learner.noise, y.var(axis=0, ddof=1), rtol=0.01)


def test_rls_forgetting_weights_by_age() -> None:
    x, y = data(40)
    x[:, 3:] += 0.1  # all directions are seen
    learner = RecursiveLeastSquares(5, 2, prior_variance=1e3, forgetting=0.9)
    learner.update(x, y)
    age = 0.9 ** np.arange(40)[::-1, None]
    precision = (age * x).T @ x + np.eye(5) / 1e3 * 0.9**40
    np.testing.assert_allclose(learner.weights, np.linalg.solve(precision, (age * x).T @ y))


def test_rls_uncertainty_stays_bounded() -> None:
    learner = RecursiveLeastSquares(2, 1, prior_variance=100.0, forgetting=0.5)
    for _ in range(2000):
        learner.update([[1.0, 0.0]], [[1.0]])
    assert learner.spread[1, 1] <= 400
    assert learner.predict([[1.0, 0.0]]).mean[0, 0] == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("noise", [None, 0.09])
def test_bayesian_posterior_equals_batch(noise: float | None) -> None:
    x, y = data(60)
    learner = BayesianLinear(5, 2, prior_variance=4.0, noise=noise, prior_shape=3, prior_noise=0.5)
    for part in np.split(np.arange(60), [1, 2, 4, 40]):
        learner.update(x[part], y[part])
    scale = 1.0 if noise is None else noise
    precision = x.T @ x / scale + np.eye(5) / 4
    mean = np.linalg.solve(precision, x.T @ y / scale)
    np.testing.assert_allclose(learner.weights, mean, atol=1e-10)
    np.testing.assert_allclose(learner.spread, np.linalg.inv(precision), atol=1e-10)
    new, _ = data(7, seed=1)
    shares = np.einsum("bi,ij,bj->b", new, np.linalg.inv(precision), new)[:, None]
    estimate = learner.predict(new)
    np.testing.assert_allclose(estimate.mean, new @ mean)
    if noise is not None:
        np.testing.assert_allclose(estimate.epistemic, shares.repeat(2, axis=1))
        assert (estimate.noise == noise).all()
        return
    # Murphy 2012, the equations before 7.76.
    shape = 3 + 60 / 2
    rate = 0.5 * 2 + ((y**2).sum(axis=0) - np.einsum("io,ij,jo->o", mean, precision, mean)) / 2
    np.testing.assert_allclose(learner.shape, shape)
    np.testing.assert_allclose(learner.scale, rate)
    np.testing.assert_allclose(estimate.noise, (rate / (shape - 1))[None].repeat(7, axis=0))
    np.testing.assert_allclose(estimate.epistemic, shares * rate / (shape - 1))


def test_bayesian_draws_match_predictive() -> None:
    x, y = data(12)
    learner = BayesianLinear(5, 2, prior_shape=6.0, prior_noise=0.1)
    learner.update(x, y)
    many = np.repeat(x[:1], 40_000, axis=0)
    drawn, estimate = learner.draw(many, np.random.default_rng(0)), learner.predict(x[:1])
    variance = (estimate.epistemic + estimate.noise)[0]
    np.testing.assert_allclose(
        drawn.mean(axis=0), estimate.mean[0], atol=6 * np.sqrt(variance.max() / 40_000)
    )
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.08)
    inside = np.abs(drawn - estimate.mean) < 1.6449 * np.sqrt(variance)
    assert (inside.mean(axis=0) > 0.9).all()  # Student's t has more in the middle


@pytest.mark.parametrize("noise", [None, 0.09])
def test_bayesian_intervals_are_calibrated(noise: float | None) -> None:
    # 2500 problems of the prior's kind, one target each, from 1 to 12 examples: a binomial share,
    # within 4 standard errors (0.024) of 0.9. A false alarm in 16000 seeds.
    stats = pytest.importorskip("scipy.stats", reason="Student's t")
    rng = np.random.default_rng(0)
    inside = 0
    for problem in range(2500):
        variance = 0.09 if noise is not None else 0.2 / rng.standard_gamma(3.0)
        scale = 1.0 if noise is not None else variance
        weights = np.sqrt(4.0 * scale) * rng.standard_normal((3, 1))
        x = rng.standard_normal((2 + problem % 12, 3))
        y = x @ weights + np.sqrt(variance) * rng.standard_normal((len(x), 1))
        learner = BayesianLinear(
            3, 1, prior_variance=4.0, noise=noise, prior_shape=3.0, prior_noise=0.1
        )
        learner.update(x[1:], y[1:])
        mean, epistemic, spread = learner.predict(x[:1])
        half = 1.6449 * np.sqrt(epistemic + spread)
        if noise is None:  # Student's t, whose variance is that of its scale times this
            freedom = 2 * learner.shape
            half = stats.t.ppf(0.95, freedom) * np.sqrt(
                (epistemic + spread) * (freedom - 2) / freedom
            )
        inside += int((np.abs(y[:1] - mean) < half).all())
    assert abs(inside / 2500 - 0.9) < 4 * np.sqrt(0.09 / 2500)


# -- validation and state -------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_invalid_numbers_rejected(make: Any, wrong: float) -> None:
    x, y = data(10)
    learner = make(5, 2)
    learner.update(x, y)
    before = learner.get_state()
    bad_x, bad_y = x.copy(), y.copy()
    bad_x[3, 1], bad_y[9, 0] = wrong, wrong
    for inputs, targets in ((bad_x, y), (x, bad_y), (x[:, :4], y), (x, y[:5]), (x[0], y[0])):
        with pytest.raises(ValueError, match="expected"):
            learner.update(inputs, targets)
        np.testing.assert_equal(learner.get_state(), before)
    with pytest.raises(TypeError, match="real numbers"):
        learner.predict([["a"] * 5])


def test_state_is_copy_and_restores(make: Any) -> None:
    x, y = data(30)
    one, other = make(5, 2), make(5, 2)
    one.update(x[:20], y[:20])
    state, same = one.get_state(), one.get_state()
    other.set_state(state)
    for each in (one, other):
        each.update(x[20:], y[20:])
    np.testing.assert_equal(state, same)
    np.testing.assert_equal(one.get_state(), other.get_state())
    left, right = (each.draw(x, np.random.default_rng(1)) for each in (one, other))
    np.testing.assert_array_equal(left, right)
    before = other.get_state()
    with pytest.raises(ValueError, match="expected"):
        other.set_state(dict(list(state.items())[1:]))
    np.testing.assert_equal(other.get_state(), before)


def test_queries_and_empty_updates_change_nothing(make: Any) -> None:
    x, y = data(10)
    learner = make(5, 2)
    learner.update(x, y)
    before = learner.get_state()
    for part in learner.predict(x):
        assert part.shape == (10, 2)
        part[:] = 9
    learner.predict_mean(x)[:] = 9
    learner.draw(x, np.random.default_rng(0))
    learner.update(x[:0], y[:0])
    np.testing.assert_equal(learner.get_state(), before)
    assert learner.predict(x[:0]).mean.shape == (0, 2)
    np.testing.assert_allclose(learner.predict_mean(x), learner.predict(x).mean)


def test_rls_noise_nears_residual_variance() -> None:
    learner = RecursiveLeastSquares(1, 1, prior_variance=1e9)
    targets = np.array([[-2.0], [2.0]] * 100)
    learner.update(np.ones((200, 1)), targets)
    np.testing.assert_allclose(learner.noise, 4, rtol=0.05)
