"""Levels: mazes by number. The same number is the same maze everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dynamaze.common.validation import checked_number

from ..mazes.layout import Cell, Layout, Rewards
from ..mazes.random_changes import Draw

UNLIMITED = 2**31
"""How many levels there are where `levels` is None."""

LAST_LEVEL = 2**52
"""Greater numbers of a first level are refused: a float could not tell them apart."""

KEPT_CELLS = 1_000_000
"""Mazes of so many cells together are kept, so that a small set of levels is made only once."""

Make = Callable[[int], tuple[np.ndarray[Any, np.dtype[np.bool_]], Cell, Cell]]


class Levels:
    """The mazes that new episodes draw from.

    Args:
        make: makes the walls, the start and the goal of a level.
        levels: how many there are; None for 2**31.
        first_level: the number of the first.
        rewards: what a step pays in all of them.
        slip_probability: how often a step slips in all of them.

    Raises:
        ValueError: for a number outside its range; TypeError for what is not a number.
    """

    def __init__(
        self,
        make: Make,
        *,
        levels: int | None,
        first_level: int,
        rewards: Rewards,
        slip_probability: float,
    ) -> None:
        number = UNLIMITED if levels is None else levels
        self.levels = int(checked_number("levels", number, 1, UNLIMITED, whole=True))
        self.first_level = int(
            checked_number("first_level", first_level, 0, LAST_LEVEL, whole=True)
        )
        self._make = make
        self._rewards, self._slip_probability = rewards, slip_probability
        self._kept: dict[int, Layout] = {}

    def draw(self, draw: Draw) -> int:
        """Draw the number of a level, each as likely as the others."""
        return self.first_level + int(draw() * self.levels)

    def check(self, level: object) -> int:
        """The number of a level, if it is one of these.

        Raises:
            ValueError: if it is not; TypeError if it is not a number.
        """
        last = self.first_level + self.levels - 1
        return int(checked_number("level", level, self.first_level, last, whole=True))

    def layout(self, level: int) -> Layout:
        """The maze of a level."""
        layout = self._kept.pop(level, None)
        if layout is None:
            walls, start, goal = self._make(level)
            layout = Layout(walls, (start,), (goal,), self._rewards, self._slip_probability)
        self._kept[level] = layout  # the latest last
        while len(self._kept) > 1 and len(self._kept) * layout.num_cells > KEPT_CELLS:
            self._kept.pop(next(iter(self._kept)), None)
        return layout

    def __deepcopy__(self, memo: object) -> Levels:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}
