"""Numbers as C."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BRIGHTEST = 255
NUMBERS_A_LINE = 8


def table(what: str, numbers: npt.NDArray[Any]) -> str:
    """A constant array of one or two dimensions, of int from whole numbers, otherwise of float.

    Args:
        what: its name in C is `NAME_` and this.
        numbers: at least one; those of float are the very float32 that is given.

    Raises:
        ValueError: for a number that is not finite.
    """
    whole = numbers.dtype.kind in "iu"
    as_text = str if whole else literal
    sides = "".join(f"[{n}]" for n in numbers.shape)
    flat = [as_text(each) for each in numbers.ravel()]
    starts = range(0, len(flat), NUMBERS_A_LINE)
    lines = ",\n".join("    " + ", ".join(flat[at : at + NUMBERS_A_LINE]) for at in starts)
    if numbers.ndim == 2:
        rows = [[as_text(each) for each in row] for row in numbers]
        lines = ",\n".join("    {" + ", ".join(row) + "}" for row in rows)
    return f"static const {'int' if whole else 'float'} NAME_{what}{sides} = {{\n{lines}\n}};"


def literal(value: Any) -> str:
    """The shortest text that C reads as this very float.

    Raises:
        ValueError: if it is not finite.
    """
    if not np.isfinite(value):
        raise ValueError(f"a weight of {value}; expected finite ones")
    return f"{np.float32(value)!s}f"


def scaled(brightest: int) -> str:
    """What is written behind a number of an observation, so that pictures are in [0, 1]."""
    return "" if brightest == 1 else f" / {brightest}.0f"
