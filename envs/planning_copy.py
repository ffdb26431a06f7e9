"""Random numbers of an environment's copies for planning."""

from __future__ import annotations

import hashlib

import numpy as np


def separate_generator(
    generator: np.random.Generator | None, seed: int | None = None
) -> np.random.Generator:
    """Return a generator for a copy, whose numbers are not those that the original will draw.

    Args:
        generator: of the original, which is not advanced; None if it has drawn nothing yet.
        seed: of the copy; None for a digest of the original's state.
    """
    if seed is None and generator is not None:
        state = repr(sorted(generator.bit_generator.state.items(), key=lambda item: item[0]))
        seed = int.from_bytes(hashlib.sha256(state.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.PCG64(seed))
