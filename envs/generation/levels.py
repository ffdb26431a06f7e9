"""Levels: mazes by number. The same number is the same maze everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dynamaze.common.validation import checked_integer

from ..mazes.layout import Cell, Layout, Rewards
from ..timing.times import UniformSampler

UNLIMITED = 2**31
"""The number of levels if `levels` is None."""

LAST_LEVEL = 2**52
"""Larger numbers of a first level are refused: a float could not distinguish them."""

CACHED_CELLS = 1_000_000
"""Cache limit, in cells of all cached mazes: a small set of levels is generated only once."""

Make = Callable[[int], tuple[np.ndarray[Any, np.dtype[np.bool_]], Cell, Cell]]


class LevelSet:
    """Set of levels from which the mazes of new episodes are drawn.

    Args:
        make: generates the walls, the start and the goal of a level.
        levels: the number of levels; None for 2**31.
        first_level: the number of the first.
        rewards: the rewards of a step in all of them.
        slip_probability: the slip probability in all of them.

    Raises:
        ValueError: for a number outside its range; TypeError for anything but a number.
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
        self.levels = checked_integer("levels", number, 1, UNLIMITED)
        self.first_level = checked_integer("first_level", first_level, 0, LAST_LEVEL)
        self._make = make
        self._rewards, self._slip_probability = rewards, slip_probability
        self._cache: dict[int, Layout] = {}

    def draw(self, uniform: UniformSampler) -> int:
        """Draw the number of a level, with equal probabilities."""
        return self.first_level + int(uniform() * self.levels)

    def check(self, level: object) -> int:
        """Return the number of a level after checking that it is in the set.

        Raises:
            ValueError: for a level outside the set; TypeError if it is not a number.
        """
        last = self.first_level + self.levels - 1
        return checked_integer("level", level, self.first_level, last)

    def layout(self, level: int) -> Layout:
        """Return the maze of a level."""
        layout = self._cache.pop(level, None)
        if layout is None:
            walls, start, goal = self._make(level)
            layout = Layout(walls, (start,), (goal,), self._rewards, self._slip_probability)
        self._cache[level] = layout  # least recently used first
        while len(self._cache) > 1 and len(self._cache) * layout.num_cells > CACHED_CELLS:
            self._cache.pop(next(iter(self._cache)), None)
        return layout

    def describe(self) -> dict[str, Any]:
        """Return what determines the mazes, as plain data.

        The generator of a level describes itself by a method `describe`; a function of another kind
        is described by its name alone.
        """
        described = {name: value for name, value in vars(self).items() if name != "_cache"}
        generator: Any = getattr(self._make, "__self__", None)
        if hasattr(generator, "describe"):
            described["_make"] = generator.describe()
        return described

    def __deepcopy__(self, memo: object) -> LevelSet:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}
