"""Confidence intervals: coverage, printed tables, limits and text."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_BY_KIND,
    IntervalEstimate,
    _root,
    exact_lower_bound,
    few_runs,
    format_interval,
    geometric_mean_interval,
    mean_interval,
    proportion_interval,
    quantile_interval,
    quantile_ranks,
    student_t_quantile,
    wilson_interval,
)

# scipy.stats.t.ppf(probability, degrees) of SciPy 1.17.1
QUANTILES = [
    (1e-06, 1, -318309.8861827435),
    (0.975, 1, 12.706204736174694),
    (0.9995, 2, 31.599054576445365),
    (0.975, 2, 4.302652729749462),
    (1e-06, 3, -103.29946778041935),
    (0.975, 3, 3.1824463052837078),
    (0.975, 4, 2.7764451051977934),
    (0.9995, 9, 4.780912585931217),
    (0.975, 9, 2.262157162798205),
    (0.9, 29, 1.311433647301551),
    (0.975, 99, 1.9842169515864174),
    (1e-06, 999, -4.781636978830079),
    (0.9995, 1001, 3.3002728760660403),
    (0.4999, 1001, -0.0002507254410041669),
    (0.975, 1000000, 1.959966356814107),
    (0.5, 4, 0.0),
]


@pytest.mark.parametrize(("probability", "degrees", "expected"), QUANTILES)
def test_student_t_quantile_matches_scipy(
    probability: float, degrees: int, expected: float
) -> None:
    assert student_t_quantile(probability, degrees) == pytest.approx(expected, rel=1e-10)


def test_root_ends_after_200_steps() -> None:
    # Newton's steps towards a root of multiplicity 1001 shorten the distance by 1 / 1001 each.
    found = _root(lambda x: x**1001, lambda x: 1001 * x**1000, 1.0, -2.0, 2.0)
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


def test_wilson_interval_matches_scipy() -> None:
    # scipy.stats.binomtest(successes, 10).proportion_ci(method="wilson"), to four digits.
    for successes, low, high in ((0, 0.0, 0.2775), (5, 0.2366, 0.7634), (10, 0.7225, 1.0)):
        interval = wilson_interval(successes, 10)
        assert interval.mean == successes / 10
        assert [*interval.low, *interval.high] == pytest.approx([low, high], abs=1e-4)
        assert interval.low <= interval.mean <= interval.high


def exact_coverage(interval: IntervalEstimate, trials: int, proportion: float) -> float:
    """Return the probability that the interval of 0, 1, ... successes contains the proportion."""
    chances = np.array(
        [
            comb(trials, each) * proportion**each * (1 - proportion) ** (trials - each)
            for each in range(trials + 1)
        ]
    )
    return float(chances[(interval.low <= proportion) & (proportion <= interval.high)].sum())


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


def test_geometric_mean_interval_coverage() -> None:
    rng = np.random.default_rng(0)
    interval = geometric_mean_interval(rng.lognormal(1.0, 1.0, size=(5, 20_000)))
    covered = ((interval.low <= np.e) & (interval.high >= np.e)).mean()
    assert abs(covered - 0.95) <= 5 * np.sqrt(0.95 * 0.05 / 20_000)
    with pytest.raises(ValueError, match="sample 0; expected positive"):
        geometric_mean_interval([1.0, 0.0])


def test_few_runs_by_kind() -> None:
    for kind, fewest in FEW_RUNS_BY_KIND.items():
        assert few_runs(kind, fewest - 1)
        assert not few_runs(kind, fewest)
    with pytest.raises(ValueError, match=r"kind='skwed'.*did you mean 'skewed'"):
        few_runs("skwed", 5)


def test_format_interval_runs_and_mark() -> None:
    interval = IntervalEstimate(np.array(2.0), np.array(1.0), np.array(3.0))
    assert format_interval(interval, runs=12) == "2.0 [1.0, 3.0] n=12"
    assert format_interval(interval, runs=3, few=True) == "2.0 [1.0, 3.0] n=3 (!)"
    assert format_interval(proportion_interval(1, 2), 0, few=True).endswith("] (!)")


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
    assert quantile_ranks(10) == (2, 9)
    with_infinity = quantile_interval([1.0, 2.0, np.inf])
    assert with_infinity.mean == 2.0


@pytest.mark.parametrize("wrong", [([], 0.5), ([1.0], 0.0), ([1.0], 1.0)])
def test_quantile_interval_rejects_bad_input(wrong: tuple[list[float], float]) -> None:
    with pytest.raises(ValueError, match="expected at least 1 sample"):
        quantile_interval(*wrong)
