"""Binary images for the tests of machines and networks."""

from __future__ import annotations

import numpy as np


def striped(n: int, seed: int = 0) -> np.ndarray:
    """Images of 16 pixels with one of four patterns and a tenth of the pixels flipped."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(2, size=(4, 16))
    picture = patterns[rng.integers(4, size=n)]
    turned: np.ndarray = np.abs(picture - (rng.random((n, 16)) < 0.1)).astype(np.float64)
    return turned
