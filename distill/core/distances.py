"""Success rates of policies by the distance to the goal.

A discounted return hides failures far from the goal: in perfect 31x31 mazes seven of ten cells are
more than 60 steps away, and with a discount of 0.95 they earn less than 5% of the optimal return.
So the success rate in ranges of distances stands beside each normalised return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.proportions import fraction_interval
from dynamaze.common.validation import checked_number

MULTIPLES = (1, 3, 6)
"""Ranges end at these multiples of powers of ten, from 10 on: 10, 30, 60, 100, 300, ..."""


class DistanceRange(NamedTuple):
    """Success rate of a policy from all cells whose distance to the goal is in a range.

    All numbers are means over mazes, each of a mean over the maze's cells, so that large mazes
    count as small ones do.
    """

    nearest: int  # shortest path lengths, both included
    furthest: int
    cells: float  # fraction of the cells that are in the range
    weight: float  # fraction of the optimal discounted return that is earned from these cells
    success: float  # success rate, over the mazes that have such a cell
    low: float  # of its 95% interval
    high: float
    mazes: int  # number of mazes that have such a cell

    @property
    def name(self) -> str:
        """The range as text: "11-30"."""
        return f"{self.nearest}-{self.furthest}"

    def rounded(self, digits: int = 4) -> DistanceRange:
        """Return it with fractions of some digits after the point, for files."""
        rounded = {
            name: round(getattr(self, name), digits)
            for name in ("cells", "weight", "success", "low", "high")
        }
        return self._replace(**rounded)


def success_by_distance(
    distances: npt.ArrayLike, successes: npt.ArrayLike, mazes: npt.ArrayLike, *, gamma: float
) -> tuple[DistanceRange, ...]:
    """Return the success rate in each range of distances that has a cell, the nearest first.

    The interval is that of as many fractions as there are mazes (`fraction_interval`), for cells of
    one maze fail together: they are no independent trials.

    Args:
        distances: (cells,) shortest path lengths to the goal, at least 1; cells of another number,
            as -1 for unreachable ones, are left out.
        successes: (cells,) whether the policy reaches the goal from there.
        mazes: (cells,) number of each cell's maze.
        gamma: discount, in [0, 1].

    Raises:
        ValueError: for arrays of different lengths, or a gamma outside [0, 1].
    """
    steps, reached, maze = (np.asarray(each) for each in (distances, successes, mazes))
    if not steps.ndim == 1 or not steps.shape == reached.shape == maze.shape:
        raise ValueError(
            f"distances of shape {steps.shape}, successes of {reached.shape} and mazes of "
            f"{maze.shape}; expected one of each for each cell"
        )
    gamma = checked_number("gamma", gamma, 0, 1)
    known = steps >= 1
    if not known.any():
        return ()
    steps, reached = steps[known].astype(np.int64), reached[known].astype(np.float64)
    _, maze = np.unique(maze[known], return_inverse=True)
    count = np.bincount(maze)
    optimal = gamma ** (steps - 1.0)  # the reward is 1 at the goal
    total = np.maximum(np.bincount(maze, optimal), np.finfo(float).tiny)  # 0 for a gamma of 0
    ends = range_ends(int(steps.max()))
    place = np.searchsorted(ends, steps)
    ranges = []
    for number in np.unique(place).tolist():
        here = place == number
        own = np.bincount(maze, here)
        earned = np.bincount(maze, here * optimal)
        has = own > 0
        rates = np.bincount(maze, here * reached)[has] / own[has]
        mean, low, high = (float(part) for part in fraction_interval(rates))
        ranges.append(
            DistanceRange(
                int(ends[number - 1]) + 1 if number else 1,
                int(ends[number]),
                float((own / count).mean()),
                float((earned / total).mean()),
                mean,
                low,
                high,
                int(has.sum()),
            )
        )
    return tuple(ranges)


def range_ends(furthest: int) -> list[int]:
    """Return the last distances of the ranges, up to the one that contains `furthest`."""
    ends = [10 * MULTIPLES[0]]
    while ends[-1] < furthest:
        power, multiple = divmod(len(ends), len(MULTIPLES))
        ends.append(MULTIPLES[multiple] * 10 ** (power + 1))
    return ends


def distance_lines(
    ranges: Sequence[DistanceRange], rates: Mapping[str, Sequence[str]]
) -> list[tuple[str, ...]]:
    """Return the table of success rates by distance, in the one format of this package.

    A line has a range of distances, its fractions of the cells and of the optimal return, which is
    the weight in the normalised return, and a success rate. Of several policies each has its lines,
    and its name stands in the first.

    Args:
        ranges: of any of the policies.
        rates: for each policy, by name, its success rate in each of the ranges.
    """
    head = ("steps to the goal", "share of cells", "weight in return", "success rate")
    own = [(each.name, f"{each.cells:.1%}", f"{each.weight:.1%}") for each in ranges]
    if len(rates) == 1:
        (cells,) = rates.values()
        return [head, *((*about, cell) for about, cell in zip(own, cells, strict=True))]
    lines: list[tuple[str, ...]] = [("", *head)]
    for policy, cells in rates.items():
        names = (policy, *[""] * (len(ranges) - 1))
        lines += [(name, *about, cell) for name, about, cell in zip(names, own, cells, strict=True)]
    return lines


def rate_texts(ranges: Sequence[DistanceRange], digits: int = 2) -> list[str]:
    """Return the success rates of the ranges with their intervals: "97.21% [95.02, 98.43]"."""
    return [
        f"{each.success:.{digits}%} [{100 * each.low:.{digits}f}, {100 * each.high:.{digits}f}]"
        for each in ranges
    ]
