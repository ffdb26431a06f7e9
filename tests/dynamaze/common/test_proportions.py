"""Intervals of proportions: exact coverage, and SciPy's numbers."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from dynamaze.common.arrays import FloatArray
from dynamaze.common.proportions import (
    IntervalEstimate,
    exact_lower_bound,
    fraction_interval,
    proportion_interval,
    root,
    wilson_interval,
)


def test_root_ends_after_200_steps() -> None:
    # Newton's steps towards a root of multiplicity 1001 shorten the distance by 1 / 1001 each.
    found = root(lambda x: x**1001, lambda x: 1001 * x**1000, 1.0, -2.0, 2.0)
    assert found == pytest.approx((1000 / 1001) ** 200, rel=1e-9)


def test_exact_lower_bound_matches_scipy() -> None:
    # scipy.stats.beta.ppf(0.035, successes, trials - successes + 1)
    for successes, trials, expected in (
        (1, 10, 0.003556378815577257),
        (3, 100, 0.007116359613964447),
        (50, 100, 0.4054930146917438),
        (500, 500, 0.9933176126821058),
    ):
        bound = exact_lower_bound(successes, trials, 0.035)
        assert bound == pytest.approx(expected, rel=1e-9)
    assert exact_lower_bound(0, 7, 0.035) == 0


def test_wilson_interval_matches_scipy() -> None:
    # scipy.stats.binomtest(successes, 10).proportion_ci(method="wilson"), to four digits.
    for successes, low, high in ((0, 0.0, 0.2775), (5, 0.2366, 0.7634), (10, 0.7225, 1.0)):
        interval = wilson_interval(successes, 10)
        assert interval.mean == successes / 10
        assert [*interval.low, *interval.high] == pytest.approx([low, high], abs=1e-4)
        assert interval.low <= interval.mean <= interval.high


def exact_coverage(interval: IntervalEstimate, trials: int, proportion: float) -> float:
    """Return the probability that the interval of 0, 1, ... successes contains the proportion."""
    chances = binomial(trials, proportion)
    return float(chances[(interval.low <= proportion) & (proportion <= interval.high)].sum())


def binomial(trials: int, proportion: float) -> FloatArray:
    """Return (trials + 1,) the probabilities of 0, 1, ... successes."""
    return np.array(
        [
            comb(trials, each) * proportion**each * (1 - proportion) ** (trials - each)
            for each in range(trials + 1)
        ]
    )


@pytest.mark.parametrize("trials", [1, 2, 3, 10, 30, 100])
def test_proportion_interval_covers_everywhere(trials: int) -> None:
    widened = proportion_interval(np.arange(trials + 1), trials)
    proportions = [*np.linspace(0.003, 0.997, 500), *(1e-4, 0.01, 0.05, 0.99)]
    assert min(exact_coverage(widened, trials, each) for each in proportions) >= 0.93
    # Wilson's own interval does not, so that this test can fail.
    wilson = wilson_interval(np.arange(trials + 1), trials)
    assert min(exact_coverage(wilson, trials, each) for each in proportions) < 0.92


def test_proportion_interval_contains_exact_one() -> None:
    # Beyond a few successes and failures it is not computed, for Wilson's interval contains it.
    for trials in (130, 400, 3000):
        counts = np.arange(55, trials // 2, 7)
        interval = proportion_interval(counts, trials)
        bounds = [exact_lower_bound(int(each), trials, 0.035) for each in counts]
        assert (interval.low <= bounds).all()
        assert (
            interval.high
            >= [1 - exact_lower_bound(trials - int(each), trials, 0.035) for each in counts]
        ).all()


def test_proportion_interval_broadcasts() -> None:
    interval = proportion_interval([[0, 3], [5, 6]], [6, 9])
    assert interval.mean.shape == interval.low.shape == (2, 2)
    assert interval.high[1, 0] == proportion_interval(5, 6).high


@pytest.mark.parametrize("wrong", [(3, 2), (-1, 5), (0, 0), (0.5, 2)])
def test_proportion_interval_rejects_bad_counts(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected whole numbers"):
        proportion_interval(*wrong)


def test_fraction_interval_contains_that_of_whole_numbers() -> None:
    fractions = np.array([[1.0, 0.0], [0.5, 0.0], [0.75, 1.0]])
    found = fraction_interval(fractions)
    assert found.mean == pytest.approx([0.75, 1 / 3])
    assert found.low[0] == proportion_interval(2, 3).low[0]
    assert found.high[0] == proportion_interval(3, 3).high[0]
    assert found.high[1] == proportion_interval(1, 3).high[0]
    assert fraction_interval(np.full(10, 0.1)).high.shape == ()


@pytest.mark.parametrize("mazes", [5, 30, 100])
@pytest.mark.parametrize("solved", [0.0, 0.4, 0.95])
def test_fraction_interval_covers_clusters(mazes: int, solved: float) -> None:
    """Cells of a maze fail together: of each failed maze the same fraction is solved."""
    failed = np.arange(mazes + 1)
    # A column for each number of failed mazes.
    interval = fraction_interval(np.where(np.arange(mazes)[:, None] < failed, solved, 1.0))
    for probability in (0.001, 0.01, 0.02, 0.05, 0.2, 0.5, 0.9):
        truth = 1 - probability * (1 - solved)
        covers = (interval.low <= truth) & (truth <= interval.high)
        assert binomial(mazes, probability)[covers].sum() >= 0.93


def test_cells_are_no_independent_trials() -> None:
    """The interval of as many trials as cells, of which mazes decide, covers far less."""
    mazes, cells, probability = 100, 60, 0.02
    solved = cells * (mazes - np.arange(mazes + 1))
    interval = proportion_interval(solved, cells * mazes)
    covers = (interval.low <= 1 - probability) & (1 - probability <= interval.high)
    assert binomial(mazes, probability)[covers].sum() < 0.3
