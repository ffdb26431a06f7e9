"""Bootstrap intervals of crossing points and ratios of medians."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.resampling import (
    crossing,
    crossing_interval,
    median_ratio,
)


def test_crossing_by_hand() -> None:
    updates = [0, 10, 20, 30]
    curves = {
        25: [0, -2, -1, 1],
        20: [0, -2, 0, 1],
        26: [0, 1, -3, 2],  # after the greatest lead
        np.inf: [0, -2, -1, -0.5],
        0: [0, 1, 2, 3],  # never below 0
    }
    for expected, curve in curves.items():
        assert crossing(updates, curve) == expected
    np.testing.assert_array_equal(crossing(updates, list(curves.values())), list(curves))


def test_crossing_interval_narrows() -> None:
    updates = np.arange(0, 101, 10)
    truth = np.minimum(updates, 100 - updates) * -1.0 + np.maximum(updates - 50, 0) * 2  # 0 at 66.7
    noise = np.random.default_rng(0).normal(scale=20, size=(400, 1))
    few, again, many = (
        crossing_interval(updates, truth + noise[:runs], rng=np.random.default_rng(0))
        for runs in (40, 40, 400)
    )
    for found in (few, many):
        assert found.low <= found.mean <= found.high
    assert many.high - many.low < (few.high - few.low) / 2
    assert many.low < 200 / 3 < many.high
    assert few == again


def test_median_ratio_of_infinite_runs() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.lognormal(3.0, 0.5, 40), rng.lognormal(0.0, 0.5, 40)
    second[:3] = np.inf
    found = median_ratio(first, second, rng=rng)
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(np.exp(3.0), rel=0.4)
    assert median_ratio(first, first, rng=rng).mean == 1.0
