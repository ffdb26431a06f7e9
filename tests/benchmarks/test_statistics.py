"""Means with honest intervals."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.statistics import (
    Interval,
    mean_interval,
    student_quantile,
    written,
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
def test_quantiles_are_those_of_the_printed_table(
    probability: float, degrees: int, expected: float
) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(expected, abs=1e-3)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    interval = mean_interval(rng.normal(3.0, 2.0, size=(12, 20_000)))
    covered = ((interval.low <= 3) & (interval.high >= 3)).mean()
    # 5 standard errors of 20,000 trials: a false alarm about once in 10^6 fixed seeds.
    assert abs(covered - 0.95) <= 5 * np.sqrt(0.95 * 0.05 / 20_000)


def test_the_mean_is_over_the_runs() -> None:
    interval = mean_interval([[1.0, 10.0], [3.0, 10.0]])
    np.testing.assert_array_equal(interval.mean, [2, 10])
    assert interval.low[0] < 2 < interval.high[0]
    assert interval.low[1] == interval.high[1] == 10


def test_one_run_has_no_interval() -> None:
    with pytest.raises(ValueError, match="1 runs; expected at least 2"):
        mean_interval([[1.0, 2.0]])
    with pytest.raises(ValueError, match="probability=1"):
        student_quantile(1, 5)


def test_an_interval_is_written_within_what_can_be() -> None:
    interval = Interval(np.array(99.46), np.array(98.96), np.array(100.04))
    assert written(interval, unit="%", most=100) == "99.5% [99.0, 100.0]"
    assert written(interval, 2, sign="+") == "+99.46 [98.96, 100.04]"
    low = Interval(np.array(0.2), np.array(-0.1), np.array(0.5))
    assert written(low, least=0) == "0.2 [0.0, 0.5]"
    assert written(low, unit=" steps") == "0.2 steps [-0.1, 0.5]"
