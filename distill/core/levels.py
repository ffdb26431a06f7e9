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
    held_out = tuple(held_out)
    for trained in training:
        for held in held_out:
            if (
                trained.first < held.first + held.levels
                and held.first < trained.first + trained.levels
            ):
                raise ValueError(
                    f"trained on {trained} and held out {held}; expected disjoint levels, "
                    "for example first_level beyond the last that was trained on"
                )
