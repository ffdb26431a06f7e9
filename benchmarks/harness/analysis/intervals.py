"""Confidence intervals: means, geometric means, quantiles and proportions.

Which interval is for which data, and their measured coverage: docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import moved_names
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

FEW_RUNS_BY_KIND = {
    "mean": 15,
    "skewed": 300,
    "time": 50,
    "survival": 50,
    "crossing": 50,
    "bootstrap": 20,
    "geometric": 5,
    "median": 5,
    "quantile": 1,
    "proportion": 1,
}
"""Kind of interval -> the fewest runs from which it covers in at least 93% of all cases.

Measured by `dynamaze bench coverage`, whose data sets each have a kind:

- mean: Student's interval of numbers without long tails, or with two modes of at least 30% each.
- skewed: Student's interval of counts with a long tail (lognormal with sigma 1).
- time: Student's interval or the restricted mean of times of which some are censored, and of
  numbers with a rare mode of 10 to 30%, such as rewards in a maze where some runs find a path.
- survival: Kaplan-Meier's interval at one time.
- crossing: percentile bootstrap of the place where a mean curve crosses 0.
- bootstrap: percentile bootstrap of the interquartile mean, the runs of each task; of a ratio of
  medians.
- geometric: Student's interval on the log scale; few equal counts have no spread.
- median: order statistics; the range of the samples where the runs are too few for them.
- quantile, proportion: cover with any number of runs. (The interval of a quantile has an infinite
  end instead.)

The kind is that of the quantity, and stays the same in all its rows. It must not be chosen by the
runs of the interval itself: those few that happen to look symmetric are just those whose interval
is too short.
"""

UNKNOWN_KIND = "skewed"
"""Kind of the mean of a quantity of which nothing is known: the one that needs the most runs."""

FEW_RUNS = FEW_RUNS_BY_KIND["mean"]
"""With fewer runs the interval of a mean is marked."""

FEW_RUNS_MARK = "(!)"
"""Stands behind an interval of too few runs."""

FEW_RUNS_NOTE = f"{FEW_RUNS_MARK} too few runs for this interval: it may cover less than 93%"
"""Explanation of the mark, for a caption."""

_GUARANTEED = 0.93
"""The least coverage of the interval of a proportion, for each proportion and number of trials."""


class IntervalEstimate(NamedTuple):
    """Estimates, usually means, and their confidence intervals: arrays of one shape."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


def few_runs(kind: str, runs: int) -> bool:
    """Return whether an interval must be marked, for its coverage may be below 93%.

    Args:
        kind: of interval and data, a key of `FEW_RUNS_BY_KIND`.
        runs: their number.

    Raises:
        ValueError: for an unknown kind.
    """
    return runs < FEW_RUNS_BY_KIND[checked_choice("kind", kind, FEW_RUNS_BY_KIND)]


def mean_interval(samples: npt.ArrayLike, confidence: float = 0.95) -> IntervalEstimate:
    """Return the mean over the first axis and Student's t interval.

    Args:
        samples: (runs, ...) numbers, at least 2 runs.
        confidence: in (0, 1).

    Raises:
        ValueError: for fewer than 2 runs or a confidence outside (0, 1).
    """
    samples = np.asarray(samples, dtype=np.float64)
    runs = len(samples)
    if runs < 2:
        raise ValueError(f"{runs} runs; expected at least 2 for an interval")
    mean = samples.mean(axis=0)
    half = student_t_quantile(0.5 + confidence / 2, runs - 1) * samples.std(axis=0, ddof=1)
    half = half / np.sqrt(runs)
    return IntervalEstimate(mean, mean - half, mean + half)


def geometric_mean_interval(samples: npt.ArrayLike, confidence: float = 0.95) -> IntervalEstimate:
    """Return the geometric mean over the first axis and Student's interval on the log scale.

    For skewed positive counts, such as updates until a maze is solved. The geometric mean of
    lognormal numbers is their median; it is below their mean.

    Args:
        samples: (runs, ...) positive numbers, at least 2 runs.
        confidence: in (0, 1).

    Raises:
        ValueError: for fewer than 2 runs, a number that is not positive, or a confidence outside
            (0, 1).
    """
    samples = np.asarray(samples, dtype=np.float64)
    if not (samples > 0).all():
        wrong = samples[~(samples > 0)].flat[0]
        raise ValueError(f"sample {wrong:g}; expected positive numbers for a geometric mean")
    return IntervalEstimate(*(np.exp(part) for part in mean_interval(np.log(samples), confidence)))


