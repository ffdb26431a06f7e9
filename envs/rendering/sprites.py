"""Sprites: symbols as pixels in integers, drawn once for each cell size and cached."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from . import colors
from .shapes import Disc, Grid, coverage, make_grid, mask
from .symbols import SMALL, Part, Parts, Symbol

WHOLE = 256  # full coverage; integers give the same pixels on every platform
FINEST = 4  # samples per pixel and axis, for stacks that are drawn level by level


class Sprite(NamedTuple):
    """Picture, or stack of pictures, ready to blend: `(background * weight + ink) >> 8`."""

    weight: npt.NDArray[np.uint16]  # (..., height, width, 3), of the background, 0 to 256
    ink: npt.NDArray[np.uint16]  # (..., height, width, 3), color * coverage + 128
    box: tuple[slice, slice]  # rows and columns of the cell that are covered


@lru_cache(maxsize=256)
def picture(symbol: Symbol, size: int, strength: float = 1.0) -> Sprite | None:
    """Draw a symbol that is one picture; None if nothing is drawn in cells of this size.

    Args:
        symbol: the symbol.
        size: the side of a cell, in pixels.
        strength: opacity factor, 0 to 1.
    """
    parts = symbol.small if size < SMALL else symbol.parts
    assert not callable(parts)
    return fade(_drawn([parts], make_grid(size), symbol.turns), strength) if parts else None


@lru_cache(maxsize=256)
def stack(symbol: Symbol, size: int) -> Sprite | None:
    """Draw a symbol at each of its levels; None if nothing is drawn in cells of this size."""
    if size >= SMALL and callable(symbol.parts):
        pictures = [symbol.parts(level) for level in symbol.levels]
        return _drawn(pictures, make_grid(size, finest=FINEST), symbol.turns)
    whole = picture(symbol, size)
    return None if whole is None else fade(whole, np.array(symbol.levels).reshape(-1, 1, 1, 1))


def fade(sprite: Sprite, strength: float | FloatArray) -> Sprite:
    """Return a more transparent sprite.

    Args:
        sprite: one picture.
        strength: opacity factor, 0 to 1; an array (n, 1, 1, 1) gives a stack of n pictures.
    """
    cover = WHOLE - sprite.weight.astype(np.float64)
    color = (sprite.ink - 128.0) / np.maximum(cover, 1.0)
    return _ready(color, cover / WHOLE * strength, sprite.box)


def in_colors(shape: Sprite, levels: FloatArray) -> Sprite:
    """Return a stack of pictures of one shape in the colors of (n,) levels.

    Args:
        shape: one picture of any color.
        levels: from 0 to 1, of the color scale.
    """
    height, width, _ = shape.weight.shape
    cover = (WHOLE - shape.weight).reshape(height, width * 3)
    # Whole rows of pixels: NumPy is fast on long axes only.
    ink = cover * colors.color_rows(levels, width)[:, np.newaxis]
    ink += 128
    return Sprite(shape.weight, ink.reshape(len(levels), height, width, 3), shape.box)


def compose(parts: Sequence[Part], grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Compose parts, the first at the bottom, by the "over" operator (Porter & Duff 1984).

    Returns:
        Color (size, size, 3), 0 to 255, and alpha (size, size, 1), 0 to 1; both are 0 where
        nothing is drawn.
    """
    color, alpha = np.zeros((grid.size, grid.size, 3)), np.zeros((grid.size, grid.size, 1))
    for part in parts:
        over = _opacity(part, grid)[..., np.newaxis]
        # The color is premultiplied until all parts are composed.
        color = color * (1.0 - over) + np.asarray(part.color or colors.FLOOR, np.float64) * over
        alpha = alpha * (1.0 - over) + over
    return np.divide(color, alpha, out=np.zeros_like(color), where=alpha > 0), alpha


def _opacity(part: Part, grid: Grid) -> FloatArray:
    """Return the opacity of a part in each pixel, (size, size), 0 to 1."""
    opacity = part.opacity * coverage(grid, mask(grid, part.shape))
    return opacity if part.glow is None else opacity * _glow(grid, part.glow)


def _glow(grid: Grid, disc: Disc) -> FloatArray:
    """Return the coverage of a disc that fades towards its edge."""
    dx, dy = grid.x - disc.center[0], grid.y - disc.center[1]
    inside = 1.0 - (dx * dx + dy * dy) / (disc.radius * disc.radius)
    return coverage(grid, np.maximum(0.0, inside))


def _drawn(pictures: Sequence[Parts], grid: Grid, turns: int) -> Sprite:
    """Draw one picture, or a stack of several, without the empty border that all have."""
    composed = [compose(parts, grid) for parts in pictures]
    color, alpha = (
        np.rot90(np.stack(part), -turns, axes=(1, 2)) for part in zip(*composed, strict=True)
    )
    rows, cols = np.nonzero((alpha[..., 0] > 0).any(axis=0))
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    if len(pictures) == 1:
        color, alpha = color[0], alpha[0]
    return _ready(color[(..., *box, slice(None))], alpha[(..., *box, slice(None))], box)


def _ready(color: FloatArray, alpha: FloatArray, box: tuple[slice, slice]) -> Sprite:
    """Convert color (0 to 255) and alpha (0 to 1) to a sprite; no sum overflows uint16."""
    # Three equal channels rather than one: broadcasting the last axis is several times slower.
    weight = np.rint(WHOLE * (1.0 - alpha * np.ones(3)))
    ink = np.rint(color * (WHOLE - weight)) + 128.0  # 128 rounds to nearest in `>> 8`
    return Sprite(weight.astype(np.uint16, order="C"), ink.astype(np.uint16, order="C"), box)
