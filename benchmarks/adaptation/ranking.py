"""Ranks of agents by paired results, with their ties, and whether two halves of the runs agree."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from dynamaze.benchmarks.harness.analysis.statistics import paired_difference
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

CONFIDENCE = 0.95
"""Of all differences of a ranking together (Bonferroni)."""


class Ranking(NamedTuple):
    """Ranks by the mean, the smallest first, from 1."""

    first: IntArray  # (agents,) 1 + the number of agents that are better for certain
    last: IntArray  # (agents,) the number of agents that are not worse for certain, itself included
    halves: IntArray  # (2, agents) ranks by the runs of even and of odd numbers
    tied: BoolArray  # (agents, agents) pairs whose difference has an interval that contains 0

    def text(self, agent: int) -> str:
        """Return a rank, as "3" or, where it is shared with others, "3-5"."""
        first, last = int(self.first[agent]), int(self.last[agent])
        return str(first) if first == last else f"{first}-{last}"

    @property
    def reversals(self) -> list[tuple[int, int]]:
        """Pairs whose order differs in the two halves although they are not tied."""
        one, other = self.halves
        return [
            (i, j)
            for i, j in combinations(range(len(one)), 2)
            if (one[i] - one[j]) * (other[i] - other[j]) < 0 and not self.tied[i, j]
        ]


def rank(results: FloatArray) -> Ranking:
    """Return the ranks of agents.

    Two agents are tied if the interval of the mean paired difference contains 0; its confidence is
    that at which all the intervals of the ranking cover together in at least 95% of the cases.

    Args:
        results: (agents, runs) of which less is better; run i of every agent has the same seed. At
            least 4 runs.
    """
    agents = len(results)
    pairs = max(agents * (agents - 1) // 2, 1)
    worse = np.zeros((agents, agents), dtype=np.bool_)  # [i, j]: i is worse than j
    for i, j in combinations(range(agents), 2):
        interval = paired_difference(
            results[i], results[j], confidence=1 - (1 - CONFIDENCE) / pairs
        )
        worse[i, j], worse[j, i] = interval.low > 0, interval.high < 0
    halves = np.stack([_order(results[:, start::2]) for start in (0, 1)])
    return Ranking(1 + worse.sum(axis=1), agents - worse.sum(axis=0), halves, ~(worse | worse.T))


def _order(results: FloatArray) -> IntArray:
    """Return (agents,) the rank of each mean; equal means share the best of their ranks."""
    means = results.mean(axis=1)
    ranks: IntArray = 1 + (means[:, None] > means).sum(axis=1)
    return ranks
