"""The picture being painted, and how sprites come onto it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .scene import Frame, Scene
from .sprite import Sprite

Places = tuple[Sequence[int] | npt.NDArray[np.intp], ...]  # the rows and the columns of cells


class Canvas(NamedTuple):
    """The picture being painted."""

    frame: Frame  # (rows * size, cols * size, 3)
    cells: npt.NDArray[np.uint8]  # (rows, cols, size, size, 3), a view of the frame
    size: int  # the side of a cell, in pixels


Layer = Callable[[Canvas, Scene], None]


def stamp(canvas: Canvas, places: Places, sprite: Sprite) -> None:
    """Blend a sprite, or a stack with one picture for each cell, into different cells."""
    where = (*places, *sprite.box)
    picture = canvas.cells[where] * sprite.keep
    picture += sprite.ink  # in place, for large arrays are slow to come by
    picture >>= 8
    canvas.cells[where] = picture


def stamp_at(canvas: Canvas, top: int, left: int, sprite: Sprite) -> None:
    """Blend a sprite into a cell-sized square anywhere, cut off at the border of the frame.

    Args:
        canvas: what it is blended into.
        top: the first row of pixels of the square; its middle is in the frame, or on its border.
        left: its first column.
        sprite: one picture.
    """
    rows, inner_rows = _clip(top, sprite.box[0], canvas.frame.shape[0])
    cols, inner_cols = _clip(left, sprite.box[1], canvas.frame.shape[1])
    region = canvas.frame[rows, cols]
    keep, ink = sprite.keep[inner_rows, inner_cols], sprite.ink[inner_rows, inner_cols]
    region[...] = (region * keep + ink) >> 8


def _clip(start: int, box: slice, length: int) -> tuple[slice, slice]:
    """Cut off what lies outside: the slice of the frame, and that of the sprite."""
    first, end = start + box.start, start + box.stop
    inside = slice(max(first, 0), min(end, length))
    return inside, slice(inside.start - first, inside.stop - first)
