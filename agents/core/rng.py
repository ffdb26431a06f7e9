"""Random numbers for compiled rules: NumPy's own SFC64.

A compiled rule takes the state of an SFC64 generator, four words in a tuple, and gives it back
advanced. Loaded from the generator's memory and stored there again, it makes Python code and
compiled code draw from one stream, so that a whole compiled run draws the same numbers as the
step-by-step agent. SFC64 is among NumPy's fastest generators and has no multiplication.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.compiled import spliced

Words = npt.NDArray[np.uint64]  # (4,) the state of an SFC64 generator
Seed = int | np.random.SeedSequence | None

_StateMemory = ctypes.c_uint64 * 4
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_TWO_TO_MINUS_32 = 2.0**-32


def as_sequence(seed: Seed) -> np.random.SeedSequence:
    """The sequence of a seed; of None, one that nothing else has."""
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)


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
        memory: Any = _StateMemory.from_address(address)
        return np.frombuffer(memory, dtype=np.uint64)
    seed = [int(word) for word in rng.integers(2**32, size=4)]
    state: Any = np.random.SFC64(seed).state
    words: Words = state["state"]["state"]
    return words


@spliced
def load(words):
    """The generator's state as a tuple, which compiled code keeps in registers."""
    return words[0], words[1], words[2], words[3]


@spliced
def store(words, rng):
    """Put the state back into the generator's memory."""
    words[0], words[1], words[2], words[3] = rng


@spliced
def next_word(rng):
    """The next 64 random bits, the same that NumPy's SFC64 gives, and the state after them."""
    a, b, c, counter = rng
    word = a + b + counter
    after = (
        b ^ (b >> np.uint64(11)),
        c + (c << np.uint64(3)),
        ((c << np.uint64(24)) | (c >> np.uint64(40))) + word,
        counter + np.uint64(1),
    )
    return word, after


@spliced
def high_below(word, bound):
    """An integer in [0, bound) from a word's upper half (bound < 2**32; bias below bound/2**32)."""
    return ((word >> _HALF) * np.uint64(bound)) >> _HALF


@spliced
def low_below(word, bound):
    """An integer in [0, bound) from a word's lower half."""
    return ((word & _LOW_HALF) * np.uint64(bound)) >> _HALF


@spliced
def high_unit(word):
    """A number in [0, 1) from a word's upper half."""
    return (word >> _HALF) * _TWO_TO_MINUS_32
