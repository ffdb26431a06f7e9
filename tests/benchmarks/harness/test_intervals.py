"""Confidence intervals: coverage, printed tables, limits and text."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.intervals import (
    IntervalEstimate,
    format_interval,
    mean_interval,
    proportion_interval,
    quantile_interval,
    student_t_quantile,
)

# Student's t, from a printed table (0.975 and 0.95).
QUANTILES = [
    (0.975, 9, 2.2622),
    (0.975, 29, 2.0452),
    (0.975, 499, 1.9647),
    (0.95, 9, 1.8331),
    (0.95, 99, 1.6604),
    (0.5, 4, 0.0),
]


@pytest.mark.parametrize(("probability", "degrees", "expected"), QUANTILES)
def test_student_t_quantile_matches_tables(
    probability: float, degrees: int, expected: float
) -> None:
    assert student_t_quantile(probability, degrees) == pytest.approx(expected, abs=1e-3)


def test_mean_interval_coverage() -> None:
    rng = np.random.default_rng(0)
    interval = mean_interval(rng.normal(3.0, 2.0, size=(12, 20_000)))
    covered = ((interval.low <= 3) & (interval.high >= 3)).mean()
    # 5 standard errors of 20,000 trials: a false alarm about once in 10^6 fixed seeds.
    assert abs(covered - 0.95) <= 5 * np.sqrt(0.95 * 0.05 / 20_000)


def test_mean_interval_averages_runs() -> None:
    interval = mean_interval([[1.0, 10.0], [3.0, 10.0]])
    np.testing.assert_array_equal(interval.mean, [2, 10])
    assert interval.low[0] < 2 < interval.high[0]
    assert interval.low[1] == interval.high[1] == 10


def test_mean_interval_rejects_one_run() -> None:
    with pytest.raises(ValueError, match="1 runs; expected at least 2"):
        mean_interval([[1.0, 2.0]])
    with pytest.raises(ValueError, match="probability=1"):
        student_t_quantile(1, 5)


def test_format_interval_clips_ends() -> None:
    interval = IntervalEstimate(np.array(99.46), np.array(98.96), np.array(100.04))
    assert format_interval(interval, unit="%", maximum=100) == "99.5% [99.0, 100.0]"
    assert format_interval(interval, 2, sign="+") == "+99.46 [98.96, 100.04]"
    low = IntervalEstimate(np.array(0.2), np.array(-0.1), np.array(0.5))
    assert format_interval(low, minimum=0) == "0.2 [0.0, 0.5]"
    assert format_interval(low, unit=" steps") == "0.2 steps [-0.1, 0.5]"


def test_proportion_interval() -> None:
    # scipy.stats.binomtest(successes, 10).proportion_ci(method="wilson"), to four digits.
    for successes, low, high in ((0, 0.0, 0.2775), (5, 0.2366, 0.7634), (10, 0.7225, 1.0)):
        interval = proportion_interval(successes, 10)
        assert interval.mean == successes / 10
        assert [*interval.low, *interval.high] == pytest.approx([low, high], abs=1e-4)
        assert interval.low <= interval.mean <= interval.high


def test_quantile_interval_coverage() -> None:
    # Of 2000 intervals about 95% or a little more cover; fewer than 93.5% once in 1000 times.
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        interval = quantile_interval(rng.exponential(size=30))
        covered += interval.low <= np.log(2) <= interval.high
    assert 0.935 <= covered / 2000 <= 0.985


def test_quantile_interval_infinite_ends() -> None:
    interval = quantile_interval([1.0, 2.0, 3.0, 4.0], 0.9)
    assert interval == (4.0, 3.0, np.inf) or interval.high == np.inf
    # The ends of 10 samples' median: the 2nd and the 9th (Conover 1999, table A3).
    assert quantile_interval(np.arange(1.0, 11.0))[1:] == (2.0, 9.0)
    with_infinity = quantile_interval([1.0, 2.0, np.inf])
    assert with_infinity.mean == 2.0


@pytest.mark.parametrize("wrong", [([], 0.5), ([1.0], 0.0), ([1.0], 1.0)])
def test_quantile_interval_rejects_bad_input(wrong: tuple[list[float], float]) -> None:
    with pytest.raises(ValueError, match="expected at least 1 sample"):
        quantile_interval(*wrong)
