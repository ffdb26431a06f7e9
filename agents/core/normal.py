"""Normal distribution functions without SciPy, whose import takes about a second."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray


def normal_cdf(deviations: npt.ArrayLike) -> FloatArray:
    """Return the normal cumulative distribution function of each standardised deviation."""
    flat = np.asarray(deviations, dtype=np.float64)
    below = [0.5 * math.erfc(-z / math.sqrt(2)) for z in flat.ravel().tolist()]
    return np.array(below, dtype=np.float64).reshape(flat.shape)


def tail_probability(deviations: FloatArray) -> float:
    """Return the probability that a normal draw is at least as extreme in one of its numbers.

    Args:
        deviations: (numbers,) standardised and independent; may be infinite.
    """
    # 1 - P(|z| <= furthest)^n for n independent numbers
    furthest = float(np.abs(deviations).max())
    return 1.0 - math.erf(furthest / math.sqrt(2)) ** int(deviations.size)


def grid_probabilities(mean: FloatArray, spread: FloatArray, sizes: tuple[int, ...]) -> FloatArray:
    """Return the (points,) probabilities that each point of an integer grid is nearest to a draw.

    Draws outside the grid are nearest to its edge.

    Args:
        mean: (d,) from the grid's first point.
        spread: (d,) standard deviations, above 0, of independent numbers.
        sizes: number of points along each of the d axes; the last one is fastest.
    """
    chances = np.ones(1)
    for middle, deviation, size in zip(mean, spread, sizes, strict=True):
        # A point's cell ends halfway to its neighbours.
        below = normal_cdf((np.arange(size - 1) + 0.5 - middle) / deviation)
        chances = np.outer(chances, np.diff(below, prepend=0.0, append=1.0)).ravel()
    return chances
