"""Level ranges for training and for held-out evaluation, kept disjoint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class LevelRange(NamedTuple):
    """Consecutive levels from `first`, as in `DynaMazeGenerated-v0(first_level=, levels=)`."""

    first: int
    levels: int

    def __str__(self) -> str:
        return f"levels {self.first} to {self.first + self.levels - 1}"


def check_disjoint(training: Iterable[LevelRange], held_out: Iterable[LevelRange]) -> None:
    """Refuse to evaluate on levels that were used for training.

    Equal level numbers give equal mazes only with equal generator settings; a shared number is
    refused nevertheless, since disjoint numbers cost nothing.

    Raises:
        ValueError: if a training range and a held-out range overlap.
    """
    # In the order of their first levels, an overlap is one with the longest range before.
    furthest: list[LevelRange | None] = [None, None]
    ranges = [(part, 0) for part in training] + [(part, 1) for part in held_out]
    for part, kind in sorted(ranges):
        before = furthest[1 - kind]
        if before is not None and part.first < before.first + before.levels:
            trained, held = (before, part) if kind else (part, before)
            raise ValueError(
                f"trained on {trained} and held out {held}; expected disjoint levels, "
                "for example first_level beyond the last that was trained on"
            )
        own = furthest[kind]
        if own is None or part.first + part.levels > own.first + own.levels:
            furthest[kind] = part
