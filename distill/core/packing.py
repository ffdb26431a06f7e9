"""Rounded weights as bytes: integers, and the scales that they are multiplied by. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int8]
Scales = npt.NDArray[np.float32]

LEVELS: dict[Any, int] = {8: 127, 4: 7, "ternary": 1}
"""The largest integer of each kind; its negative is the smallest."""

TERNARY_IN_BYTE = 5
"""Numbers of three values in one byte: 3**5 = 243 of its 256 values."""

SCALES = ".scales"
"""What the scales of a weight are called, after its name."""


def packed(integers: Integers, bits: Any) -> npt.NDArray[Any]:
    """Integers as they are stored.

    Those of 8 bits keep their shape. Of 4 bits there are two in a byte, the first in its low half;
    of ternary ones five, the first counting 1, the next 3, 9, 27 and 81; 7 or 1
    is added to each before. The last byte may be filled up with zeros.
    """
    if bits == 8:
        return integers
    flat = integers.ravel().astype(np.int16) + LEVELS[bits]
    base, count = _digits(bits)
    padded = np.full(-(-flat.size // count) * count, LEVELS[bits], dtype=np.int16)
    padded[: flat.size] = flat
    places = base ** np.arange(count)
    stored: npt.NDArray[Any] = (padded.reshape(-1, count) * places).sum(axis=1).astype(np.uint8)
    return stored


def unpacked(stored: npt.NDArray[Any], bits: Any, shape: Sequence[int]) -> Integers:
    """What `packed` was given.

    Raises:
        ValueError: for another number of bytes than the shape asks for, or another kind.
    """
    if bits not in LEVELS:
        raise ValueError(f"bits={bits!r}; expected one of {list(LEVELS)}")
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
    flat = digits.ravel()[:size] - LEVELS[bits]
    return flat.astype(np.int8).reshape(shape)


def packed_scales(scales: Scales) -> npt.NDArray[np.uint16]:
    """The upper half of each float32, a bfloat16; the lower half must be zero.

    Raises:
        ValueError: if it is not.
    """
    whole = np.ascontiguousarray(scales, dtype=np.float32).view(np.uint32)
    if (whole & 0xFFFF).any():
        raise ValueError("scales of more than 8 significant bits; expected bfloat16")
    return (whole >> 16).astype(np.uint16)


def unpacked_scales(stored: npt.NDArray[Any]) -> Scales:
    """What `packed_scales` was given."""
    return (stored.astype(np.uint32) << 16).view(np.float32)


def numbers(integers: Integers, scales: Scales) -> npt.NDArray[np.float32]:
    """What integers and scales stand for; every product is exact in float32.

    Args:
        integers: of any shape.
        scales: one, or one for each entry of the integers' first dimension.
    """
    over = scales.reshape(-1, *[1] * max(0, integers.ndim - 1)) if scales.size > 1 else scales
    return (integers * over.astype(np.float32)).astype(np.float32).reshape(integers.shape)


def plain_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], bits: Any, shapes: Mapping[str, Sequence[int]]
) -> dict[str, npt.NDArray[Any]]:
    """The weights of a file as float32.

    Args:
        arrays: what is in it: rounded weights with their scales, and others.
        bits: the kind of the rounded ones.
        shapes: the shape of each rounded one.

    Raises:
        ValueError: for what does not fit together.
        KeyError: for a weight or scale that is missing.
    """
    rounded = {*shapes, *(name + SCALES for name in shapes)}
    plain = {name: array for name, array in arrays.items() if name not in rounded}
    for name, shape in shapes.items():
        integers = unpacked(arrays[name], bits, shape)
        scales = unpacked_scales(arrays[name + SCALES])
        if scales.shape not in ((1,), tuple(shape[:1])):
            raise ValueError(f"{name}: scales {scales.shape}; expected one, or one for each row")
        plain[name] = numbers(integers, scales)
    return plain


def _digits(bits: Any) -> tuple[int, int]:
    """What a place counts, and how many there are in a byte."""
    return (3, TERNARY_IN_BYTE) if bits == "ternary" else (16, 2)
