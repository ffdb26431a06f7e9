"""Two things timed side by side: machines are noisy, ratios in one run are not."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple


class Row(NamedTuple):
    """A line of the table."""

    what: str
    ours: str
    compared_with: str
    theirs: str
    ratio: str  # how many times faster, or what else the target is about
    reach: str
    met: bool


class Pair(NamedTuple):
    """The median seconds of two calls that were timed in turn, and their median ratio."""

    ours: float
    theirs: float
    ratio: float  # theirs / ours, pair by pair: how many times faster ours is


def seconds(call: Callable[[], object]) -> float:
    """The wall-clock seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def timed_in_turn(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int, warm_up: int = 1
) -> Pair:
    """Time two calls in turn: A B A B ...

    Args:
        ours: the one that is looked at.
        theirs: what it is compared with.
        repeats: pairs that count.
        warm_up: pairs before them that do not.
    """
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(warm_up + repeats)][warm_up:]
    return Pair(
        median(mine for mine, _ in pairs),
        median(other for _, other in pairs),
        median(other / mine for mine, other in pairs),
    )
