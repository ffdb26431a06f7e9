"""Packing of quantised weights into bytes: integers and their scales. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int8]
Scales = npt.NDArray[np.float32]

MAX_INTEGER: dict[Any, int] = {8: 127, 4: 7, "ternary": 1}
"""Bits -> largest integer; its negative is the smallest."""

TERNARY_PER_BYTE = 5
"""Ternary integers in one byte: 3**5 = 243 of its 256 values."""

SCALE_SUFFIX = ".scales"
"""Suffix of the array that holds the scales of a weight."""


def pack_integers(integers: Integers, bits: Any) -> npt.NDArray[Any]:
    """Pack integers into the array that is stored.

    With 8 bits they keep their shape. With 4 bits there are two in a byte, the first in the low
    half; with "ternary" there are five in a byte, digits in base 3 with the place values 1, 3, 9,
    27 and 81. 7 or 1 is added to each integer before, so that digits are not negative. The last
    byte may be padded with integers of 0.
    """
    if bits == 8:
        return integers
    flat = integers.ravel().astype(np.int16) + MAX_INTEGER[bits]
    base, count = _digits(bits)
    padded = np.full(-(-flat.size // count) * count, MAX_INTEGER[bits], dtype=np.int16)
    padded[: flat.size] = flat
    places = base ** np.arange(count)
    stored: npt.NDArray[Any] = (padded.reshape(-1, count) * places).sum(axis=1).astype(np.uint8)
    return stored


def unpack_integers(stored: npt.NDArray[Any], bits: Any, shape: Sequence[int]) -> Integers:
    """Return the integers that `pack_integers` was given.

    Raises:
        ValueError: for a number of bytes that does not fit the shape, or unknown bits.
    """
    if bits not in MAX_INTEGER:
        raise ValueError(f"bits={bits!r}; expected one of {list(MAX_INTEGER)}")
    if bits == 8:
        if stored.dtype != np.int8 or stored.shape != tuple(shape):
            raise ValueError(f"{stored.dtype} {stored.shape}; expected int8 {tuple(shape)}")
        return stored
    base, count = _digits(bits)
    size = prod(shape)
    if stored.dtype != np.uint8 or stored.shape != (-(-size // count),):
        raise ValueError(
            f"{stored.dtype} {stored.shape}; expected {-(-size // count)} bytes of uint8 for "
            f"{size} integers"
        )
    digits = stored[:, None] // base ** np.arange(count) % base
    flat = digits.ravel()[:size] - MAX_INTEGER[bits]
    return flat.astype(np.int8).reshape(shape)


def pack_scales(scales: Scales) -> npt.NDArray[np.uint16]:
    """Return the upper half of each float32 (bfloat16); the lower half must be zero.

    Raises:
        ValueError: if it is not.
    """
    whole = np.ascontiguousarray(scales, dtype=np.float32).view(np.uint32)
    if (whole & 0xFFFF).any():
        raise ValueError("scales of more than 8 significant bits; expected bfloat16")
    return (whole >> 16).astype(np.uint16)


def unpack_scales(stored: npt.NDArray[Any]) -> Scales:
    """Return the scales that `pack_scales` was given."""
    return (stored.astype(np.uint32) << 16).view(np.float32)


def dequantise(integers: Integers, scales: Scales) -> npt.NDArray[np.float32]:
    """Multiply integers by their scales; every product is exact in float32.

    Args:
        integers: of any shape.
        scales: one, or one for each entry of the integers' first dimension.
    """
    over = scales.reshape(-1, *[1] * max(0, integers.ndim - 1)) if scales.size > 1 else scales
    return (integers * over.astype(np.float32)).astype(np.float32).reshape(integers.shape)


def dequantise_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], bits: Any, shapes: Mapping[str, Sequence[int]]
) -> dict[str, npt.NDArray[Any]]:
    """Return the weights of a file as float32.

    Args:
        arrays: quantised weights with their scales, and other arrays.
        bits: bits of the quantised weights.
        shapes: the shape of each quantised weight.

    Raises:
        ValueError: for arrays that do not fit together.
        KeyError: for a missing weight or scale.
    """
    rounded = {*shapes, *(name + SCALE_SUFFIX for name in shapes)}
    plain = {name: array for name, array in arrays.items() if name not in rounded}
    for name, shape in shapes.items():
        integers = unpack_integers(arrays[name], bits, shape)
        scales = unpack_scales(arrays[name + SCALE_SUFFIX])
        if scales.shape not in ((1,), tuple(shape[:1])):
            raise ValueError(f"{name}: scales {scales.shape}; expected one, or one for each row")
        plain[name] = dequantise(integers, scales)
    return plain


def _digits(bits: Any) -> tuple[int, int]:
    """Return the base, and the number of digits in a byte."""
    return (3, TERNARY_PER_BYTE) if bits == "ternary" else (16, 2)