def quantile_interval(
    samples: npt.ArrayLike, quantile: float = 0.5, confidence: float = 0.95
) -> IntervalEstimate:
    """Return a quantile, by default the median, with a distribution-free interval.

    The ends are order statistics: the number of samples below the quantile is binomial (Conover
    1999, section 3.2). An end is infinite where the samples are too few to bound the quantile.

    Args:
        samples: (runs,) numbers, which may be infinite; at least 1.
        quantile: the fraction of the distribution below it, in (0, 1).
        confidence: in (0, 1).

    Raises:
        ValueError: for no sample, or a quantile or confidence outside (0, 1).
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    if not ordered.size or not 0.0 < quantile < 1.0 or not 0.0 < confidence < 1.0:
        raise ValueError(
            f"{ordered.size} samples, quantile={quantile}, confidence={confidence}; expected at "
            "least 1 sample and numbers in (0, 1)"
        )
    low, high = quantile_ranks(ordered.size, quantile, confidence)
    ends = np.concatenate([[-np.inf], ordered, [np.inf]])
    value = ordered[min(int(np.ceil(quantile * ordered.size)), ordered.size) - 1]
    return IntervalEstimate(value, ends[low], ends[high])


def quantile_ranks(runs: int, quantile: float = 0.5, confidence: float = 0.95) -> tuple[int, int]:
    """Return the ranks, from 1, of the ends of a quantile's interval among the sorted samples.

    Rank 0 stands for minus infinity, rank runs + 1 for infinity.
    """
    below = _binomial_cumulative(runs, quantile)
    outside = (1 - confidence) / 2
    low = int(np.searchsorted(below, outside, side="right"))
    return low, int(np.searchsorted(below, 1 - outside, side="left")) + 1


def proportion_interval(successes: npt.ArrayLike, trials: npt.ArrayLike) -> IntervalEstimate:
    """Return proportions and their 95% intervals, which cover at least 93% of all cases.

    Wilson's interval covers 95% on average, but only 84% of the cases for some proportions near 0
    and 1 (Brown, Cai and DasGupta 2001). It is widened where it does not contain the exact interval
    (Clopper and Pearson 1934) of 93%, so that no proportion and no number of trials has less.

    Args:
        successes: whole numbers of any shape.
        trials: whole numbers of at least 1, of a shape that broadcasts with that of `successes`.

    Returns:
        Arrays of the common shape; of shape (1,) for two numbers.

    Raises:
        ValueError: for fewer than 1 trial, or successes outside 0 to trials.
    """
    wilson = wilson_interval(successes, trials)
    counts, totals = _checked_counts(successes, trials)
    low, high = (end.copy() for end in wilson[1:])
    # With more of both Wilson's interval contains the other one; the test compares all.
    near = np.minimum(counts, totals - counts) <= _FEW_EVENTS
    tail = (1 - _GUARANTEED) / 2
    for place in zip(*np.nonzero(near), strict=True):
        count, total = int(counts[place]), int(totals[place])
        low[place] = min(low[place], exact_lower_bound(count, total, tail))
        high[place] = max(high[place], 1 - exact_lower_bound(total - count, total, tail))
    return IntervalEstimate(wilson.mean, low, high)


_FEW_EVENTS = 60


def wilson_interval(
    successes: npt.ArrayLike, trials: npt.ArrayLike, confidence: float = 0.95
) -> IntervalEstimate:
    """Return proportions and their intervals by Wilson (1927).

    Arguments, result and errors are those of `proportion_interval`, which widens this interval.

    Args:
        successes: whole numbers of any shape.
        trials: whole numbers of at least 1.
        confidence: in (0, 1).
    """
    counts, totals = _checked_counts(successes, trials)
    return _wilson(counts / totals, totals, confidence)


def _wilson(
    proportion: FloatArray, trials: FloatArray, confidence: float = 0.95
) -> IntervalEstimate:
    """Return Wilson's interval of proportions of numbers of trials that need not be whole."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    weight = z**2 / trials
    middle = (proportion + weight / 2) / (1 + weight)
    variance = proportion * (1 - proportion) / trials + weight / (4 * trials)
    half = z * np.sqrt(variance) / (1 + weight)
    # Rounding must not put a proportion of 0 or 1 outside its interval.
    low, high = np.minimum(middle - half, proportion), np.maximum(middle + half, proportion)
    return IntervalEstimate(proportion, np.maximum(low, 0), np.minimum(high, 1))


def _checked_counts(
    successes: npt.ArrayLike, trials: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    counts, totals = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (successes, trials))
    )
    wrong = ~((counts >= 0) & (counts <= totals) & (totals >= 1))
    wrong |= (counts != np.floor(counts)) | (totals != np.floor(totals))
    if wrong.any():
        raise ValueError(
            f"{counts[wrong][0]:g} successes of {totals[wrong][0]:g} trials; expected whole "
            "numbers, at least 1 trial, and from 0 to that number of successes"
        )
    return counts, totals


def format_interval(
    interval: IntervalEstimate,
    digits: int = 1,
    *,
    unit: str = "",
    sign: str = "",
    minimum: float = -np.inf,
    maximum: float = np.inf,
    runs: int | None = None,
    few: bool = False,
) -> str:
    """Format a mean and its interval, as in "99.5% [99.3, 99.7]".

    Args:
        interval: of a single number.
        digits: after the decimal point.
        unit: appended to the mean.
        sign: "+" also writes the sign of a positive mean.
        minimum: the ends are clipped from below, for example at 0 for a proportion.
        maximum: the ends are clipped from above.
        runs: their number is appended, as in "99.5% [99.3, 99.7] n=12".
        few: whether the interval is marked as one of too few runs (`few_runs`).
    """
    mean, low, high = (np.asarray(part, dtype=np.float64).item() for part in interval)
    ends = f"{max(low, minimum):.{digits}f}, {min(high, maximum):.{digits}f}"
    text = f"{mean:{sign}.{digits}f}{unit} [{ends}]"
    if runs is not None:
        text += f" n={runs}"
    return f"{text} {FEW_RUNS_MARK}" if few else text


