"""Antialiased shapes in NumPy, by supersampling, and their composition.

A cell is the unit square, x to the right and y down. A shape is a mask over a grid of sample points
finer than the pixels; its coverage is the fraction of a pixel's samples inside it. Only exactly
rounded IEEE operations are used, so that every platform draws the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray

from .colors import Color

Point = tuple[float, float]  # (x, y)


class Grid(NamedTuple):
    """Sample points of a cell of `size` pixels a side, `fine` samples per pixel and axis."""

    size: int
    fine: int
    x: FloatArray  # (1, size * fine)
    y: FloatArray  # (size * fine, 1)


class Ink(NamedTuple):
    """One color and its coverage of each pixel."""

    color: Color
    alpha: FloatArray  # (size, size), 0 to 1


def make_grid(size: int, *, finest: int = 8) -> Grid:
    """Return the sample points of a cell of `size` pixels; large cells get fewer per pixel."""
    fine = max(2, min(finest, 256 // size))
    points = (np.arange(size * fine) + 0.5) / (size * fine)
    return Grid(size, fine, points[np.newaxis, :], points[:, np.newaxis])


def coverage(grid: Grid, values: BoolArray | FloatArray) -> FloatArray:
    """Average a mask or a field over the samples of each pixel, to shape (size, size)."""
    full = np.broadcast_to(values, (grid.size * grid.fine,) * 2).astype(np.float64)
    blocks = full.reshape(grid.size, grid.fine, grid.size, grid.fine)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)


def disc(grid: Grid, center: Point, radius: float) -> BoolArray:
    """Mask the samples within `radius` of `center`."""
    dx, dy = grid.x - center[0], grid.y - center[1]
    inside: BoolArray = dx * dx + dy * dy <= radius * radius
    return inside


class Corners(NamedTuple):
    """Radii of the corners of a rectangle."""

    top_left: float
    top_right: float
    bottom_right: float
    bottom_left: float


def rounded_box(grid: Grid, box: tuple[float, float, float, float], corners: Corners) -> BoolArray:
    """Mask the samples in a box (left, top, right, bottom) whose corners are rounded."""
    left, top, right, bottom = box
    x, y = grid.x, grid.y
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    for radius, dx, dy in (
        (corners.top_left, left - x, top - y),
        (corners.top_right, x - right, top - y),
        (corners.bottom_right, x - right, y - bottom),
        (corners.bottom_left, left - x, y - bottom),
    ):
        u, v = dx + radius, dy + radius  # beyond the corner's centre, towards the corner
        inside &= ~((u > 0) & (v > 0) & (u * u + v * v > radius * radius))
    return inside


def rounded_polygon(grid: Grid, points: Sequence[Point], radius: float) -> BoolArray:
    """Mask the samples inside a polygon (even-odd rule) or within `radius` of its edges."""
    inside = np.zeros((grid.size * grid.fine,) * 2, dtype=np.bool_)
    near = inside.copy()
    for start, end in zip(points, [*points[1:], points[0]], strict=True):
        inside ^= _left_of(grid, start, end)
        near |= _near(grid, start, end, radius)
    return inside | near


def _left_of(grid: Grid, start: Point, end: Point) -> BoolArray:
    """Mask the samples from which a ray to the right crosses the edge."""
    (x0, y0), (x1, y1) = start, end
    crosses = (grid.y < y0) != (grid.y < y1)
    at = x0 + (grid.y - y0) * ((x1 - x0) / (y1 - y0 if y1 != y0 else 1.0))
    mask: BoolArray = crosses & (grid.x < at)
    return mask


def _near(grid: Grid, start: Point, end: Point, radius: float) -> BoolArray:
    """Mask the samples within `radius` of the edge."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    # Fraction of the edge at which each sample's projection lies.
    along = ((grid.x - x0) * dx + (grid.y - y0) * dy) / (dx * dx + dy * dy)
    along = np.clip(along, 0.0, 1.0)
    # Vector from the nearest point of the edge.
    u, v = grid.x - x0 - along * dx, grid.y - y0 - along * dy
    mask: BoolArray = u * u + v * v <= radius * radius
    return mask


def compose(inks: Sequence[Ink]) -> tuple[FloatArray, FloatArray]:
    """Compose inks, the first at the bottom, by the "over" operator (Porter & Duff 1984).

    Returns:
        Color (size, size, 3), 0 to 255, and alpha (size, size, 1), 0 to 1; both are 0 where
        nothing is drawn.
    """
    size = inks[0].alpha.shape
    color, alpha = np.zeros((*size, 3)), np.zeros((*size, 1))  # premultiplied color, and alpha
    for ink in inks:
        over = ink.alpha[..., np.newaxis]
        color = color * (1.0 - over) + np.asarray(ink.color, dtype=np.float64) * over
        alpha = alpha * (1.0 - over) + over
    return np.divide(color, alpha, out=np.zeros_like(color), where=alpha > 0), alpha
