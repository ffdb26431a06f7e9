"""Cells of summaries: an estimate and its 95% interval, by the kind of quantity.

Means of errors, rewards and differences have Student's interval; shares of runs Wilson's; times and
numbers of steps, which are skewed and cut off at a limit, the median and order statistics.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_MARK,
    IntervalEstimate,
    few_runs,
    format_interval,
    mean_interval,
    quantile_interval,
)
from dynamaze.common.proportions import fraction_interval

__all__ = [
    "count_text",
    "fraction_interval",
    "mean_share_text",
    "mean_text",
    "median_interval",
    "median_text",
    "share_text",
    "significant_digits",
]


def median_interval(samples: npt.ArrayLike) -> IntervalEstimate:
    """Return the median over the first axis with a distribution-free 95% interval.

    With fewer than 6 runs the ends are the smallest and the largest sample, which cover the median
    in less than 95% of the cases, and in less than 93% below 5 (`few_runs("median", n)`).

    Args:
        samples: (runs, ...) numbers, which may be infinite; at least 1 run.
    """
    runs = np.asarray(samples, dtype=np.float64)
    ends = np.empty((3, *runs.shape[1:]))
    for place in np.ndindex(runs.shape[1:]):
        own = runs[(slice(None), *place)]
        middle, low, high = quantile_interval(own)
        ends[(slice(None), *place)] = middle, max(low, own.min()), min(high, own.max())
    return IntervalEstimate(*ends)


def mean_text(
    samples: npt.ArrayLike,
    digits: int | None = 1,
    *,
    kind: str,
    unit: str = "",
    sign: str = "",
) -> str:
    """Return the mean and Student's interval, as in "8.2% [7.1, 9.3]".

    Equal samples, and a single one, have no such interval, and say so.

    Args:
        samples: (runs,) numbers, at least 1.
        digits: after the decimal point; None for those of `significant_digits`.
        kind: of the quantity (`intervals.FEW_RUNS_BY_KIND`); with too few runs for it the interval
            is marked.
        unit: appended to the mean.
        sign: "+" also writes the sign of a positive mean.
    """
    numbers = np.asarray(samples, dtype=np.float64)
    if np.ptp(numbers) == 0:
        number = f"{numbers[0]:{sign}.4g}" if digits is None else f"{numbers[0]:{sign}.{digits}f}"
        return f"{number}{unit} ({'all equal' if numbers.size > 1 else '1 run'})"
    interval, few = mean_interval(numbers), few_runs(kind, numbers.size)
    if digits is None:
        digits = significant_digits(interval)
    return format_interval(interval, digits, unit=unit, sign=sign, few=few)


def mean_share_text(shares: npt.ArrayLike, digits: int = 1, *, kind: str) -> str:
    """Return the mean over runs of shares in percent, with an interval: "99.2% [98.7, 99.6]".

    It is Student's. Where all runs have the same share, as if nothing failed in any, Student's has
    no width, and that of as many fractions as runs is shown (`fraction_interval`).

    Args:
        shares: (runs,) fractions in [0, 1], at least 1 run.
        digits: after the decimal point.
        kind: as of `mean_text`.
    """
    fractions = np.asarray(shares, dtype=np.float64)
    if np.ptp(fractions) == 0:
        return share_text(fractions, digits)
    return mean_text(100 * fractions, digits, kind=kind, unit="%")


def significant_digits(interval: IntervalEstimate) -> int:
    """Return the digits after the decimal point that show two digits of the half width."""
    half = float(interval.high - interval.low) / 2
    scale = half or abs(float(interval.mean))
    if not scale or not np.isfinite(scale):
        return 1
    return int(np.clip(1 - np.floor(np.log10(scale)), 0, 12))


def median_text(samples: npt.ArrayLike, digits: int = 0, *, limit: float = np.inf) -> str:
    """Return the median and its interval, as in "240 [180, over 500]" or "over 500".

    Args:
        samples: (runs,) numbers; infinite where it did not happen within the limit.
        digits: after the decimal point.
        limit: stands for an infinite number.
    """
    numbers = np.asarray(samples, dtype=np.float64)
    ends = [float(part) for part in median_interval(numbers)]
    middle, low, high = (
        f"{end:.{digits}f}" if np.isfinite(end) else f"over {limit:g}" for end in ends
    )
    text = f"{middle} [{low}, {high}]" if np.isfinite(ends).any() else middle
    return f"{text} {FEW_RUNS_MARK}" if few_runs("median", len(numbers)) else text


def share_text(successes: npt.ArrayLike, digits: int = 0) -> str:
    """Return the share of successful runs and Wilson's interval in percent: "97% [83, 99]".

    Args:
        successes: (runs,) 0 or 1 for each run, or fractions (see `fraction_interval`).
        digits: after the decimal point.
    """
    shares = fraction_interval(successes)
    percents = IntervalEstimate(*(100 * part for part in shares))
    return format_interval(percents, digits, unit="%")


def count_text(runs: npt.ArrayLike) -> str:
    """Return the number of runs for the title of a plot: "n = 30", or "n = 4 to 30"."""
    least, most = int(np.min(runs)), int(np.max(runs))
    return f"n = {most}" if least == most else f"n = {least} to {most}"
