"""Random numbers in compiled rules: NumPy's own SFC64.

A compiled rule takes the state of an SFC64 generator, four words in a tuple, and returns it
advanced. The state is loaded from the generator's memory and stored back, so that Python and
compiled code draw from one stream and a compiled run draws the same numbers as the step-by-step
agent. SFC64 is among NumPy's fastest generators and needs no multiplication.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled

Words = npt.NDArray[np.uint64]  # (4,) the state of an SFC64 generator
Seed = int | np.random.SeedSequence | None

_StateMemory = ctypes.c_uint64 * 4
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_TWO_TO_MINUS_32 = 2.0**-32


def as_sequence(seed: Seed) -> np.random.SeedSequence:
    """Return the seed sequence of a seed; None gives fresh entropy."""
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)


def make_generator(seed: np.random.SeedSequence, stream: int) -> np.random.Generator:
    """Return the generator of one of a seed's independent streams.

    Unlike `SeedSequence.spawn`, it returns the same stream at each call.
    """
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, stream))
    return np.random.Generator(np.random.SFC64(child))


def sample_columns(weights: FloatArray, rng: np.random.Generator) -> IntArray:
    """Sample one column of each row of (batch, n) weights, in proportion to them."""
    # inverse transform sampling; the bound counts only where a product is rounded up to the sum
    below = np.cumsum(weights, axis=1)
    drawn = rng.random(len(below))[:, None] * below[:, -1:]
    found: IntArray = np.minimum((below <= drawn).sum(axis=1), below.shape[1] - 1)
    return found


def state_words(rng: np.random.Generator) -> Words:
    """Return the state words that compiled rules draw from for a generator.

    For SFC64 they are the generator's own memory, so that drawing advances it: keep a reference to
    `rng` while they are in use. Any other generator seeds a new SFC64 state with its next draw.
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


@compiled
def load(words):
    """Return the generator's state as a tuple, which compiled code keeps in registers."""
    return words[0], words[1], words[2], words[3]


@compiled
def store(words, rng):
    """Write the state back into the generator's memory."""
    words[0], words[1], words[2], words[3] = rng


@compiled
def next_word(rng):
    """Return the next 64 random bits, equal to those of NumPy's SFC64, and the new state."""
    a, b, c, counter = rng
    # SFC64, as in NumPy's sfc64.h
    word = a + b + counter
    after = (
        b ^ (b >> np.uint64(11)),
        c + (c << np.uint64(3)),
        ((c << np.uint64(24)) | (c >> np.uint64(40))) + word,
        counter + np.uint64(1),
    )
    return word, after


@compiled
def high_below(word, bound):
    """Return an integer in [0, bound) from a word's upper half."""
    # Multiply-shift for bounds below 2**32; the bias is below bound / 2**32.
    return ((word >> _HALF) * np.uint64(bound)) >> _HALF


@compiled
def low_below(word, bound):
    """Return an integer in [0, bound) from a word's lower half."""
    return ((word & _LOW_HALF) * np.uint64(bound)) >> _HALF


@compiled
def high_unit(word):
    """Return a number in [0, 1) from a word's upper half."""
    return (word >> _HALF) * _TWO_TO_MINUS_32
