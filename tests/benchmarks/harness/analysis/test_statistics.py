"""Statistics of scores, paired differences and times: brute force, textbooks, stored numbers."""

from __future__ import annotations

import importlib.util
import json
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis import statistics
from dynamaze.benchmarks.harness.analysis.intervals import (
    mean_interval,
    proportion_interval,
    student_t_quantile,
)
from dynamaze.benchmarks.harness.analysis.statistics import (
    censored_at,
    fraction_recovered,
    interquartile_mean,
    kaplan_meier,
    log_rank,
    match_pairs,
    mean_score,
    median_score,
    optimality_gap,
    paired_difference,
    performance_profile,
    performance_profile_interval,
    probability_of_improvement,
    ratio_of_means,
    restricted_mean,
    stratified_bootstrap,
)

# -- rliable 1.2.0 -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rliable() -> Any:
    """Return the module that made the stored numbers; its scores are computed again."""
    path = Path(__file__).with_name("rliable_numbers.py")
    spec = importlib.util.spec_from_file_location("rliable_numbers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stored(rliable: Any) -> dict[str, Any]:
    numbers: dict[str, Any] = json.loads(rliable.PATH.read_text())
    return numbers


@pytest.mark.parametrize(
    "name", ["interquartile_mean", "median_score", "mean_score", "optimality_gap"]
)
def test_aggregates_match_rliable(rliable: Any, stored: dict[str, Any], name: str) -> None:
    first, _ = rliable.example_scores()
    function = getattr(statistics, name)
    assert function(first) == pytest.approx(stored[name]["mean"], abs=1e-15)
    # rliable's bounds are of 20,000 repetitions with other random numbers: their own standard
    # error is about 1e-3.
    interval = stratified_bootstrap(function, first, rng=np.random.default_rng(0))
    assert interval.low == pytest.approx(stored[name]["low"], abs=1e-2)
    assert interval.high == pytest.approx(stored[name]["high"], abs=1e-2)


def test_probability_of_improvement_matches_rliable(rliable: Any, stored: dict[str, Any]) -> None:
    scores = rliable.example_scores()
    expected = stored["probability_of_improvement"]
    assert probability_of_improvement(*scores) == pytest.approx(expected["mean"], abs=1e-15)
    rng = np.random.default_rng(0)
    interval = stratified_bootstrap(probability_of_improvement, *scores, rng=rng, repetitions=1000)
    assert interval.low == pytest.approx(expected["low"], abs=1e-2)
    assert interval.high == pytest.approx(expected["high"], abs=1e-2)


def test_performance_profile_matches_rliable(rliable: Any, stored: dict[str, Any]) -> None:
    first, _ = rliable.example_scores()
    profile = performance_profile(first, rliable.THRESHOLDS)
    np.testing.assert_allclose(profile, stored["performance_profile"]["mean"], atol=1e-15)


# -- brute force -------------------------------------------------------------------------------


def test_interquartile_mean_small() -> None:
    assert interquartile_mean([[8.0, 1.0], [2.0, 100.0], [4.0, 3.0], [5.0, 6.0]]) == 4.5
    assert median_score([[0.0, 1.0, 9.0], [2.0, 3.0, 9.0]]) == 2.0
    assert mean_score([[0.0, 1.0], [2.0, 3.0]]) == 1.5
    assert optimality_gap([[0.5, 2.0]]) == 0.25


def test_statistics_batches_equal_single() -> None:
    scores = np.random.default_rng(0).random((5, 7, 3))
    for function in (interquartile_mean, median_score, mean_score, optimality_gap):
        np.testing.assert_array_equal(function(scores), [function(each) for each in scores])
    profile = performance_profile(scores, [0.2, 0.5])
    np.testing.assert_array_equal(profile[2], performance_profile(scores[2], [0.2, 0.5]))


def test_probability_of_improvement_counts_ties() -> None:
    first, second = np.array([[1.0], [2.0]]), np.array([[1.0], [0.0], [3.0]])
    wins = [(a > b) + 0.5 * (a == b) for a, b in product(first.ravel(), second.ravel())]
    assert probability_of_improvement(first, second) == pytest.approx(np.mean(wins))
    with pytest.raises(ValueError, match="2 and 1 tasks"):
        probability_of_improvement(np.ones((3, 2)), first)


def test_bootstrap_matches_all_resamples() -> None:
    scores = np.array([[0.0, 10.0], [1.0, 30.0], [5.0, 20.0]])
    left, right = (np.array(list(product(scores[:, task], repeat=3))) for task in (0, 1))
    means = [(a.mean() + b.mean()) / 2 for a, b in product(left, right)]
    interval = stratified_bootstrap(
        mean_score, scores, rng=np.random.default_rng(0), repetitions=40_000, confidence=0.8
    )
    np.testing.assert_allclose(
        [interval.low, interval.high], np.quantile(means, [0.1, 0.9]), atol=0.2
    )


def test_bootstrap_keeps_tasks_apart() -> None:
    # Within each task all runs are equal: a bootstrap that mixed them would have a spread.
    scores = np.tile([1.0, 5.0, 9.0], (4, 1))
    interval = stratified_bootstrap(mean_score, scores, rng=np.random.default_rng(0))
    assert (interval.mean, interval.low, interval.high) == (5.0, 5.0, 5.0)


def test_bootstrap_depends_on_generator_alone() -> None:
    scores = np.random.default_rng(1).random((20, 3))
    draw = partial(stratified_bootstrap, interquartile_mean, scores, repetitions=200)
    first, again, other = (draw(rng=np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first == again
    assert first.low != other.low


def test_bootstrap_of_profile_has_its_shape() -> None:
    scores = np.random.default_rng(1).random((20, 3))
    profile = partial(performance_profile, thresholds=[0.1, 0.5, 0.9])
    interval = stratified_bootstrap(profile, scores, rng=np.random.default_rng(0))
    assert interval.mean.shape == interval.low.shape == interval.high.shape == (3,)
    exact = performance_profile_interval(scores, [0.1, 0.5, 0.9])
    np.testing.assert_array_equal(exact.mean, interval.mean)
    # The bootstrap has no width where no score is above the threshold.
    assert performance_profile_interval(scores, [2.0]).high > 0


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 0), (2, 3, 4)])
def test_bootstrap_rejects_bad_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="scores of shape"):
        stratified_bootstrap(mean_score, np.ones(shape), rng=np.random.default_rng(0))


