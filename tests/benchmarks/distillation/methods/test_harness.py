"""Verdicts on paired gains."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    Comparison,
    arm_table,
    demand_text,
    is_met,
    paired_gain,
    values_of,
    verdict,
)
from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate
from dynamaze.benchmarks.harness.analysis.table import stack

HELPFUL, EQUAL = Comparison("a", "b", 4.0), Comparison("a", "b", -1.0, NULL)


@pytest.mark.parametrize(
    ("comparison", "interval", "expected", "met"),
    [
        (HELPFUL, (4.0, 0.1, 7.9), "helps", True),
        (HELPFUL, (3.9, 3.8, 4.0), "helps, less than demanded", False),
        (HELPFUL, (5.0, 0.0, 10.0), "null", False),
        (HELPFUL, (-5.0, -9.0, -1.0), "harms", False),
        (EQUAL, (0.0, -1.0, 1.0), "null, non-inferior", True),
        (EQUAL, (0.0, -1.1, 1.1), "null, not non-inferior", False),
        (EQUAL, (0.0, 0.0, 0.0), "null, non-inferior", True),
        (EQUAL, (-0.5, -0.9, -0.1), "harms, non-inferior", True),
        (EQUAL, (-2.0, -3.0, -0.1), "harms, not non-inferior", False),
        (EQUAL, (2.0, 1.0, 3.0), "helps", True),
    ],
)
def test_verdict(
    comparison: Comparison, interval: tuple[float, float, float], expected: str, met: bool
) -> None:
    gain = IntervalEstimate(*map(np.asarray, interval))
    assert verdict(gain, comparison) == expected
    assert is_met(gain, comparison) is met


def test_paired_gain_pairs_by_seed() -> None:
    gains = {0: 1.0, 1: 2.0, 2: 3.0}
    trials = [
        arm_table("toy", seed, {"b": {"return": 50.0 * seed}, "a": {"return": 50.0 * seed + gain}})
        for seed, gain in gains.items()
    ]
    rows = stack([trials[2], trials[0], trials[1]])  # seeds in any order
    values, gain = paired_gain(rows, HELPFUL)
    assert values.tolist() == [1.0, 2.0, 3.0]
    # Student's t with 2 degrees of freedom: 4.302653 times the standard error, 1 / sqrt(3).
    np.testing.assert_allclose(gain, (2.0, 2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), rtol=1e-6)
    assert values_of(rows, "a", "steps").size == 0


def test_harness_rejects() -> None:
    with pytest.raises(ValueError, match="claim='harms'; expected one of"):
        Comparison("a", "b", 1.0, "harms")
    with pytest.raises(ValueError, match=r"demand=1"):
        Comparison("a", "b", 1.0, NULL)
    with pytest.raises(ValueError, match=r"demand=-1"):
        Comparison("a", "b", -1.0)
    with pytest.raises(ValueError, match="return of 'a' in toy, seed 3, is nan; expected a finite"):
        arm_table("toy", 3, {"a": {"return": np.nan}})
    with pytest.raises(ValueError, match="a trial of toy without results"):
        arm_table("toy", 0, {})
    rows = arm_table("toy", 0, {"a": {"return": 1.0}})
    with pytest.raises(ValueError, match=r"no return of an arm 'b'; expected an arm of \['a'\]"):
        paired_gain(rows, HELPFUL)


def test_demand_text() -> None:
    assert demand_text(HELPFUL) == "mean >= +4"
    assert demand_text(EQUAL) == "low end >= -1"
