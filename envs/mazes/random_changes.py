"""Random changes of a maze: their times, and the choice of their kinds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from dynamaze.common.configuration import fields_repr
from dynamaze.common.validation import (
    checked_choice,
    checked_integer,
    checked_number,
    naming,
    shown,
)

from ..timing.times import (
    Bursts,
    ChangeTimes,
    EachStep,
    Every,
    Once,
    PendingChange,
    Poisson,
    UniformSampler,
)
from .change_kinds import CHANGE_KINDS, randint, reaches_goal
from .layout import Cell, Layout, LayoutError

MAX_TRIES = 32
"""A change is skipped after this many draws that each blocked the goal."""


@dataclass(frozen=True, repr=False)
class RandomChanges:
    """A random process of changes.

    Attributes:
        when: "each_step" (after each step with `probability`), "poisson" (on average `rate`
            changes a step, sometimes several in one step), "bursts" (after each step a burst
            begins with `probability`: `length` changes, one after each of the next steps),
            "periodic" (at each multiple of `period`), or "once" (after a number of steps from
            `earliest` to `latest`, with equal probabilities, and never again).
        probability: in (0, 1].
        rate: in (0, 100].
        period: at least 1.
        length: at least 1.
        earliest: at least 1.
        latest: at least `earliest`.
        what: the kinds of change; one is drawn for each change: "walls" (one opens, one
            closes), "block" (a cell of the shortest path closes, and the path becomes longer),
            "shortcut" (a wall opens, and the shortest path becomes at least 4 steps shorter),
            "start" and "goal" (it moves to another cell), "rewards" (a new reward of the goal is
            drawn), "slip" (a new slip probability is drawn).
        otherwise: the kind of change where one of the drawn kind is impossible; None to skip it.
        cells: the number of walls that open, and that close, in a change of walls.
        goal_reward_range: lower and upper bound of the goal's reward.
        slip_range: lower and upper bound of the slip probability, in [0, 1].

    Raises:
        ValueError: for an unknown name, a number outside its range, or one that `when` does not
            use or lacks.
        TypeError: for anything but a number where one is expected.
    """

    __repr__ = fields_repr

    when: str = "each_step"
    probability: float | None = None
    rate: float | None = None
    period: int | None = None
    length: int | None = None
    earliest: int | None = None
    latest: int | None = None
    what: Sequence[str] = ("walls",)
    otherwise: str | None = None
    cells: int = 1
    goal_reward_range: tuple[float, float] = (0.0, 1.0)
    slip_range: tuple[float, float] = (0.0, 0.5)

    def __post_init__(self) -> None:
        checked_choice("when", self.when, TIMINGS)
        for name in sorted({name for names in NUMBERS.values() for name in names}):
            self._check_use(name)
        for name in NUMBERS[self.when]:
            object.__setattr__(self, name, getattr(self.times, name))
        if self.otherwise is not None:
            checked_choice("otherwise", self.otherwise, CHANGE_KINDS, otherwise="None")
        object.__setattr__(self, "cells", checked_integer("cells", self.cells, 1))
        given: Any = self.what
        given = given.tolist() if isinstance(given, np.ndarray) else given
        # A set is refused: the order of its names, by which one is drawn, is not fixed.
        what = (given,) if isinstance(given, str) else given
        if not isinstance(what, Sequence) or isinstance(what, bytes) or not what:
            kinds = ", ".join(CHANGE_KINDS)
            error = ValueError if isinstance(what, Sequence) else TypeError
            raise error(f"what={shown(given)}; expected one or more of {kinds}, in order")
        for name in what:
            checked_choice("what", name, CHANGE_KINDS)
        object.__setattr__(self, "what", tuple(what))
        self._check_range("goal_reward_range", -math.inf, math.inf)
        self._check_range("slip_range", 0.0, 1.0)

    @classmethod
    def from_argument(
        cls, changes: RandomChanges | Mapping[str, Any] | None
    ) -> RandomChanges | None:
        """Return the process that an environment's argument `random_changes` describes.

        Raises:
            ValueError: for an unknown name or a number outside its range.
            TypeError: for anything but a mapping or a `RandomChanges`.
        """
        if changes is None or isinstance(changes, RandomChanges):
            return changes
        if not isinstance(changes, Mapping):
            raise TypeError(f"random_changes={shown(changes)}; expected a mapping or RandomChanges")
        known = [field.name for field in fields(cls)]
        with naming("random_changes"):
            for name in changes:
                checked_choice("key", name, known)
            return cls(**changes)

    def describe(self) -> dict[str, Any]:
        """Return the fields as plain data, without those of "once" and `otherwise` where unused.

        Digests of configurations are stored; they must not change with every new field.
        """
        added = ("earliest", "latest", "otherwise")
        given = asdict(self)
        return {
            name: value for name, value in given.items() if name not in added or value is not None
        }

    @cached_property
    def times(self) -> ChangeTimes:
        """The process of the times."""
        numbers = {name: getattr(self, name) for name in NUMBERS[self.when]}
        process: ChangeTimes = TIMINGS[self.when](**numbers)
        return process

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Draw the time of the first change after world step `now`."""
        return self.times.first(now, uniform)

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Draw the time of the change after one; a Poisson process may have two in one step."""
        return self.times.after(pending, uniform)

    def apply(self, layout: Layout, agent: Cell | None, uniform: UniformSampler) -> Layout | None:
        """Return the layout after a change, or None if every drawn change blocks the goal.

        A goal stays reachable from every start, and from the agent's cell.

        Args:
            layout: the layout before.
            agent: the agent's cell; no wall and no goal is put there.
            uniform: draws a random number from [0, 1).
        """
        changed = self._draw(self.what[randint(len(self.what), uniform)], layout, agent, uniform)
        if changed is None and self.otherwise is not None:
            changed = self._draw(self.otherwise, layout, agent, uniform)
        return changed

    def _draw(
        self, kind: str, layout: Layout, agent: Cell | None, uniform: UniformSampler
    ) -> Layout | None:
        """Return the layout after a change of a kind; None if every drawn one blocks the goal."""
        for _ in range(MAX_TRIES):
            try:
                changed = CHANGE_KINDS[kind](self, layout, agent, uniform)
            except LayoutError:
                continue
            if changed is None or agent is None or reaches_goal(changed, agent):
                return changed
        return None

    def check_fits(self, layout: Layout) -> None:
        """Check that the layout has something to change.

        Raises:
            ValueError: for changes of more walls than there are.
        """
        walls = int(layout.walls.sum())
        if self.what == ("walls",) and walls < self.cells:
            where = f"of {walls} walls" if walls else "without a wall"
            raise ValueError(
                f"random_changes of walls with cells={shown(self.cells)} in a maze {where}; "
                "expected at least as many walls"
            )

    def _check_use(self, name: str) -> None:
        """Check that a number is given where the process uses it, and not elsewhere."""
        value, used = getattr(self, name), name in NUMBERS[self.when]
        if used and value is None:
            raise ValueError(f"when={self.when!r} without {name}; expected a number")
        if not used and value is not None:
            raise ValueError(
                f"{name}={shown(value)} with when={self.when!r}, which does not use it; "
                f"expected {' and '.join(NUMBERS[self.when])}"
            )

    def _check_range(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        pair = value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(pair, Sequence) or isinstance(pair, str | bytes) or len(pair) != 2:
            error = ValueError if isinstance(pair, Sequence) else TypeError
            raise error(f"{name}={shown(value)}; expected two numbers, the lower one first")
        lowest, highest = (checked_number(name, number, low, high) for number in pair)
        if lowest > highest:
            raise ValueError(f"{name}={shown(value)}; expected the lower one first")
        if math.isinf(highest - lowest):
            raise ValueError(f"{name}={shown(value)}; expected a difference that a float can hold")
        object.__setattr__(self, name, (lowest, highest))


TIMINGS: dict[str, Any] = {
    "each_step": EachStep,
    "poisson": Poisson,
    "bursts": Bursts,
    "periodic": Every,
    "once": Once,
}
"""The processes of times, by their names here."""

NUMBERS = {
    when: tuple(field.name for field in fields(times) if field.name != "start")
    for when, times in TIMINGS.items()
}
"""The fields of `RandomChanges` that each process uses."""
