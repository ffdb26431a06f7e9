"""Timing of two calls in alternation: a machine's load varies, ratios of one run hardly do."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from statistics import median
from typing import NamedTuple


class SpeedRow(NamedTuple):
    """A row of the table of speeds; without a baseline or a target, their cells are empty."""

    measurement: str
    speed: str
    baseline: str = ""
    baseline_speed: str = ""
    ratio: str = ""  # speed-up, or the quantity that the target is about
    target: str = ""
    met: bool = True


Measure = Callable[[int], list[SpeedRow]]
"""A measurement: called with the number of timings of each pair, returns its rows."""

NOT_INSTALLED = "not installed"


def with_libraries(*libraries: str) -> Callable[[Measure], Measure]:
    """Decorate a measurement that imports libraries; a missing one gives one row that says so."""

    def decorate(measure: Measure) -> Measure:
        @wraps(measure)
        def measured(repeats: int) -> list[SpeedRow]:
            for library in libraries:
                obstacle = import_obstacle(library)
                if obstacle:
                    name = measure.__name__.replace("_", " ")
                    return [SpeedRow(name, "", library, obstacle, met=False)]
            return measure(repeats)

        return measured

    return decorate


def import_obstacle(library: str) -> str:
    """Return why a library cannot be imported, in a few words, or "" if it can."""
    try:
        import_module(library)
    except ImportError:
        return NOT_INSTALLED
    except Exception as error:  # a library that does not fit the others may fail in any way
        return f"fails: {type(error).__name__}"
    return ""


class PairedTiming(NamedTuple):
    """Median seconds of two calls that were timed in alternation, and their median ratio."""

    ours: float
    baseline: float
    ratio: float  # median over pairs of baseline / ours: our speed-up


def seconds(call: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median wall-clock seconds of some calls."""
    return median(seconds(call) for _ in range(repeats))


def time_row(
    measurement: str, took: float, unit: str, limit: float | None = None, *, digits: int = 1
) -> SpeedRow:
    """Return the row of a time without a baseline.

    Args:
        measurement: its name.
        took: seconds.
        unit: "s", "ms" or "us".
        limit: largest accepted seconds; None for no target.
        digits: of the time, after the decimal point.
    """
    scale = {"s": 1.0, "ms": 1e3, "us": 1e6}[unit]
    speed = f"{took * scale:.{digits}f} {unit}"
    if limit is None:
        return SpeedRow(measurement, speed)
    return SpeedRow(measurement, speed, target=f"<= {limit * scale:g} {unit}", met=took <= limit)


def time_alternately(
    ours: Callable[[], object], baseline: Callable[[], object], repeats: int, warm_up: int = 1
) -> PairedTiming:
    """Time two calls in alternation: A B A B ...

    Args:
        ours: the call of interest.
        baseline: the call that it is compared with.
        repeats: pairs that count.
        warm_up: pairs before them that do not.
    """
    pairs = [(seconds(ours), seconds(baseline)) for _ in range(warm_up + repeats)][warm_up:]
    return PairedTiming(
        median(own for own, _ in pairs),
        median(other for _, other in pairs),
        median(other / own for own, other in pairs),
    )
