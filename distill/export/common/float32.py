"""Observations as the compiled rules take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

PLANES = 3
"""Of a maze: walls, agent and goals."""

PLAIN = {np.dtype(kind): np.float32(1) for kind in ("f4", "f8", "i4", "i8", "?")}
PICTURES = {np.dtype("u1"): np.float32(1 / 255)}
"""Kinds of numbers that the compiled rules take as they come, and what they multiply them by."""

KINDS = PLAIN | PICTURES


def numbers(observation: Any) -> tuple[npt.NDArray[Any], np.float32]:
    """The numbers in a contiguous array, and what they are to be multiplied by.

    Raises:
        ValueError: for what are no numbers.
    """
    array = np.ascontiguousarray(observation)
    times = KINDS.get(array.dtype)
    if times is not None:
        return array, times
    if array.dtype.kind not in "fiu":
        raise ValueError(f"observations of {array.dtype}; expected numbers")
    return array.astype(np.float32), np.float32(1)


def other_shape(shape: tuple[int, ...], expected: tuple[object, ...]) -> ValueError:
    """What is said of observations of another shape."""
    wanted = ", ".join(str(n) for n in expected)
    return ValueError(f"observations of shape {shape}; expected ({wanted})")


def no_agent() -> ValueError:
    """What is said of planes that ask about no cell."""
    return ValueError("an observation in which no cell is the agent's; expected one")
