"""Sprites: small pictures in integers, and how they are blended into a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from .colors import Color
from .scene import Frame, Scene
from .shapes import Ink, compose

SMALL = 6  # cells with fewer pixels a side show plain squares
WHOLE = 256  # full coverage; integers give the same pixels on every platform
LEVELS = 16  # pictures in a stack that shows a quantity


class Sprite(NamedTuple):
    """Picture, or stack of pictures, ready to blend: `(background * weight + ink) >> 8`."""

    weight: npt.NDArray[np.uint16]  # (..., height, width, 3), of the background, 0 to 256
    ink: npt.NDArray[np.uint16]  # (..., height, width, 3), color * coverage + 128
    box: tuple[slice, slice]  # rows and columns of the cell that are covered


def trimmed(inks: Sequence[Ink]) -> Sprite:
    """Compose inks into a sprite without its empty border."""
    color, alpha = compose(inks)
    return _cut(color, alpha)


def stacked(pictures: Sequence[Sequence[Ink]], *, turns: int = 0) -> Sprite:
    """Compose a stack of pictures, cut to their common bounding box.

    Args:
        pictures: inks of each picture, the first at the bottom.
        turns: number of clockwise quarter turns of all pictures.
    """
    composed = [compose(inks) for inks in pictures]
    color, alpha = (
        np.rot90(np.stack(part), -turns, axes=(1, 2)) for part in zip(*composed, strict=True)
    )
    return _cut(color, alpha)


def square(size: int, color: Color) -> Sprite:
    """Return a sprite that fills a cell with a color."""
    return trimmed([Ink(color, np.ones((size, size)))])


def fade(sprite: Sprite, strength: float | FloatArray) -> Sprite:
    """Return a more transparent sprite.

    Args:
        sprite: one picture.
        strength: opacity factor, 0 to 1; an array (n, 1, 1, 1) gives a stack of n pictures.
    """
    cover = WHOLE - sprite.weight.astype(np.float64)
    color = (sprite.ink - 128.0) / np.maximum(cover, 1.0)
    return _ready(color, cover / WHOLE * strength, sprite.box)


def shades(sprite: Sprite) -> Sprite:
    """Return a stack of `LEVELS` pictures from pale to the sprite itself."""
    return fade(sprite, np.arange(1, LEVELS + 1).reshape(-1, 1, 1, 1) / LEVELS)


def pick(stack: Sprite, levels: FloatArray) -> Sprite:
    """Return the picture of a stack for each of (n,) levels in (0, 1]."""
    index = np.maximum((levels * LEVELS + 0.5).astype(np.intp), 1) - 1
    return Sprite(stack.weight[index], stack.ink[index], stack.box)


def in_colors(mask: Sprite, rows: npt.NDArray[np.uint16]) -> Sprite:
    """Return a stack of pictures of one shape in several colors.

    Args:
        mask: the shape, one picture of any color.
        rows: for each picture a row of pixels as wide as the mask, (n, width * 3).
    """
    height, width, _ = mask.weight.shape
    cover = (WHOLE - mask.weight).reshape(height, width * 3)
    ink = cover * rows[:, np.newaxis]  # whole rows of pixels: NumPy is fast on long axes only
    ink += 128
    return Sprite(mask.weight, ink.reshape(len(rows), height, width, 3), mask.box)


def _cut(color: FloatArray, alpha: FloatArray) -> Sprite:
    """Cut away the empty border of a picture, or the common one of a stack."""
    covered = alpha[..., 0] > 0
    rows, cols = np.nonzero(covered.any(axis=0) if covered.ndim == 3 else covered)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    return _ready(color[(..., *box, slice(None))], alpha[(..., *box, slice(None))], box)


def _ready(color: FloatArray, alpha: FloatArray, box: tuple[slice, slice]) -> Sprite:
    """Convert color (0 to 255) and alpha (0 to 1) to a sprite; no sum overflows uint16."""
    # Three equal channels rather than one: broadcasting the last axis is several times slower.
    weight = np.rint(WHOLE * (1.0 - alpha * np.ones(3)))
    ink = np.rint(color * (WHOLE - weight)) + 128.0  # 128 rounds to nearest in `>> 8`
    return Sprite(weight.astype(np.uint16, order="C"), ink.astype(np.uint16, order="C"), box)


Places = tuple[Sequence[int] | npt.NDArray[np.intp], ...]  # rows and columns of cells


class Canvas(NamedTuple):
    """Frame that is being painted."""

    frame: Frame  # (rows * size, cols * size, 3)
    cells: npt.NDArray[np.uint8]  # (rows, cols, size, size, 3), a view of the frame
    size: int  # the side of a cell, in pixels


Layer = Callable[[Canvas, Scene], None]


def stamp(canvas: Canvas, places: Places, sprite: Sprite) -> None:
    """Blend a sprite, or a stack with one picture per cell, into distinct cells."""
    where = (*places, *sprite.box)
    # (background * weight + ink) >> 8, in place: allocating large arrays is slow.
    picture = canvas.cells[where] * sprite.weight
    picture += sprite.ink
    picture >>= 8
    canvas.cells[where] = picture


def stamp_at(canvas: Canvas, top: int, left: int, sprite: Sprite) -> None:
    """Blend a sprite into a cell-sized square at any pixel, clipped to the frame.

    Args:
        canvas: of the frame.
        top: first row of pixels of the square, whose centre lies in the frame or on its border.
        left: first column of pixels.
        sprite: one picture.
    """
    rows, inner_rows = _clip(top, sprite.box[0], canvas.frame.shape[0])
    cols, inner_cols = _clip(left, sprite.box[1], canvas.frame.shape[1])
    region = canvas.frame[rows, cols]
    weight, ink = sprite.weight[inner_rows, inner_cols], sprite.ink[inner_rows, inner_cols]
    region[...] = (region * weight + ink) >> 8


def _clip(start: int, box: slice, length: int) -> tuple[slice, slice]:
    """Clip a sprite's slice: return the slices of the frame and of the sprite."""
    first, end = start + box.start, start + box.stop
    inside = slice(max(first, 0), min(end, length))
    return inside, slice(inside.start - first, inside.stop - first)
