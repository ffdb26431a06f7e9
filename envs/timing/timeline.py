"""Changes with their times: composable schedules, and the clock by which they come.

`at(1000, change)`, `every(500, cycle(a, b))` and `poisson(0.01, change)` make a `TimedChange`; an
environment takes one, a list of them, or a mapping of times and changes. A `Timeline` tells an
environment which of them is due. A change is anything that the environment can apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

from dynamaze.common.configuration import fields_repr
from dynamaze.common.validation import checked_choice, checked_integer, naming, shown

from .times import (
    LAST_STEP,
    NEVER,
    PROCESSES,
    At,
    ChangeTimes,
    PendingChange,
    UniformSampler,
    describe_times,
    pending_from_json,
    pending_to_json,
    read_time,
    unit_name,
)

MAX_REPLAYED = 100_000
"""Past changes that are applied one by one to set a clock."""

WITH_EPISODES = ("steps", "period", "start")
"""Numbers of a process that may count episodes."""


@dataclass(frozen=True, repr=False)
class TimedChange:
    """Changes and the process of their times.

    Attributes:
        times: the process.
        changes: one after the other, and again from the first.
        by_episode: True if the times count episodes instead of world steps.
        is_drawn: True if a change is drawn when it comes, so that those of the past are not known.
    """

    __repr__ = fields_repr

    times: ChangeTimes
    changes: tuple[Any, ...]
    by_episode: bool = False
    is_drawn: bool = False

    @property
    def is_known(self) -> bool:
        """True if times and changes are known in advance."""
        return not (self.is_drawn or self.times.is_random)

    def __deepcopy__(self, memo: object) -> TimedChange:
        return self  # nothing modifies it

    def to_json(self) -> dict[str, Any]:
        """Return the mapping that environments accept in its place; the changes as they are."""
        described = describe_times(self.times)
        if self.by_episode:
            for name in described.keys() & {"period", "start"}:
                described[name] = f"episode {described[name]}"
        if isinstance(self.times, At):
            word = "episode " if self.by_episode else ""
            described["steps"] = [f"{word}{step}" if word else step for step in self.times.steps]
        return {**described, "changes": list(self.changes)}


@dataclass(frozen=True)
class Cycle:
    """Changes that come one after the other, and again from the first (see `cycle`)."""

    changes: tuple[Any, ...]


def at(step: int | str | Sequence[int | str], change: Any) -> TimedChange:
    """Return a change at a world step, or at several.

    Args:
        step: from 1; "episode N" counts episodes. Of several, each is later than the one before.
        change: as the environment takes it, or a `cycle` of changes.

    Raises:
        ValueError: for a time that is none; TypeError for anything but numbers or texts.
    """
    return _timed("at", change, steps=step)


def every(period: int | str, change: Any, *, start: int | str | None = None) -> TimedChange:
    """Return a change at regular intervals.

    Args:
        period: world steps between two changes, from 1; "episode N" for a number of episodes.
        change: as the environment takes it, or a `cycle` of changes.
        start: the time of the first; None for `period`.

    Raises:
        ValueError: for a number outside its range; TypeError for anything but a number.
    """
    return _timed("every", change, period=period, start=start)


def each_step(probability: float, change: Any) -> TimedChange:
    """Return a change that comes after each step with a probability in (0, 1]."""
    return _timed("each_step", change, probability=probability)


def poisson(rate: float, change: Any) -> TimedChange:
    """Return a change at the times of a Poisson process of `rate` in (0, 100] changes a step."""
    return _timed("poisson", change, rate=rate)


def bursts(probability: float, length: int, change: Any) -> TimedChange:
    """Return changes in bursts of `length`, which begin after each step with a probability."""
    return _timed("bursts", change, probability=probability, length=length)


def once(earliest: int, latest: int, change: Any) -> TimedChange:
    """Return a change at one random time, uniform from `earliest` to `latest` steps."""
    return _timed("once", change, earliest=earliest, latest=latest)


def cycle(*changes: Any) -> Cycle:
    """Return changes that come one after the other, and again from the first.

    Raises:
        ValueError: without a change.
    """
    if not changes:
        raise ValueError("cycle() of no changes; expected at least one")
    return Cycle(changes)


def _timed(when: str, change: Any, **numbers: Any) -> TimedChange:
    """Return the timed change of a process, given its numbers."""
    changes = change.changes if isinstance(change, Cycle) else (change,)
    given = {name: value for name, value in numbers.items() if value is not None}
    with naming(when):
        by_episode = _read_units(given)
        return TimedChange(PROCESSES[when](**given), changes, by_episode)


def _read_units(numbers: dict[str, Any]) -> bool:
    """Replace times by their numbers; return True if they count episodes.

    Raises:
        ValueError: for a time that is none, or times of both units.
    """
    units = set()
    for name in numbers.keys() & set(WITH_EPISODES):
        value = numbers[name]
        is_list = isinstance(value, Iterable) and not isinstance(value, str | bytes)
        times = [read_time(one) for one in (value if is_list else [value])]
        units |= {by_episode for by_episode, _ in times}
        steps = tuple(step for _, step in times)
        numbers[name] = steps if name == "steps" else steps[0]
    if len(units) > 1:
        raise ValueError("times in world steps and in episodes; expected one kind of them")
    return units == {True}


# -- reading -------------------------------------------------------------------------------------


def read_changes(changes: Any) -> tuple[TimedChange, ...]:
    """Return the timed changes of an environment's argument.

    Args:
        changes: time -> change, as a mapping or as pairs; a time is a world step (a string of
            digits is accepted, as JSON makes them) or "episode N". Or a `TimedChange`, or a list
            that also has such ones, each perhaps in the form of `TimedChange.to_json`.

    Raises:
        ValueError: for a time or a number outside its range, or two changes at one time.
        TypeError: for anything but the above.
    """
    if isinstance(changes, TimedChange) or _is_timed_mapping(changes):
        changes = [changes]
    if not is_composed(changes):
        return _timed_pairs(pairs_of(changes))
    items = list(changes)
    pairs = [item for item in items if not _is_timed(item)]
    timed = [_as_timed(item) for item in items if _is_timed(item)]
    return (*_timed_pairs(pairs_of(pairs)), *timed)


def is_composed(changes: Any) -> bool:
    """Return True if an argument `changes` holds more than pairs of time and change."""
    if isinstance(changes, TimedChange) or _is_timed_mapping(changes):
        return True
    # Not any sequence: a huge range is refused by its first item, without a look at the others.
    return isinstance(changes, list | tuple) and any(_is_timed(item) for item in changes)


def pairs_of(changes: Any) -> list[tuple[Any, Any]]:
    """Return changes, a mapping or pairs, as pairs of time and change.

    Raises:
        TypeError: for anything else.
    """
    try:
        if isinstance(changes, str | bytes):
            raise TypeError
        pairs = changes.items() if isinstance(changes, Mapping) else changes
        return [(when, change) for when, change in pairs]
    except (TypeError, ValueError):
        raise TypeError(
            f"changes={shown(changes)}; expected a mapping or pairs of world step and change"
        ) from None


def _is_timed_mapping(item: Any) -> bool:
    return isinstance(item, Mapping) and "when" in item


def _is_timed(item: Any) -> bool:
    return isinstance(item, TimedChange) or _is_timed_mapping(item)


def _timed_pairs(pairs: list[tuple[Any, Any]]) -> tuple[TimedChange, ...]:
    """Return the changes at given times, those in world steps and those in episodes."""
    made = []
    read = sorted(((*read_time(when), i) for i, (when, _) in enumerate(pairs)))
    for by_episode in (False, True):
        own = [(step, pairs[i][1]) for unit, step, i in read if unit == by_episode]
        for (before, _), (step, _) in pairwise(own):
            if before == step:
                unit = unit_name(by_episode)
                raise ValueError(f"two changes at {unit} {step}; expected one")
        if own:
            steps, changes = zip(*own, strict=True)
            made.append(TimedChange(At(steps), changes, by_episode))
    return tuple(made)


def _as_timed(item: TimedChange | Mapping[str, Any]) -> TimedChange:
    """Return a timed change, which may be in the form of a mapping."""
    if isinstance(item, TimedChange):
        return item
    given = dict(item)
    when = checked_choice("when", given.pop("when"), PROCESSES)
    names = [field.name for field in fields(PROCESSES[when])]
    for name in given:
        checked_choice("key", name, [*names, "change", "changes"])
    if ("change" in given) == ("changes" in given):
        raise ValueError(f"{shown(item)}; expected a 'change', or a list of 'changes'")
    several = given.pop("changes", None)
    if several is not None and not (isinstance(several, list | tuple) and several):
        raise TypeError(f"changes={shown(several)}; expected a list of at least one")
    missing = [name for name in names if name not in given and name != "start"]
    if missing:
        raise ValueError(f"when={when!r} without {missing[0]}; expected a number")
    change = given.pop("change") if several is None else Cycle(tuple(several))
    return _timed(when, change, **given)


# -- the clock -----------------------------------------------------------------------------------


class PastChange(NamedTuple):
    """Change that came before a world step."""

    by_episode: bool
    time: int  # the world step or episode at which it came
    item: int  # the number of its `TimedChange`
    change: Any


class Timeline:
    """Times of the coming changes of one environment.

    Args:
        timed: the changes with their times.

    Attributes:
        counts: the number of changes so far of each of them.
        next_step: the world step of the next change; `NEVER`, the end of the clock, without one.
    """

    def __init__(self, timed: Sequence[TimedChange]) -> None:
        self.timed = tuple(timed)
        self.counts = [0] * len(self.timed)
        # Random times are drawn when the clock is set; they are None before.
        self.pending: list[PendingChange | None] = [
            each.times.first(0, float) if each.is_known else None for each in timed
        ]
        self._find_next()

    def set_clock(self, world_step: int, episode: int, uniform: UniformSampler) -> None:
        """Set the clock: known changes before it have come, random ones have not.

        Args:
            world_step: the clock.
            episode: the number of the episode.
            uniform: draws a random number from [0, 1).
        """
        for i, each in enumerate(self.timed):
            time = episode if each.by_episode else world_step
            self.counts[i] = each.times.count(time) if each.is_known else 0  # type: ignore[attr-defined]  # `KnownTimes`
            self.pending[i] = each.times.first(time, uniform)
        self._find_next()

    def redraw(self, world_step: int, uniform: UniformSampler) -> None:
        """Draw the times of the next random changes again, from this world step on."""
        for i, each in enumerate(self.timed):
            if not each.is_known:
                self.pending[i] = each.times.first(world_step, uniform)
        self._find_next()

    def due(self, time: int, uniform: UniformSampler, *, by_episode: bool = False) -> Iterator[Any]:
        """Generate the changes that are due; each is to be applied before the next one.

        Args:
            time: the world step, or the number of the episode.
            uniform: draws a random number from [0, 1).
            by_episode: True for the changes whose times count episodes.
        """
        for i, each in enumerate(self.timed):
            pending = self.pending[i] if each.by_episode == by_episode else None
            while pending is not None and pending.step <= time < NEVER:
                self.counts[i] += 1
                yield each.changes[(self.counts[i] - 1) % len(each.changes)]
                self.pending[i] = pending = each.times.after(pending, uniform)
        self._find_next()

    def past(self, *, each_time: bool = False) -> list[PastChange]:
        """Return the known changes that have come, in the order of their times.

        Args:
            each_time: True for every time of a change, false for its last one only. The last ones
                suffice where a change sets the same values whenever it comes.

        Raises:
            ValueError: for more than 100,000 of them.
        """
        total = sum(self.counts) if each_time else 0
        if total > MAX_REPLAYED:
            raise ValueError(
                f"world_step after {total:,} changes; expected at most {MAX_REPLAYED:,}"
            )
        found = []
        for i, each in enumerate(self.timed):
            if each.is_known:
                count = self.counts[i]
                first = 0 if each_time else max(0, count - len(each.changes))
                for number in range(first, count):
                    time = each.times.time(number + 1)  # type: ignore[attr-defined]  # `KnownTimes`
                    change = each.changes[number % len(each.changes)]
                    found.append(PastChange(each.by_episode, time, i, change))
        return sorted(found, key=lambda past: past[:3])

    def get_state(self, first: int = 0) -> list[Any]:
        """Return counts and times of the changes from one on, as plain data for JSON."""
        both = zip(self.counts[first:], self.pending[first:], strict=True)
        return [
            [count, None if pending is None else pending_to_json(pending)]
            for count, pending in both
        ]

    def set_state(self, state: Any, world_step: int, episode: int, first: int = 0) -> None:
        """Restore a state of `get_state`.

        Raises:
            ValueError, KeyError, TypeError: if it is none at this time.
        """
        timed = self.timed[first:]
        if not isinstance(state, list) or len(state) != len(timed):
            raise ValueError(f"timed changes {shown(state)}; expected a list of {len(timed)}")
        for i, (each, (count, pending)) in enumerate(zip(timed, state, strict=True), first):
            self.counts[i] = checked_integer("count", count, 0, LAST_STEP)
            self.pending[i] = None if pending is None else pending_from_json(pending, each.times)
            time = episode if each.by_episode else world_step
            if each.is_known:
                expected = each.times.count(time)  # type: ignore[attr-defined]  # `KnownTimes`
                if self.counts[i] != expected:
                    unit = unit_name(each.by_episode)
                    raise ValueError(
                        f"a state after {shown(count)} scheduled changes at {unit} {time}; "
                        f"expected {expected}"
                    )
                self.pending[i] = each.times.first(time, float)
        self._find_next()

    def _find_next(self) -> None:
        steps = (
            pending.step
            for pending, each in zip(self.pending, self.timed, strict=True)
            if pending is not None and not each.by_episode
        )
        self.next_step = min((*steps, NEVER))
