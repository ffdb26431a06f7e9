"""Confidence intervals: means, quantiles and proportions."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import moved_names

FEW_RUNS = 10
"""With fewer runs of a skewed quantity the coverage is much smaller than stated."""


class IntervalEstimate(NamedTuple):
    """Estimates, usually means, and their confidence intervals: arrays of one shape."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


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
    below = _binomial_cumulative(ordered.size, quantile)
    outside = (1 - confidence) / 2
    ends = np.concatenate([[-np.inf], ordered, [np.inf]])
    low = int(np.searchsorted(below, outside, side="right"))
    high = int(np.searchsorted(below, 1 - outside, side="left")) + 1
    value = ordered[min(int(np.ceil(quantile * ordered.size)), ordered.size) - 1]
    return IntervalEstimate(value, ends[low], ends[high])


def proportion_interval(successes: int, trials: int) -> IntervalEstimate:
    """Return a proportion and its 95% interval (Wilson 1927), each as an array of one number."""
    z = NormalDist().inv_cdf(0.975)
    proportion, weight = successes / trials, z**2 / trials
    middle = (proportion + weight / 2) / (1 + weight)
    variance = proportion * (1 - proportion) / trials + weight / (4 * trials)
    half = z * np.sqrt(variance) / (1 + weight)
    # Rounding must not put a proportion of 0 or 1 outside its interval.
    low, high = min(middle - half, proportion), max(middle + half, proportion)
    return IntervalEstimate(*(np.array([end]) for end in (proportion, low, high)))


def format_interval(
    interval: IntervalEstimate,
    digits: int = 1,
    *,
    unit: str = "",
    sign: str = "",
    minimum: float = -np.inf,
    maximum: float = np.inf,
) -> str:
    """Format a mean and its interval, as in "99.5% [99.3, 99.7]".

    Args:
        interval: of a single number.
        digits: after the decimal point.
        unit: appended to the mean.
        sign: "+" also writes the sign of a positive mean.
        minimum: the ends are clipped from below, for example at 0 for a proportion.
        maximum: the ends are clipped from above.
    """
    mean, low, high = (float(part) for part in interval)
    ends = f"{max(low, minimum):.{digits}f}, {min(high, maximum):.{digits}f}"
    return f"{mean:{sign}.{digits}f}{unit} [{ends}]"


def student_t_quantile(probability: float, degrees: int) -> float:
    """Return a quantile of Student's t distribution.

    The error is below 0.001 for probability 0.975 and 9 degrees of freedom, and far smaller for
    more. SciPy has it exactly, but importing it takes a second.

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
    # Abramowitz and Stegun (1964), 26.7.5: an expansion in 1 / degrees round the normal quantile.
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
    __name__, {"ConfidenceInterval": "dynamaze.benchmarks.harness.intervals.IntervalEstimate"}
)
