"""Shapes in the unit square of a cell: as masks of the samples of a pixel grid, and as SVG paths.

The square has x to the right and y down. The coverage of a pixel by a shape is the fraction of its
samples inside the shape. Only exactly rounded IEEE operations are used, so that every platform
draws the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
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


# -- samples of a pixel grid ----------------------------------------------------------------------


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


# -- outlines as paths of SVG ----------------------------------------------------------------------


def outline(shape: Shape | Texture) -> str:
    """Return the outline of a shape as a path, to be filled by the even-odd rule."""
    match shape:
        case Disc((x, y), r):
            path = _box_outline(rounded_box(x - r, y - r, x + r, y + r, r))
        case Box():
            path = _box_outline(shape)
        case Polygon(points):
            path = _polygon_outline(points)
        case Ring(outer, inner):
            path = outline(outer) + outline(inner)
        case Stripes(slope, share):
            width = number(share / 4)
            first = 0 if slope == 1 else -4
            starts = (number(index / 4) for index in range(first, first + 8))
            path = "".join(f"M{start} 0h{width}l{-slope} 1h-{width}z" for start in starts)
        case Checks(odd):
            # The squares that lie in a column and in a row cancel each other.
            columns = (Box(index / 6, 0, (index + 0.5) / 6, 1) for index in range(6))
            rows = (Box(0, index / 6, 1, (index + 0.5) / 6) for index in range(6))
            path = "".join(map(outline, (*columns, *rows, *(() if odd else (Box(0, 0, 1, 1),)))))
        case CornerSquares(side):
            lows = (0, 1 - side)
            path = "".join(outline(Box(x, y, x + side, y + side)) for x in lows for y in lows)
        case Wedge(action, gap):
            triangle = ((gap, 0.0), (1 - gap, 0.0), (0.5, 0.5 - gap))
            path = _polygon_outline([_turned(point, action) for point in triangle])
        case Textured() | UpperMiddle():
            raise TypeError(f"{shape}; expected a shape with an outline")
    return path


def _box_outline(box: Box) -> str:
    """Return the outline of a box, clockwise from the left end of its upper side."""
    left, top, right, bottom, (a, b, c, d) = box
    return (
        f"M{number(left + a)} {number(top)}H{number(right - b)}{_arc(b, 1, 1)}"
        f"V{number(bottom - c)}{_arc(c, -1, 1)}H{number(left + d)}{_arc(d, -1, -1)}"
        f"V{number(top + a)}{_arc(a, 1, -1)}z"
    )


def _arc(radius: float, right: int, down: int) -> str:
    """Return a clockwise quarter of a circle, towards (right, down)."""
    r = number(radius)
    return f"a{r} {r} 0 0 1 {number(right * radius)} {number(down * radius)}" if radius else ""


def _polygon_outline(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + "z"


def _turned(point: Point, turns: int) -> Point:
    """Return a point after clockwise quarter turns around the centre of the cell."""
    x, y = point[0] - 0.5, point[1] - 0.5
    for _ in range(turns):
        x, y = -y, x
    return x + 0.5, y + 0.5


def number(value: float) -> str:
    """Format a number to a thousandth of a cell, as short as possible."""
    return f"{round(float(value), 3):g}"