# -- distributions -----------------------------------------------------------------------------
# SciPy has them, but importing it takes a second.


@lru_cache(maxsize=4096)
def student_t_quantile(probability: float, degrees: int) -> float:
    """Return a quantile of Student's t distribution, exact to 10 digits.

    Args:
        probability: in (0, 1).
        degrees: degrees of freedom, at least 1.

    Raises:
        ValueError: if one of them is outside its range.
    """
    if not 0.0 < probability < 1.0 or degrees < 1:
        raise ValueError(
            f"probability={probability}, degrees={degrees}; expected (0, 1) and at least 1"
        )
    if probability == 0.5:
        return 0.0
    if probability > 0.5:
        return -student_t_quantile(1 - probability, degrees)
    if degrees == 1:  # Cauchy's distribution
        return -1 / math.tan(math.pi * probability)
    if degrees == 2:
        return (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
    start = _student_t_expansion(probability, degrees)
    if degrees > 1000:  # the error of the expansion is below 1e-11
        return start
    logarithm = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)
    scale = math.exp(logarithm) / math.sqrt(degrees * math.pi)

    def tail(t: float) -> float:
        x, y = degrees / (degrees + t * t), t * t / (degrees + t * t)
        return incomplete_beta(degrees / 2, 0.5, x, y) / 2

    def slope(t: float) -> float:
        return -scale * math.pow(1 + t * t / degrees, -(degrees + 1) / 2)

    return -_root(lambda t: tail(t) - probability, slope, -start, 0.0, math.inf)


def _student_t_expansion(probability: float, degrees: int) -> float:
    """Return an approximate quantile: an expansion round the normal quantile."""
    # Abramowitz and Stegun (1964), 26.7.5, in powers of 1 / degrees.
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    expansion: float = sum(term / degrees**power for power, term in enumerate(terms, 1))
    return z + expansion


@lru_cache(maxsize=65536)
def exact_lower_bound(successes: int, trials: int, tail: float) -> float:
    """Return the one-sided exact lower bound of a proportion (Clopper and Pearson 1934).

    Args:
        successes: 0 to trials.
        trials: at least 1.
        tail: probability of at least `successes` at the bound, in (0, 1).

    Raises:
        ValueError: if one of them is outside its range.
    """
    checked_integer("trials", trials, 1)
    checked_integer("successes", successes, 0, trials)
    checked_number("tail", tail, 0, 1, above=True)
    if successes == 0:
        return 0.0
    a, b = float(successes), float(trials - successes + 1)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)

    def slope(p: float) -> float:
        return math.exp(logarithm + (a - 1) * math.log(p) + (b - 1) * math.log1p(-p))

    return _root(
        lambda p: incomplete_beta(a, b, p, 1 - p) - tail, slope, successes / (trials + 1), 0.0, 1.0
    )


def incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    Args:
        a: positive.
        b: positive.
        x: in [0, 1].
        y: 1 - x, given as it may be known with more digits.
    """
    if x <= 0.0 or y <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, y, x)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(logarithm + a * math.log(x) + b * math.log(y)) / a
    # The continued fraction 26.5.8 of Abramowitz and Stegun (1964), by Lentz's method.
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1))
    fraction, m = d, 1
    while True:
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / (1.0 + term * d)
            c = 1.0 + term / c
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-15 or m >= 10_000:
            return front * fraction
        m += 1


def _root(
    function: Callable[[float], float],
    slope: Callable[[float], float],
    start: float,
    low: float,
    high: float,
) -> float:
    """Return the root of a monotonic function between two bounds, by Newton's method.

    A step that leaves the bounds, which close in on the root, is replaced by bisection.
    """
    at = start
    rising = slope(start) > 0
    for _ in range(200):
        value = function(at)
        if (value > 0) == rising:
            high = at
        else:
            low = at
        derivative = slope(at)
        step = at - value / derivative if derivative else math.nan
        if not low < step < high:
            step = (low + high) / 2 if math.isfinite(high) else 2 * at
        if abs(step - at) <= 1e-15 * abs(at):
            return step
        at = step
    return at


def _binomial_cumulative(runs: int, probability: float) -> FloatArray:
    """Return (runs + 1,) the cumulative binomial distribution."""
    counts = np.arange(runs + 1)
    # Logarithms of the binomial coefficients: factorials of large numbers overflow.
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, runs + 1)))])
    chances = logs[-1] - logs - logs[::-1] + counts * np.log(probability)
    cumulative: FloatArray = np.cumsum(np.exp(chances + counts[::-1] * np.log1p(-probability)))
    return cumulative


__getattr__ = moved_names(
    __name__,
    {"ConfidenceInterval": "dynamaze.benchmarks.harness.analysis.intervals.IntervalEstimate"},
)
