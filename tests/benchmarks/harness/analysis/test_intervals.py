"""Confidence intervals: coverage, printed tables, limits and text."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_BY_KIND,
    IntervalEstimate,
    few_runs,
    format_interval,
    geometric_mean_interval,
    mean_interval,
    proportion_interval,
    quantile_interval,
    quantile_ranks,
    student_t_quantile,
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