# -- paired differences ------------------------------------------------------------------------


def test_ratio_of_means_is_paired() -> None:
    """Equal ratios have no spread; the interval is that of the residuals, over the mean."""
    difficulty = np.array([1.0, 5.0, 20.0, 3.0])
    assert ratio_of_means(0.5 * difficulty, difficulty) == (0.5, 0.5, 0.5)
    first = 0.5 * difficulty + np.array([1.0, -1.0, 1.0, -1.0])
    found = ratio_of_means(first, difficulty)
    ratio = first.sum() / difficulty.sum()
    residuals = first - ratio * difficulty
    half = student_t_quantile(0.975, 3) * residuals.std(ddof=1) / 2 / difficulty.mean()
    assert found == pytest.approx((ratio, ratio - half, ratio + half))


def test_ratio_of_means_covers() -> None:
    """95% of the intervals; of 2000, fewer than 92.5% do with a probability below 1e-6."""
    rng = np.random.default_rng(0)
    second = rng.gamma(2.0, size=(2000, 100))
    first = 0.7 * second + rng.normal(scale=0.3, size=second.shape)
    found = [ratio_of_means(one, other) for one, other in zip(first, second, strict=True)]
    assert np.mean([low <= 0.7 <= high for _, low, high in found]) > 0.925


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1.0, 2.0], [1.0], "expected pairs"),
        ([1.0, 2.0], [0.0, 0.0], "expected one above 0"),
        ([1.0], [1.0], "expected at least 2"),
    ],
)
def test_ratio_of_means_refuses(first: list[float], second: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ratio_of_means(first, second)


def test_paired_difference_by_maze() -> None:
    first, second = np.array([3.0, 5.0, 10.0, 14.0]), np.array([1.0, 1.0, 1.0, 1.0])
    assert paired_difference(first, second) == mean_interval(first - second)
    by_maze = paired_difference(first, second, mazes=["a", "a", "b", "b"])
    assert by_maze == mean_interval([3.0, 11.0])
    with pytest.raises(ValueError, match="one for each of 4 pairs"):
        paired_difference(first, second, mazes=[1, 2])
    with pytest.raises(ValueError, match="expected pairs"):
        paired_difference(first, second[:3])


def test_match_pairs_by_key() -> None:
    one, other = match_pairs([("m", 1), ("m", 2), ("k", 1)], [("k", 1), ("m", 1), ("z", 9)])
    assert (one.tolist(), other.tolist()) == ([0, 2], [1, 0])
    with pytest.raises(ValueError, match="is there twice"):
        match_pairs([1, 1], [1])
    with pytest.raises(ValueError, match="no key"):
        match_pairs([1], [2])


# -- times -------------------------------------------------------------------------------------

# Weeks of remission with 6-MP and with a placebo (Freireich et al. 1963; Kleinbaum and Klein 2012,
# tables 1.1 and 2.2). Each list: events, then censored.
EVENTS = [6, 6, 6, 7, 10, 13, 16, 22, 23]
CENSORED = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
TREATED = (EVENTS + CENSORED, [True] * len(EVENTS) + [False] * len(CENSORED))
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_kaplan_meier_matches_textbook() -> None:
    curve = kaplan_meier(*TREATED)
    assert curve.time.tolist() == [0, 6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk.tolist() == [21, 21, 17, 15, 12, 11, 7, 6]
    expected = [1, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    np.testing.assert_allclose(curve.survival, expected, atol=5e-4)
    # R's survfit(conf.type = "log-log") at 6 weeks
    assert (curve.low[1], curve.high[1]) == pytest.approx((0.6197, 0.9516), abs=1e-4)


def test_kaplan_meier_without_censoring_counts() -> None:
    curve = kaplan_meier([3, 1, 2, 2], [True] * 4)
    np.testing.assert_allclose(curve.survival, [1, 0.75, 0.25, 0], atol=1e-15)
    # The ends are those of a proportion, for which Greenwood's variance does not exist.
    assert curve.high[-1] == proportion_interval(0, 4).high
    assert curve.low[0] == proportion_interval(4, 4).low
    at = curve.at([0.5, 1, 2.5])
    np.testing.assert_allclose(at.mean, [1, 0.75, 0.25], atol=1e-15)


def test_restricted_mean_matches_textbook() -> None:
    # The area below the textbook's curve until week 35.
    steps, ends = (
        [1, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448],
        [0, 6, 7, 10, 13, 16, 22, 23],
    )
    area = np.dot(steps, np.diff([*ends, 35]))
    interval = restricted_mean(*TREATED, horizon=35)
    assert interval.mean == pytest.approx(area, abs=0.02)
    assert 0 < interval.low < interval.mean < interval.high < 35


def test_restricted_mean_without_censoring_is_students() -> None:
    times = np.random.default_rng(0).exponential(5, 20)
    interval = restricted_mean(*censored_at(times, 8), horizon=8)
    np.testing.assert_allclose(interval, mean_interval(np.minimum(times, 8)), rtol=1e-12)


def test_restricted_mean_rejects_unknown_curve() -> None:
    with pytest.raises(ValueError, match="horizon=36; expected at most 35"):
        restricted_mean(*TREATED, horizon=36)
    with pytest.raises(ValueError, match="horizon=4; expected at most 3"):
        restricted_mean([1, 3, 3], [True, True, False], horizon=4)
    # All have recovered before the horizon: the rest of the curve is 0.
    assert restricted_mean([1, 3], [True, True], horizon=9).mean == 2


def test_log_rank_matches_textbook() -> None:
    # Kleinbaum and Klein: chi-square 16.79 with 1 degree of freedom.
    assert log_rank(TREATED, (PLACEBO, [True] * 21)) == pytest.approx(4.17e-5, rel=2e-3)
    assert log_rank(TREATED, TREATED) == pytest.approx(1.0)
    assert log_rank(([1.0], [False]), ([2.0], [False])) == 1.0


def test_fraction_recovered_counts_infinite_times() -> None:
    assert fraction_recovered([1.0, np.inf, 5.0, np.nan], 4.0) == proportion_interval(1, 4)


@pytest.mark.parametrize("wrong", [([], []), ([1.0], [True, False]), ([-1.0], [True])])
def test_kaplan_meier_rejects_bad_times(wrong: tuple[list[float], list[bool]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        kaplan_meier(*wrong)
    with pytest.raises(ValueError, match="time inf"):
        kaplan_meier([np.inf], [True])
