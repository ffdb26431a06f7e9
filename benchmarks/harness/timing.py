"""Timing of two calls in alternation: a machine's load varies, ratios of one run hardly do."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple


class SpeedRow(NamedTuple):
    """A row of the table of speeds."""

    measurement: str
    speed: str
    baseline: str
    baseline_speed: str
    ratio: str  # speed-up, or the quantity that the target is about
    target: str
    met: bool


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
