"""Bootstrap intervals of places and ratios: a curve's crossing of zero, a ratio of medians."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate
from dynamaze.common.arrays import FloatArray

RESAMPLES = 2000
"""Bootstrap samples of an interval."""


def crossing(places: npt.ArrayLike, difference: npt.ArrayLike) -> FloatArray:
    """Return the places at which differences return to 0 after their minimum; infinite if never.

    Args:
        places: (points,) places, such as numbers of updates.
        difference: (..., points) numbers; between two points they are interpolated.
    """
    at = np.asarray(places, dtype=np.float64)
    curves = np.atleast_2d(np.asarray(difference, dtype=np.float64))
    lowest = curves.argmin(axis=-1)[..., None]
    after = (np.arange(at.size) >= lowest) & (curves >= 0)
    row = after.argmax(axis=-1)[..., None]
    before = np.maximum(row - 1, 0)
    below, above = (np.take_along_axis(curves, each, -1) for each in (before, row))
    rise = above - below
    # At the first point the curve was never below 0.
    fraction = np.where(rise == 0, 1.0, -below / np.where(rise == 0, 1.0, rise))
    found = np.where(row == 0, at[0], at[before] + fraction * (at[row] - at[before]))
    found = np.where(after.any(axis=-1), found[..., 0], np.inf)
    return np.asarray(found.reshape(np.shape(difference)[:-1]))


def crossing_interval(
    places: npt.ArrayLike,
    difference: FloatArray,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> IntervalEstimate:
    """Return the crossing point of a mean curve, and its 95% bootstrap interval.

    Args:
        places: (points,) places.
        difference: (runs, points) numbers.
        rng: draws the runs.
        resamples: bootstrap samples.
    """
    runs = len(difference)
    # A bootstrap sample of the runs is a vector of counts, and its mean a matrix product.
    counts = rng.multinomial(runs, np.full(runs, 1 / runs), size=resamples)
    found = crossing(places, counts @ difference / runs)
    low, high = np.quantile(found, (0.025, 0.975), method="nearest")
    return IntervalEstimate(crossing(places, difference.mean(axis=0)), low, high)


def median_ratio(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> IntervalEstimate:
    """Return the ratio of the medians of two methods, and its 95% bootstrap interval.

    Args:
        first: (runs,) positive numbers, which may be infinite.
        second: (runs,) those of the other method.
        rng: draws the runs of each.
        resamples: bootstrap samples.
    """
    methods = [np.asarray(each, dtype=np.float64) for each in (first, second)]
    one, other = (_lower_median(each[None])[0] for each in methods)
    above, below = (_lower_median(rng.choice(each, (resamples, each.size))) for each in methods)
    low, high = np.quantile(above / below, (0.025, 0.975))
    return IntervalEstimate(one / other, low, high)


def _lower_median(samples: FloatArray) -> FloatArray:
    """Return the lower median of each row, which never averages a number and infinity."""
    median: FloatArray = np.quantile(samples, 0.5, axis=1, method="inverted_cdf")
    return median
