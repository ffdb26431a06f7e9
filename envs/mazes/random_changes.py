"""Random changes of a maze: their times, and the choice of their kinds.

Times are drawn in advance, one change after the other, so that a step between two changes only
compares the clock with a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.configuration import fields_repr
from dynamaze.common.validation import (
    checked_choice,
    checked_integer,
    checked_number,
    naming,
    shown,
)

from .change_kinds import CHANGE_KINDS, UniformSampler, randint, reaches_goal
from .layout import Cell, Layout, LayoutError
from .schedule import LAST_STEP

MAX_TRIES = 32
"""A change is skipped after this many draws that each blocked the goal."""

MAX_RATE = 100.0
"""Largest rate in changes per step: a step with too many would not come to an end."""


class PendingChange(NamedTuple):
    """Time of the next change."""

    step: int  # the world step from which it holds, perhaps beyond the end of the clock
    early: float = 0.0  # in [0, 1]: how long before that step a Poisson process has its event
    remaining: int = 0  # changes that follow on the next steps, in a burst


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
        for name, check in NUMBER_CHECKS.items():
            self._check_number(name, check)
        if self.when == "once":
            latest = checked_integer("latest", self.latest, self.earliest)  # type: ignore[arg-type]  # checked
            object.__setattr__(self, "latest", latest)
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

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Draw the time of the first change after world step `now`."""
        return TIMINGS[self.when].after(self, PendingChange(now), uniform)

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Draw the time of the change after one; a Poisson process may have two in one step."""
        if not TIMINGS[self.when].repeats:
            return PendingChange(LAST_STEP)
        return TIMINGS[self.when].after(self, pending, uniform)

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

    def _check_number(self, name: str, check: Callable[[str, Any], float]) -> None:
        value, used = getattr(self, name), name in TIMINGS[self.when].numbers
        if used and value is None:
            raise ValueError(f"when={self.when!r} without {name}; expected a number")
        if not used and value is not None:
            raise ValueError(
                f"{name}={shown(value)} with when={self.when!r}, which does not use it; "
                f"expected {' and '.join(TIMINGS[self.when].numbers)}"
            )
        if used:
            object.__setattr__(self, name, check(name, value))

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


# -- times ---------------------------------------------------------------------------------------


class ChangeTiming(NamedTuple):
    """One of the processes of change times."""

    numbers: tuple[str, ...]  # the fields of `RandomChanges` that it uses
    after: Callable[[RandomChanges, PendingChange, UniformSampler], PendingChange]
    repeats: bool = True


def _each_step(
    changes: RandomChanges, pending: PendingChange, uniform: UniformSampler
) -> PendingChange:
    return PendingChange(pending.step + _steps_until(changes.probability, uniform))


def _poisson(
    changes: RandomChanges, pending: PendingChange, uniform: UniformSampler
) -> PendingChange:
    assert changes.rate is not None
    # Exponential waiting times, by inversion of their distribution function. They are positive:
    # the random number 0 would put the first change on the present step, which is over.
    wait = min(-math.log1p(-uniform()) / changes.rate or math.ulp(0.0), float(LAST_STEP))
    # Counted from the last step: the sum of a late step and a short wait would be rounded.
    later = max(0, math.ceil(wait - pending.early))
    return PendingChange(pending.step + later, later - (wait - pending.early))


def _bursts(
    changes: RandomChanges, pending: PendingChange, uniform: UniformSampler
) -> PendingChange:
    if pending.remaining:
        return PendingChange(pending.step + 1, remaining=pending.remaining - 1)
    assert changes.length is not None
    step = pending.step + _steps_until(changes.probability, uniform)
    return PendingChange(step, remaining=changes.length - 1)


def _periodic(
    changes: RandomChanges, pending: PendingChange, uniform: UniformSampler
) -> PendingChange:
    assert changes.period is not None
    return PendingChange((pending.step // changes.period + 1) * changes.period)


def _once(changes: RandomChanges, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
    assert changes.earliest is not None
    assert changes.latest is not None
    wait = changes.earliest + randint(changes.latest - changes.earliest + 1, uniform)
    return PendingChange(pending.step + wait)


def _steps_until(probability: float | None, uniform: UniformSampler) -> int:
    """Draw the number of steps until an event that has this probability in each step."""
    assert probability is not None
    if probability >= 1.0:
        return 1
    # A geometric distribution, by inversion of its distribution function.
    return 1 + int(min(math.log1p(-uniform()) / math.log1p(-probability), float(LAST_STEP)))


TIMINGS = {
    "each_step": ChangeTiming(("probability",), _each_step),
    "poisson": ChangeTiming(("rate",), _poisson),
    "bursts": ChangeTiming(("probability", "length"), _bursts),
    "periodic": ChangeTiming(("period",), _periodic),
    "once": ChangeTiming(("earliest", "latest"), _once, repeats=False),
}

NUMBER_CHECKS: dict[str, Callable[[str, Any], float]] = {
    "probability": lambda name, value: checked_number(name, value, 0, 1, above=True),
    "rate": lambda name, value: checked_number(name, value, 0, MAX_RATE, above=True),
    "period": lambda name, value: checked_integer(name, value, 1),
    "length": lambda name, value: checked_integer(name, value, 1),
    "earliest": lambda name, value: checked_integer(name, value, 1),
    "latest": lambda name, value: checked_integer(name, value, 1),
}
