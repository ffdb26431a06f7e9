"""Shapes in the unit square of a cell, and the samples of a pixel grid that lie in them.

The square has x to the right and y down. The coverage of a pixel by a shape is the fraction of its
samples inside the shape. Only exactly rounded IEEE operations are used, so that every platform
draws the same pixels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray

Point = tuple[float, float]  # (x, y)


class Disc(NamedTuple):
    """Points within `radius` of a centre."""

    center: Point
    radius: float


class Corners(NamedTuple):
    """Radii of the corners of a rectangle."""

    top_left: float
    top_right: float
    bottom_right: float
    bottom_left: float


class Box(NamedTuple):
    """Rectangle with rounded corners."""

    left: float
    top: float
    right: float
    bottom: float
    corners: Corners = Corners(0.0, 0.0, 0.0, 0.0)


class Polygon(NamedTuple):
    """Polygon, by the even-odd rule, and all points within `rounding` of its edges."""

    points: tuple[Point, ...]
    rounding: float


class Ring(NamedTuple):
    """Shape without a smaller one inside it."""

    outer: Disc | Box
    inner: Disc | Box


class Stripes(NamedTuple):
    """Texture of diagonal stripes, four along each side of a cell."""

    slope: int  # 1: from the lower left to the upper right; -1: the other diagonal
    share: float  # covered fraction


class Checks(NamedTuple):
    """Texture of a chessboard of 12 x 12 squares."""

    odd: bool  # cover the squares of odd row + column; otherwise those of even row + column


class CornerSquares(NamedTuple):
    """Texture that covers a square in each of the four corners of a cell."""

    side: float


class Wedge(NamedTuple):
    """Texture that covers the triangle between the centre of a cell and the side of an action."""

    action: int
    gap: float  # half the gap to the next triangle, along a side


class Textured(NamedTuple):
    """Part of a shape that a texture covers."""

    shape: Disc | Box | Ring
    texture: Stripes | Checks | CornerSquares | Wedge


class UpperMiddle(NamedTuple):
    """Middle third of a cell's upper half in whole pixels, for cells of few pixels."""


Shape = Disc | Box | Polygon | Ring | Textured | UpperMiddle
Texture = Stripes | Checks | CornerSquares | Wedge


def rounded_box(left: float, top: float, right: float, bottom: float, radius: float) -> Box:
    """Return a rectangle with four equal corners."""
    return Box(left, top, right, bottom, Corners(radius, radius, radius, radius))


def inset(margin: float) -> Box:
    """Return a square with rounded corners, `margin` away from the border of the cell."""
    return rounded_box(margin, margin, 1.0 - margin, 1.0 - margin, 0.2 - margin)


class Grid(NamedTuple):
    """Sample points of a cell of `size` pixels a side, `fine` samples per pixel and axis."""

    size: int
    fine: int
    x: FloatArray  # (1, size * fine)
    y: FloatArray  # (size * fine, 1)


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


def mask(grid: Grid, shape: Shape | Texture) -> BoolArray:
    """Return which samples lie inside a shape, broadcastable to (size * fine, size * fine)."""
    x, y = grid.x, grid.y
    match shape:
        case Disc((center_x, center_y), radius):
            dx, dy = x - center_x, y - center_y
            inside = dx * dx + dy * dy <= radius * radius
        case Box():
            inside = _in_box(grid, shape)
        case Polygon():
            inside = _in_polygon(grid, shape)
        case Ring(outer, inner):
            inside = mask(grid, outer) & ~mask(grid, inner)
        case Textured(whole, texture):
            inside = mask(grid, whole) & mask(grid, texture)
        case Stripes(slope, share):
            inside = ((x + slope * y) * 4.0) % 1.0 < share
        case Checks(odd):
            inside = ((x * 6.0) % 1.0 < 0.5) ^ ((y * 6.0) % 1.0 < 0.5) ^ (not odd)
        case CornerSquares(side):
            inside = (abs(x - 0.5) > 0.5 - side) & (abs(y - 0.5) > 0.5 - side)
        case Wedge(action, gap):
            right, down = x - 0.5, y - 0.5
            away, aside = ((-down, right), (right, down), (down, right), (-right, down))[action]
            inside = away - abs(aside) > gap
        case UpperMiddle():
            column, third = x * grid.size, grid.size // 3
            upper = y * grid.size < max(1, grid.size // 2)
            inside = upper & (column > third) & (column < grid.size - third)
    return np.asarray(inside)


def _in_box(grid: Grid, box: Box) -> BoolArray:
    """Mask the samples in a rectangle with rounded corners."""
    left, top, right, bottom, corners = box
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


def _in_polygon(grid: Grid, polygon: Polygon) -> BoolArray:
    """Mask the samples in a polygon or within its rounding of an edge."""
    points, rounding = polygon
    inside = np.zeros((grid.size * grid.fine,) * 2, dtype=np.bool_)
    near = inside.copy()
    for start, end in pairwise((*points, points[0])):
        inside ^= _left_of(grid, start, end)
        near |= _near(grid, start, end, rounding)
    return inside | near


def _left_of(grid: Grid, start: Point, end: Point) -> BoolArray:
    """Mask the samples from which a ray to the right crosses the edge."""
    (x0, y0), (x1, y1) = start, end
    crosses = (grid.y < y0) != (grid.y < y1)
    at = x0 + (grid.y - y0) * ((x1 - x0) / (y1 - y0 if y1 != y0 else 1.0))
    crossed: BoolArray = crosses & (grid.x < at)
    return crossed


def _near(grid: Grid, start: Point, end: Point, radius: float) -> BoolArray:
    """Mask the samples within `radius` of the edge."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    # Fraction of the edge at which each sample's projection lies.
    along = ((grid.x - x0) * dx + (grid.y - y0) * dy) / (dx * dx + dy * dy)
    along = np.clip(along, 0.0, 1.0)
    # Vector from the nearest point of the edge.
    u, v = grid.x - x0 - along * dx, grid.y - y0 - along * dy
    near: BoolArray = u * u + v * v <= radius * radius
    return near
