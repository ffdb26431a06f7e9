"""The normal distribution, for what models state of their spread; SciPy would cost a second."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray


def normal_below(deviations: npt.ArrayLike) -> FloatArray:
    """The probability below each standardised deviation, in its shape."""
    flat = np.asarray(deviations, dtype=np.float64)
    below = [0.5 * math.erfc(-z / math.sqrt(2)) for z in flat.ravel().tolist()]
    return np.array(below, dtype=np.float64).reshape(flat.shape)


def chance_of_as_far(deviations: FloatArray) -> float:
    """How likely a normal draw is, in some one of its numbers, as far out as these numbers are.

    Args:
        deviations: (numbers,) standardised and independent; infinity will do.
    """
    furthest = float(np.abs(deviations).max())
    return 1.0 - math.erf(furthest / math.sqrt(2)) ** int(deviations.size)


def grid_chances(mean: FloatArray, spread: FloatArray, sizes: tuple[int, ...]) -> FloatArray:
    """(points,) how likely a normal draw is nearest to each point of a grid of whole numbers.

    What lies outside the grid is nearest to its edge.

    Args:
        mean: (d,) from the grid's first point.
        spread: (d,) standard deviations, above 0; the numbers are independent.
        sizes: points in each of the d directions; the last one counts fastest.
    """
    chances = np.ones(1)
    for middle, deviation, size in zip(mean, spread, sizes, strict=True):
        below = normal_below((np.arange(size - 1) + 0.5 - middle) / deviation)
        chances = np.outer(chances, np.diff(below, prepend=0.0, append=1.0)).ravel()
    return chances
