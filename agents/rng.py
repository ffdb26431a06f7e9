"""Random numbers for compiled rules: NumPy's own SFC64, advanced in place.

A compiled rule takes the four words of an SFC64 generator's state and advances them, so Python
code and compiled code draw from one stream, and a whole compiled run draws the same numbers as
the step-by-step agent. SFC64 is among NumPy's fastest generators and has no multiplication.
"""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
from numba import njit

Words = npt.NDArray[np.uint64]  # (4,) the state of an SFC64 generator
Seed = int | np.random.SeedSequence | None

_StateMemory = ctypes.c_uint64 * 4
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_TWO_TO_MINUS_32 = 2.0**-32


def make_generator(seed: np.random.SeedSequence, stream: int) -> np.random.Generator:
    """The generator of one of a seed's streams; they do not overlap.

    Unlike `SeedSequence.spawn`, asking twice gives the same stream twice.
    """
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, stream))
    return np.random.Generator(np.random.SFC64(child))


def state_words(rng: np.random.Generator) -> Words:
    """The words that compiled rules draw from, on behalf of a generator.

    For SFC64 they are the generator's own memory, so that drawing advances it. Any other
    generator seeds a new SFC64 state with its next draw. Keep `rng` alive while they are in use.
    """
    bit_generator = rng.bit_generator
    if isinstance(bit_generator, np.random.SFC64):
        address = bit_generator.ctypes.state_address
        return np.frombuffer(_StateMemory.from_address(address), dtype=np.uint64)
    seed = [int(word) for word in rng.integers(2**32, size=4)]
    words: Words = np.random.SFC64(seed).state["state"]["state"]
    return words


@njit(cache=True, inline="always")
def next_word(rng):
    """The next 64 random bits; the same that NumPy's SFC64 gives."""
    word = rng[0] + rng[1] + rng[3]
    rng[3] += np.uint64(1)
    rng[0] = rng[1] ^ (rng[1] >> np.uint64(11))
    rng[1] = rng[2] + (rng[2] << np.uint64(3))
    rng[2] = ((rng[2] << np.uint64(24)) | (rng[2] >> np.uint64(40))) + word
    return word


@njit(cache=True, inline="always")
def high_below(word, bound):
    """An integer in [0, bound) from a word's upper half (bound < 2**32; bias below bound/2**32)."""
    return ((word >> _HALF) * np.uint64(bound)) >> _HALF


@njit(cache=True, inline="always")
def low_below(word, bound):
    """An integer in [0, bound) from a word's lower half."""
    return ((word & _LOW_HALF) * np.uint64(bound)) >> _HALF


@njit(cache=True, inline="always")
def high_unit(word):
    """A number in [0, 1) from a word's upper half."""
    return (word >> _HALF) * _TWO_TO_MINUS_32
