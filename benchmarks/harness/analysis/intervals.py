"""Confidence intervals: means, geometric means, quantiles and proportions.

Those of proportions are in `dynamaze.common.proportions`, for evaluations of policies too.
Which interval is for which data, and their measured coverage: docs/statistics.md.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import moved_names
from dynamaze.common.proportions import (
    IntervalEstimate,
    incomplete_beta,
    proportion_interval,
    root,
    wilson_interval,
)
from dynamaze.common.validation import checked_choice

__all__ = [
    "FEW_RUNS",
    "FEW_RUNS_BY_KIND",
    "FEW_RUNS_MARK",
    "FEW_RUNS_NOTE",
    "UNKNOWN_KIND",
    "IntervalEstimate",
    "few_runs",
    "format_interval",
    "geometric_mean_interval",
    "mean_interval",
    "proportion_interval",
    "quantile_interval",
    "quantile_ranks",
    "student_t_quantile",
    "wilson_interval",
]

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

    return -root(lambda t: tail(t) - probability, slope, -start, 0.0, math.inf)


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
