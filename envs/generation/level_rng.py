"""Random numbers of a level.

They are made of the raw output of PCG64 seeded by a SeedSequence, the two parts of NumPy's random
numbers whose streams are guaranteed (NEP 19), and only by operations with the same result on every
machine. Each purpose has its own stream: another choice of endpoints leaves the walls unchanged,
and no stream is that of a generator seeded with the level's number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

WALLS, LOOPS, ENDPOINTS = range(3)
"""Purposes of the random numbers."""

_KEY = 0x6D617A65  # "maze": separates these streams from those of a plain seed
_BLOCK = 256  # raw numbers drawn at once: fewer are slower, more are wasted on small mazes


class LevelRNG:
    """Random numbers of one purpose of one level.

    The iterators draw ahead in blocks, so each algorithm uses only one of them.
    """

    def __init__(self, level: int, purpose: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(level, spawn_key=(_KEY, purpose)))

    def uniforms(self) -> Iterator[float]:
        """Yield numbers in [0, 1) endlessly."""
        return chain.from_iterable(
            # The upper 53 bits: the mantissa of a double.
            ((raw >> np.uint64(11)) * 2.0**-53).tolist()
            for raw in self._blocks(_BLOCK)
        )

    def choices_of_four(self, four: Sequence[int]) -> Iterator[int]:
        """Yield one of four values endlessly, with equal probabilities."""
        table = np.array(four)
        shifts = np.arange(0, 64, 2, dtype=np.uint64)
        return chain.from_iterable(
            table[((raw[:, None] >> shifts) & np.uint64(3)).ravel()].tolist()
            for raw in self._blocks(_BLOCK // 8)
        )

    def permutation(self, number: int) -> npt.NDArray[np.intp]:
        """Return (number,) a random permutation of 0 to number - 1."""
        return np.argsort(self._raw(number), kind="stable")

    def _blocks(self, number: int) -> Iterator[npt.NDArray[np.uint64]]:
        while True:
            yield self._raw(number)

    def _raw(self, number: int) -> npt.NDArray[np.uint64]:
        raw: Any = self._bits.random_raw(number)
        return np.asarray(raw, dtype=np.uint64)
