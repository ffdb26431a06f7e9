"""What a sprite is: a small picture, or a stack of them, made ready for blending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from .palette import Color
from .shapes import Ink, compose

SMALL = 6  # with fewer pixels a side things are plain squares
WHOLE = 256  # full coverage: whole numbers blend alike on every machine
LEVELS = 16  # the pictures in a stack that shows quantities


class Sprite(NamedTuple):
    """A picture, or a stack of pictures, ready to blend: `(under * keep + ink) >> 8`."""

    keep: npt.NDArray[np.uint16]  # (..., height, width, 3), how much of 256 shines through
    ink: npt.NDArray[np.uint16]  # (..., height, width, 3), color times coverage, plus 128
    box: tuple[slice, slice]  # the rows and columns of a cell that it covers


def trimmed(inks: Sequence[Ink]) -> Sprite:
    """Lay inks over each other and cut the empty border away."""
    color, alpha = compose(inks)
    return _cut(color, alpha)


def stacked(pictures: Sequence[Sequence[Ink]], *, turns: int = 0) -> Sprite:
    """Make a stack of pictures, cut to the box of what the largest covers.

    Args:
        pictures: of each its inks, the first at the bottom.
        turns: by how many quarters all are turned, clockwise.
    """
    composed = [compose(inks) for inks in pictures]
    color, alpha = (
        np.rot90(np.stack(part), -turns, axes=(1, 2)) for part in zip(*composed, strict=True)
    )
    return _cut(color, alpha)


def square(size: int, color: Color) -> Sprite:
    """Fill a cell."""
    return trimmed([Ink(color, np.ones((size, size)))])


def fade(sprite: Sprite, strength: float | FloatArray) -> Sprite:
    """Make a sprite paler.

    Args:
        sprite: one picture.
        strength: from 0 (invisible) to 1 (as it is); an array (n, 1, 1, 1) makes a stack of n.
    """
    cover = WHOLE - sprite.keep.astype(np.float64)
    color = (sprite.ink - 128.0) / np.maximum(cover, 1.0)
    return _ready(color, cover / WHOLE * strength, sprite.box)


def shades(sprite: Sprite) -> Sprite:
    """Make a stack of `LEVELS` pictures, the palest first, the last as the sprite is."""
    return fade(sprite, np.arange(1, LEVELS + 1).reshape(-1, 1, 1, 1) / LEVELS)


def pick(stack: Sprite, levels: FloatArray) -> Sprite:
    """Choose from a stack of `LEVELS` a picture for each of (n,) levels, above 0 and up to 1."""
    index = np.maximum((levels * LEVELS + 0.5).astype(np.intp), 1) - 1
    return Sprite(stack.keep[index], stack.ink[index], stack.box)


def in_colors(mask: Sprite, rows: npt.NDArray[np.uint16]) -> Sprite:
    """Make a stack of pictures of one shape, each in a color of its own.

    Args:
        mask: the shape, one picture; its color does not matter.
        rows: of each picture a row of pixels as wide as the mask, (n, width * 3): NumPy is fast
            on long rows only.
    """
    height, width, _ = mask.keep.shape
    cover = (WHOLE - mask.keep).reshape(height, width * 3)
    ink = cover * rows[:, np.newaxis]
    ink += 128
    return Sprite(mask.keep, ink.reshape(len(rows), height, width, 3), mask.box)


def _cut(color: FloatArray, alpha: FloatArray) -> Sprite:
    """Cut away the empty border of a picture, or the one that all of a stack have."""
    covered = alpha[..., 0] > 0
    rows, cols = np.nonzero(covered.any(axis=0) if covered.ndim == 3 else covered)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    return _ready(color[(..., *box, slice(None))], alpha[(..., *box, slice(None))], box)


def _ready(color: FloatArray, alpha: FloatArray, box: tuple[slice, slice]) -> Sprite:
    """Turn a color (0 to 255) and an alpha (0 to 1) into numbers that stay below 2**16."""
    # Three equal channels rather than one: NumPy is several times slower where it must spread one.
    keep = np.rint(WHOLE * (1.0 - alpha * np.ones(3)))
    ink = np.rint(color * (WHOLE - keep)) + 128.0
    return Sprite(keep.astype(np.uint16, order="C"), ink.astype(np.uint16, order="C"), box)
