"""Cells of summaries: estimates and intervals by the kind of quantity."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.intervals import proportion_interval, quantile_interval
from dynamaze.benchmarks.harness.analysis.summaries import (
    count_text,
    mean_share_text,
    mean_text,
    median_interval,
    median_text,
    share_text,
)


def test_mean_text_marks_few_runs() -> None:
    assert mean_text([1.0, 3.0], 0, kind="mean", unit="%") == "2% [-11, 15] (!)"
    assert mean_text(np.tile([1.0, 3.0], 50), 1, kind="mean", sign="+") == "+2.0 [1.8, 2.2]"
    assert mean_text([5.0, 5.0], 1, kind="mean") == "5.0 (all equal)"
    even = np.tile([1.0, 3.0], 8)  # the kind is that of the quantity, not of these runs
    assert mean_text(even, 0, kind="mean") == "2 [1, 3]"
    assert mean_text(even, 0, kind="time") == "2 [1, 3] (!)"


def test_median_interval_is_finite_for_few_runs() -> None:
    for runs in (4, 5):
        few = np.arange(float(runs))
        assert np.isinf(quantile_interval(few).high)
        assert [float(part) for part in median_interval(few)][1:] == [0, runs - 1]
    enough = np.arange(6.0)
    for found, expected in zip(median_interval(enough), quantile_interval(enough), strict=True):
        assert float(found) == float(expected)


def test_median_text_marks_few_runs() -> None:
    assert median_text([1.0, 2.0, 3.0, 4.0]).endswith("[1, 4] (!)")
    assert median_text([1.0, 2.0, 3.0, 4.0, 5.0]) == "3 [1, 5]"  # 1 - 2 / 2^5 = 93.75%


def test_median_interval_of_curves() -> None:
    samples = np.random.default_rng(0).random((20, 3))
    found = median_interval(samples)
    assert found.mean.shape == (3,)
    assert float(found.low[1]) == float(quantile_interval(samples[:, 1]).low)


def test_median_text_names_limit() -> None:
    samples = [100.0] * 8 + [np.inf] * 4
    assert median_text(samples, limit=2000) == "100 [100, over 2000]"
    assert median_text([1.0, 2.0]) == "1 [1, 2] (!)"
    assert median_text([np.inf] * 12, limit=50) == "over 50"


def test_share_text_is_wilsons() -> None:
    _, low, high = (100 * float(part.item()) for part in proportion_interval(9, 10))
    assert share_text([1] * 9 + [0]) == f"90% [{low:.0f}, {high:.0f}]"


def test_mean_share_text_has_width_without_failures() -> None:
    assert mean_share_text([1.0] * 5, kind="time") == share_text([1.0] * 5, 1)
    low = 100 * float(proportion_interval(5, 5).low.item())
    assert mean_share_text([1.0] * 5, kind="time") == f"100.0% [{low:.1f}, 100.0]"
    shares = [0.9, 1.0, 0.8]
    assert mean_share_text(shares, 2, kind="time") == mean_text(
        [90.0, 100.0, 80.0], 2, kind="time", unit="%"
    )


@pytest.mark.parametrize(("runs", "text"), [(30, "n = 30"), ([30, 4], "n = 4 to 30")])
def test_count_text_states_range(runs: int | list[int], text: str) -> None:
    assert count_text(runs) == text
