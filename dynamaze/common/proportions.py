"""Proportions and their confidence intervals: of runs, mazes, states or episodes.

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

from .arrays import FloatArray
from .validation import checked_integer, checked_number

_GUARANTEED = 0.93
"""The least coverage of the interval of a proportion, for each proportion and number of trials."""

_FEW_EVENTS = 60
"""With more successes and failures Wilson's interval contains the exact one of 93%."""


class IntervalEstimate(NamedTuple):
    """Estimates, usually means, and their confidence intervals: arrays of one shape."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


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


def fraction_interval(samples: npt.ArrayLike) -> IntervalEstimate:
    """Return the mean over the first axis of fractions in [0, 1], with a 95% interval.

    It is Wilson's of as many trials as runs, whose number of successes is the sum, rounded down for
    the lower end and up for the upper one. Where fractions are not 0 and 1 it is wider than needed:
    no distribution on [0, 1] has a larger variance than that of 0 and 1 with its mean.

    Args:
        samples: (runs, ...) fractions, at least 1 run.
    """
    fractions = np.asarray(samples, dtype=np.float64)
    # Rounding: a sum of fractions must not pass a whole number by its last bits.
    total, runs = fractions.sum(axis=0).round(9), len(fractions)
    low, high = (proportion_interval(end(total), runs) for end in (np.floor, np.ceil))
    shape = total.shape
    return IntervalEstimate(total / runs, low.low.reshape(shape), high.high.reshape(shape))


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
    counts, trials = _checked_counts(successes, trials)
    proportion = counts / trials
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


# -- the beta distribution -----------------------------------------------------------------------
# SciPy has it, but importing it takes a second.


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

    return root(
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


def root(
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
