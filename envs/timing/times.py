"""Processes of the times at which changes come, known in advance or random.

A random time is drawn in advance, one change after the other, so that a step between two changes
only compares the clock with a number.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import asdict, dataclass
from operator import index
from typing import Any, ClassVar, NamedTuple, Protocol

from dynamaze.common.validation import checked_integer, checked_number, shown

LAST_STEP = 2**53
"""The end of the clock: the last world step, where no further step can be taken.

Up to here a float holds every world step exactly.
"""

NEVER = LAST_STEP
"""The next change where there is none."""

MAX_RATE = 100.0
"""Largest rate in changes per step: a step with too many would not come to an end."""

EPISODE = "episode"
"""Prefix of the number of an episode at which a change comes."""

UniformSampler = Callable[[], float]
"""Draws the next random number of an environment from [0, 1)."""


class PendingChange(NamedTuple):
    """Time of the next change."""

    step: int  # the world step from which it holds, perhaps beyond the end of the clock
    early: float = 0.0  # in [0, 1]: how long before that step a Poisson process has its event
    remaining: int = 0  # changes that follow on the next steps, in a burst


class ChangeTimes(Protocol):
    """Process of the times at which changes come."""

    when: ClassVar[str]
    """Name of the process."""

    is_random: ClassVar[bool]
    """True if the times are drawn; false if they are known: `KnownTimes`."""

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Return the time of the first change after `now`."""

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Return the time of the change after one; a Poisson process may have two in one step."""


class KnownTimes(ChangeTimes, Protocol):
    """Process of times that are known in advance."""

    def count(self, now: int) -> int:
        """Return the number of changes from the beginning until `now`, inclusive."""

    def time(self, number: int) -> int:
        """Return the time of a change, of which the first has number 1."""


# -- known in advance ----------------------------------------------------------------------------


@dataclass(frozen=True)
class At:
    """Given times.

    Attributes:
        steps: at least 1, increasing.

    Raises:
        ValueError: if they are not; TypeError for anything but whole numbers.
    """

    when: ClassVar[str] = "at"
    is_random: ClassVar[bool] = False
    steps: tuple[int, ...]

    def __post_init__(self) -> None:
        before = 0
        for step in self.steps:
            if checked_integer("step", step, 1, LAST_STEP) <= before:
                raise ValueError(f"a change at {step}; expected one after {before}")
            before = step

    def count(self, now: int) -> int:
        """Return the number of changes until `now`, inclusive."""
        return bisect_right(self.steps, now)

    def time(self, number: int) -> int:
        """Return the time of a change, of which the first has number 1."""
        return self.steps[number - 1]

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Return the first time after `now`."""
        later = self.steps[self.count(now) :][:1]
        return PendingChange(later[0] if later else NEVER)

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Return the time after one."""
        return self.first(pending.step, uniform)


@dataclass(frozen=True)
class Every:
    """Times at regular intervals.

    Attributes:
        period: at least 1.
        start: the first time, at least 1; None for `period`.

    Raises:
        ValueError: for a number outside its range; TypeError for anything but a whole number.
    """

    when: ClassVar[str] = "every"
    is_random: ClassVar[bool] = False
    period: int
    start: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", checked_integer("period", self.period, 1))
        if self.start is not None:
            object.__setattr__(self, "start", checked_integer("start", self.start, 1, LAST_STEP))

    def count(self, now: int) -> int:
        """Return the number of changes until `now`, inclusive."""
        return max(0, (now - self.time(1)) // self.period + 1)

    def time(self, number: int) -> int:
        """Return the time of a change, of which the first has number 1."""
        first = self.period if self.start is None else self.start
        return first + (number - 1) * self.period

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Return the first time after `now`."""
        return PendingChange(self.time(self.count(now) + 1))

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Return the time after one."""
        return self.first(pending.step, uniform)


# -- random --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EachStep:
    """After each step a change with a probability in (0, 1]."""

    when: ClassVar[str] = "each_step"
    is_random: ClassVar[bool] = True
    probability: float

    def __post_init__(self) -> None:
        _check_probability(self)

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Draw the first time after `now`."""
        return PendingChange(now + _steps_until(self.probability, uniform))

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Draw the time after one."""
        return self.first(pending.step, uniform)


@dataclass(frozen=True)
class Poisson:
    """On average `rate` changes a step, sometimes several in one step; `rate` in (0, 100]."""

    when: ClassVar[str] = "poisson"
    is_random: ClassVar[bool] = True
    rate: float

    def __post_init__(self) -> None:
        rate = checked_number("rate", self.rate, 0, MAX_RATE, above=True)
        object.__setattr__(self, "rate", rate)

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Draw the first time after `now`."""
        return self.after(PendingChange(now), uniform)

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Draw the time after one, perhaps in the same step."""
        # Exponential waiting times, by inversion of their distribution function. They are positive:
        # the random number 0 would put the first change on the present step, which is over.
        wait = min(-math.log1p(-uniform()) / self.rate or math.ulp(0.0), float(LAST_STEP))
        # Counted from the last step: the sum of a late step and a short wait would be rounded.
        later = max(0, math.ceil(wait - pending.early))
        return PendingChange(pending.step + later, later - (wait - pending.early))


@dataclass(frozen=True)
class Bursts:
    """After each step a burst begins with a probability: changes after each of the next steps.

    Attributes:
        probability: in (0, 1].
        length: the number of changes of a burst, at least 1.
    """

    when: ClassVar[str] = "bursts"
    is_random: ClassVar[bool] = True
    probability: float
    length: int

    def __post_init__(self) -> None:
        _check_probability(self)
        object.__setattr__(self, "length", checked_integer("length", self.length, 1))

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Draw the first time after `now`."""
        step = now + _steps_until(self.probability, uniform)
        return PendingChange(step, remaining=self.length - 1)

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Return the next time of a burst, or draw the first of another one."""
        if pending.remaining:
            return PendingChange(pending.step + 1, remaining=pending.remaining - 1)
        return self.first(pending.step, uniform)


@dataclass(frozen=True)
class Once:
    """After a number of steps, uniform from `earliest` to `latest`, and then never again.

    Attributes:
        earliest: at least 1.
        latest: at least `earliest`.
    """

    when: ClassVar[str] = "once"
    is_random: ClassVar[bool] = True
    earliest: int
    latest: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "earliest", checked_integer("earliest", self.earliest, 1))
        latest = checked_integer("latest", checked_integer("latest", self.latest, 1), self.earliest)
        object.__setattr__(self, "latest", latest)

    def first(self, now: int, uniform: UniformSampler) -> PendingChange:
        """Draw the time, counted from `now`."""
        wait = self.earliest + int(uniform() * (self.latest - self.earliest + 1))
        return PendingChange(now + wait)

    def after(self, pending: PendingChange, uniform: UniformSampler) -> PendingChange:
        """Return the end of the clock."""
        return PendingChange(NEVER)


def _check_probability(times: EachStep | Bursts) -> None:
    probability = checked_number("probability", times.probability, 0, 1, above=True)
    object.__setattr__(times, "probability", probability)


def _steps_until(probability: float, uniform: UniformSampler) -> int:
    """Draw the number of steps until an event that has this probability in each step."""
    if probability >= 1.0:
        return 1
    # A geometric distribution, by inversion of its distribution function.
    return 1 + int(min(math.log1p(-uniform()) / math.log1p(-probability), float(LAST_STEP)))


PROCESSES: dict[str, Any] = {
    times.when: times for times in (At, Every, EachStep, Poisson, Bursts, Once)
}
"""The processes, by name."""


# -- reading -------------------------------------------------------------------------------------


def unit_name(by_episode: bool) -> str:
    """Return the unit of a time, in words."""
    return EPISODE if by_episode else "world step"


def read_time(when: Any) -> tuple[bool, int]:
    """Return True if a time counts episodes, and the number of its world step or episode.

    Args:
        when: a whole number from 1, or its digits; or the text "episode N".

    Raises:
        ValueError: for anything else.
    """
    number = when
    words = when.split(maxsplit=1) if isinstance(when, str) else []
    by_episode = words[:1] == [EPISODE]
    unit = unit_name(by_episode)
    if by_episode:
        number = words[-1]
    try:
        if isinstance(number, bool):
            raise TypeError
        step = int(number) if isinstance(number, str) else index(number)
    except (TypeError, ValueError):
        raise ValueError(f"a change at {unit} {shown(number)}; expected a whole number") from None
    if not 1 <= step <= LAST_STEP:
        raise ValueError(f"a change at {unit} {shown(step)}; expected 1 to {LAST_STEP}")
    return by_episode, step


def pending_to_json(pending: PendingChange) -> Any:
    """Return a pending change in the form of version 0.1, the time itself, if that is exact."""
    time = pending.step - pending.early
    is_exact = pending.step - time == pending.early
    return [pending.step, time, pending.remaining] if is_exact else pending._asdict()


def pending_from_json(data: Any, times: ChangeTimes) -> PendingChange:
    """Return the pending change that `pending_to_json` wrote.

    Raises:
        ValueError, KeyError, TypeError: if it is none of this process.
    """
    if isinstance(data, dict):
        step, early, remaining = data["step"], data["early"], data["remaining"]
    else:
        step, time, remaining = data
        early = step - time
    pending = PendingChange(index(step), float(early), index(remaining))
    in_burst = 0 <= pending.remaining < getattr(times, "length", 1)
    if not (pending.step >= 0 and 0.0 <= pending.early <= 1.0 and in_burst):  # False for NaN
        raise ValueError(f"the next random change {pending}")
    return pending


def describe_times(times: ChangeTimes) -> dict[str, Any]:
    """Return a process as plain data: its name and its numbers."""
    given: dict[str, Any] = asdict(times)  # type: ignore[call-overload]  # a dataclass
    numbers = {name: value for name, value in given.items() if value is not None}
    return {"when": times.when, **numbers}
