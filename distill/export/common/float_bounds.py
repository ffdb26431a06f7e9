"""Bounds of continuous actions in the precision of exported students."""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import Float32Array

from ...core.distributions import Bounds


def float_bounds(bounds: Bounds) -> dict[str, Float32Array]:
    """(dimensions,) "low" and "high"; of squashed actions also "middle" and "half_range".

    An action is middle + half_range * tanh(sample), or the sample itself, and then clipped: the
    last bits may have been rounded past the bounds. What float32 does not hold is no bound.

    Raises:
        ValueError: for squashed actions with such bounds.
    """
    numbers = {"low": bounds.low, "high": bounds.high}
    if bounds.squashed:
        numbers["middle"] = bounds.low / 2 + bounds.high / 2
        numbers["half_range"] = bounds.high / 2 - bounds.low / 2
    with np.errstate(over="ignore"):
        sides = {name: side.ravel().astype(np.float32) for name, side in numbers.items()}
    if bounds.squashed and not all(np.isfinite(side).all() for side in sides.values()):
        raise ValueError(
            f"squashed actions from {bounds.low.tolist()} to {bounds.high.tolist()}; expected "
            "bounds that float32 holds"
        )
    return sides
