"""A level's random numbers.

They are made of the raw output of PCG64 seeded by a SeedSequence, the two parts of NumPy's random
numbers whose streams are promised to stay (NEP 19), and only by operations that give the same bits
everywhere. Each purpose has a stream of its own: another choice of endpoints leaves the walls as
they are, and none of them is a stream that anybody gets who seeds with the level's number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

WALLS, LOOPS, ENDPOINTS = range(3)
"""What the numbers are for."""

_KEY = 0x6D617A65  # "maze": sets these streams apart from those of a plain seed
_BLOCK = 256  # raw numbers drawn at once: fewer cost time, more are thrown away by small mazes


class Draws:
    """The random numbers of one purpose of one level.

    The iterators draw ahead in blocks, so each maker of mazes keeps to one of them.
    """

    def __init__(self, level: int, purpose: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(level, spawn_key=(_KEY, purpose)))

    def uniforms(self) -> Iterator[float]:
        """Numbers in [0, 1) without end."""
        return chain.from_iterable(
            ((raw >> np.uint64(11)) * 2.0**-53).tolist() for raw in self._blocks(_BLOCK)
        )

    def choices_of_four(self, four: Sequence[int]) -> Iterator[int]:
        """One of four values, again and again, each as likely as the others."""
        table = np.array(four)
        shifts = np.arange(0, 64, 2, dtype=np.uint64)
        return chain.from_iterable(
            table[((raw[:, None] >> shifts) & np.uint64(3)).ravel()].tolist()
            for raw in self._blocks(_BLOCK // 8)
        )

    def permutation(self, number: int) -> npt.NDArray[np.intp]:
        """(number,) the numbers from 0 below it, in random order."""
        return np.argsort(self._raw(number), kind="stable")

    def _blocks(self, number: int) -> Iterator[npt.NDArray[np.uint64]]:
        while True:
            yield self._raw(number)

    def _raw(self, number: int) -> npt.NDArray[np.uint64]:
        raw: Any = self._bits.random_raw(number)
        return np.asarray(raw, dtype=np.uint64)
