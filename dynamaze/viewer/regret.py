"""What an agent loses by its actions, added up while it lives."""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.envs import Layout
from dynamaze.envs.mazes.regret import phase_values


class Regret:
    """The running sum of V*(s) - Q*(s, a), as if each maze held for ever.

    The values are those of the maze in which the action was taken; what one action loses is its
    difference in expected discounted return to the best one.

    Attributes:
        total: the sum so far; NaN if a maze has no optimal values (gamma = 1 and endless reward).
    """

    def __init__(self, gamma: float) -> None:
        """Choose the discount, in [0, 1]."""
        self.total = 0.0
        self._gamma = gamma
        self._layout: Layout | None = None
        self._losses: list[list[float]] = []

    def add(self, layout: Layout, state: int, action: int) -> None:
        """Take note of an action in a state of a maze."""
        if layout is not self._layout:
            self._layout, self._losses = layout, losses(layout, self._gamma).tolist()
        self.total += self._losses[state][action]


def losses(layout: Layout, gamma: float) -> FloatArray:
    """(S, A) V*(s) - Q*(s, a); NaN everywhere if the maze has no optimal values."""
    try:
        return phase_values(layout, gamma).regret(0)
    except (RuntimeError, ValueError):  # gamma = 1, and what is best is infinite
        return np.full((layout.num_cells, 4), np.nan)
