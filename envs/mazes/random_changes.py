"""Changes that nobody knows beforehand: when they come, and what they change.

Times are drawn ahead, one change after the other, so that a world which is not changing only
compares its clock with a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray
from dynamaze.common.validation import checked_number, did_you_mean

from .layout import Cell, Layout, LayoutError
from .schedule import LAST_STEP

Draw = Callable[[], float]
"""Gives the next random number of a world, from [0, 1)."""

TRIES = 32
"""So many draws of a change are tried before it is skipped because each broke the only way."""

MAX_RATE = 100.0
"""More changes in a step than that are refused: a step must come to an end."""


class Due(NamedTuple):
    """When the next change comes."""

    step: int  # the world step from which it holds
    time: float  # the same before rounding up, for a Poisson process
    left: int  # changes that follow on the next steps, in a burst


@dataclass(frozen=True)
class RandomChanges:
    """A random process of changes.

    Attributes:
        when: "each_step" (after each step with `probability`), "poisson" (`rate` changes a step
            in the mean, several in one step now and then), "bursts" (after each step a burst
            begins with `probability`: `length` changes, one after each of the next steps), or
            "periodic" (at each multiple of `period`).
        probability: in (0, 1].
        rate: in (0, 100].
        period: at least 1.
        length: at least 1.
        what: what changes, one of them drawn for each change: "walls" (one opens, one closes),
            "start" and "goal" (it moves to another cell), "rewards" (the goal's is drawn anew),
            "slip" (its probability is drawn anew).
        cells: how many walls open, and how many close, in a change of walls.
        goal_reward_range: between which numbers the goal's reward is drawn.
        slip_range: between which numbers in [0, 1] the slip probability is drawn.

    Raises:
        ValueError: for a name that does not exist, a number outside its range, or one that
            `when` does not use or lacks.
        TypeError: for what is not a number.
    """

    when: str = "each_step"
    probability: float | None = None
    rate: float | None = None
    period: int | None = None
    length: int | None = None
    what: Sequence[str] = ("walls",)
    cells: int = 1
    goal_reward_range: tuple[float, float] = (0.0, 1.0)
    slip_range: tuple[float, float] = (0.0, 0.5)

    def __post_init__(self) -> None:
        _check_name("when", self.when, TIMES)
        for name, check in CHECKS.items():
            self._check_number(name, check)
        checked_number("cells", self.cells, 1, whole=True)
        what = (self.what,) if isinstance(self.what, str) else tuple(self.what)
        if not what:
            raise ValueError(f"what={self.what!r}; expected one or more of {', '.join(KINDS)}")
        for name in what:
            _check_name("what", name, KINDS)
        object.__setattr__(self, "what", what)
        self._check_range("goal_reward_range", -math.inf, math.inf)
        self._check_range("slip_range", 0.0, 1.0)

    @classmethod
    def read(cls, changes: RandomChanges | Mapping[str, Any] | None) -> RandomChanges | None:
        """The process that an environment's argument `random_changes` describes.

        Raises:
            ValueError: for a name or a number that cannot be.
            TypeError: for what is neither a mapping nor such a process.
        """
        if changes is None or isinstance(changes, RandomChanges):
            return changes
        if not isinstance(changes, Mapping):
            raise TypeError(f"random_changes={changes!r}; expected a mapping or RandomChanges")
        known = [field.name for field in fields(cls)]
        for name in changes:
            _check_name("random_changes", name, known)
        return cls(**changes)

    def first(self, now: int, draw: Draw) -> Due:
        """When the first change after world step `now` comes."""
        return TIMES[self.when].after(self, Due(now, float(now), 0), draw)

    def after(self, due: Due, draw: Draw) -> Due:
        """When the change after one comes; a Poisson process may have two in one step."""
        return TIMES[self.when].after(self, due, draw)

    def apply(self, layout: Layout, agent: Cell | None, draw: Draw) -> Layout | None:
        """The layout after a change, or None where each that was tried breaks the only way.

        Every start still reaches a goal, and so does the agent from where it stands.

        Args:
            layout: the layout before.
            agent: where the agent stands; nothing is put on it.
            draw: gives random numbers.
        """
        kind = KINDS[self.what[_below(len(self.what), draw)]]
        for _ in range(TRIES):
            try:
                changed = kind(self, layout, agent, draw)
            except LayoutError:
                continue
            if changed is not None and (agent is None or _has_way(changed, agent)):
                return changed
        return None

    def check_fits(self, layout: Layout) -> None:
        """Make sure that there is something to change.

        Raises:
            ValueError: if walls shall move in a maze without a wall.
        """
        if self.what == ("walls",) and not layout.walls.any():
            raise ValueError(
                "random_changes of walls in a maze without a wall; expected at least one wall"
            )

    def _check_number(self, name: str, check: Callable[[str, Any], float]) -> None:
        value, used = getattr(self, name), name in TIMES[self.when].numbers
        if used and value is None:
            raise ValueError(f"random_changes when={self.when!r} without {name}; expected a number")
        if not used and value is not None:
            raise ValueError(
                f"{name}={value!r} with when={self.when!r}, which does not use it; "
                f"expected {' and '.join(TIMES[self.when].numbers)}"
            )
        if used:
            check(name, value)

    def _check_range(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not isinstance(value, Sequence) or len(value) != 2:
            raise ValueError(f"{name}={value!r}; expected two numbers, the lower one first")
        lowest, highest = (checked_number(name, number, low, high) for number in value)
        if lowest > highest:
            raise ValueError(f"{name}={value!r}; expected the lower one first")
        object.__setattr__(self, name, (lowest, highest))


# -- when ----------------------------------------------------------------------------------------


class Time(NamedTuple):
    """One of the ways in which changes come."""

    numbers: tuple[str, ...]  # the fields of `RandomChanges` that it uses
    after: Callable[[RandomChanges, Due, Draw], Due]


def _each_step(changes: RandomChanges, due: Due, draw: Draw) -> Due:
    return _at(due.step + _steps_until(changes.probability, draw))


def _poisson(changes: RandomChanges, due: Due, draw: Draw) -> Due:
    assert changes.rate is not None
    time = due.time - math.log1p(-draw()) / changes.rate
    return Due(min(math.ceil(time), LAST_STEP), time, 0)


def _bursts(changes: RandomChanges, due: Due, draw: Draw) -> Due:
    if due.left:
        return _at(due.step + 1, due.left - 1)
    assert changes.length is not None
    return _at(due.step + _steps_until(changes.probability, draw), changes.length - 1)


def _periodic(changes: RandomChanges, due: Due, draw: Draw) -> Due:
    assert changes.period is not None
    return _at((due.step // changes.period + 1) * changes.period)


def _at(step: int, left: int = 0) -> Due:
    step = min(step, LAST_STEP)
    return Due(step, float(step), left)


def _steps_until(probability: float | None, draw: Draw) -> int:
    """Draw how many steps it takes until something of this probability happens."""
    assert probability is not None
    if probability >= 1.0:
        return 1
    return 1 + int(min(math.log1p(-draw()) / math.log1p(-probability), float(LAST_STEP)))


TIMES = {
    "each_step": Time(("probability",), _each_step),
    "poisson": Time(("rate",), _poisson),
    "bursts": Time(("probability", "length"), _bursts),
    "periodic": Time(("period",), _periodic),
}

CHECKS: dict[str, Callable[[str, Any], float]] = {
    "probability": lambda name, value: checked_number(name, value, 0, 1, above=True),
    "rate": lambda name, value: checked_number(name, value, 0, MAX_RATE, above=True),
    "period": lambda name, value: checked_number(name, value, 1, whole=True),
    "length": lambda name, value: checked_number(name, value, 1, whole=True),
}


# -- what ----------------------------------------------------------------------------------------


def _walls(changes: RandomChanges, layout: Layout, agent: Cell | None, draw: Draw) -> Layout | None:
    """Open some walls and close as many free cells."""
    walls = layout.walls.copy()
    can_close = ~walls
    for cell in (*layout.starts, *layout.goals, *([] if agent is None else [agent])):
        can_close[cell] = False
    standing, free = np.flatnonzero(walls), np.flatnonzero(can_close)
    if min(standing.size, free.size) < changes.cells:
        return None
    walls.flat[_choose(standing, changes.cells, draw)] = False
    walls.flat[_choose(free, changes.cells, draw)] = True
    return replace(layout, walls=walls)


def _start(changes: RandomChanges, layout: Layout, agent: Cell | None, draw: Draw) -> Layout | None:
    """Move the start to another cell from which a goal can be reached."""
    possible = layout.distances > 0
    for cell in layout.starts:
        possible[cell] = False
    moved = _one_of(possible, layout, draw)
    return None if moved is None else replace(layout, starts=(moved,))


def _goal(changes: RandomChanges, layout: Layout, agent: Cell | None, draw: Draw) -> Layout | None:
    """Move the goal to another cell, but not under the agent or a start."""
    possible = layout.distances > 0
    for cell in (*layout.starts, *([] if agent is None else [agent])):
        possible[cell] = False
    moved = _one_of(possible, layout, draw)
    return None if moved is None else replace(layout, goals=(moved,))


def _rewards(changes: RandomChanges, layout: Layout, agent: Cell | None, draw: Draw) -> Layout:
    """Draw the goal's reward anew."""
    reward = _between(changes.goal_reward_range, draw)
    return replace(layout, rewards=layout.rewards._replace(goal=reward))


def _slip(changes: RandomChanges, layout: Layout, agent: Cell | None, draw: Draw) -> Layout:
    """Draw the slip probability anew."""
    return replace(layout, slip_probability=_between(changes.slip_range, draw))


KINDS: dict[str, Callable[[RandomChanges, Layout, Cell | None, Draw], Layout | None]] = {
    "walls": _walls,
    "start": _start,
    "goal": _goal,
    "rewards": _rewards,
    "slip": _slip,
}


def _one_of(possible: BoolArray, layout: Layout, draw: Draw) -> Cell | None:
    where = np.flatnonzero(possible)
    return layout.cell(int(where[_below(where.size, draw)])) if where.size else None


def _has_way(layout: Layout, agent: Cell) -> bool:
    """Whether the agent reaches a goal from where it stands, which may be a wall's cell."""
    if not layout.walls[agent]:
        return bool(layout.distances[agent] >= 0)
    row, col = agent
    near = layout.distances[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2]
    beside = np.zeros(near.shape, dtype=np.bool_)
    beside[min(row, 1), :] = beside[:, min(col, 1)] = True
    return bool((near[beside] >= 0).any())


def _choose(places: npt.NDArray[np.intp], count: int, draw: Draw) -> npt.NDArray[np.intp]:
    """Draw so many different ones of the places."""
    places = places.copy()
    for i in range(count):
        j = i + _below(places.size - i, draw)
        places[i], places[j] = places[j], places[i]
    return places[:count]


def _below(high: int, draw: Draw) -> int:
    return int(draw() * high)


def _between(bounds: tuple[float, float], draw: Draw) -> float:
    low, high = bounds
    return low + (high - low) * draw()


def _check_name(what: str, name: object, known: Any) -> None:
    if not isinstance(name, str) or name not in known:
        raise ValueError(
            f"{what}={name!r}; expected one of {', '.join(known)}{did_you_mean(name, known)}"
        )
