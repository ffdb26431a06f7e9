"""Levels for training and levels held out: kept apart by their numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class LevelRange(NamedTuple):
    """`levels` levels from `first` on, as in `DynaMazeGenerated-v0(first_level=, levels=)`."""

    first: int
    levels: int

    def __str__(self) -> str:
        return f"levels {self.first} to {self.first + self.levels - 1}"


def check_apart(training: Iterable[LevelRange], held_out: Iterable[LevelRange]) -> None:
    """Refuse to judge on levels that something was trained on.

    The same number is the same maze only with the same recipe; levels of other sizes or algorithms
    are refused all the same, for numbers are cheap and mistakes are not.

    Raises:
        ValueError: if two of them share a level.
    """
    held_out = tuple(held_out)
    for trained in training:
        for held in held_out:
            if (
                trained.first < held.first + held.levels
                and held.first < trained.first + trained.levels
            ):
                raise ValueError(
                    f"trained on {trained} and held out {held}; expected levels apart, "
                    "for example first_level beyond the last that was trained on"
                )
