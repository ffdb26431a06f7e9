"""Sprites of the overlays, drawn once for each cell size and cached.

Quantities are stacks of `LEVELS` pictures, from the smallest to the largest. In cells of fewer than
`SMALL` pixels a mark is a tint of the whole cell; an arrow or an update is a tint of its side.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dynamaze.common.arrays import BoolArray

from . import colors
from .colors import Color
from .shapes import Corners, Grid, Ink, Point, coverage, disc, make_grid, rounded_box
from .shapes import rounded_polygon as polygon
from .sprite import LEVELS, SMALL, Sprite, shades, square, stacked, trimmed
from .sprites import CENTER, inset

Box = tuple[float, float, float, float]  # left, top, right, bottom

BAR: Box = (0.12, 0.8, 0.88, 0.9)  # bar of the largest visit count
SIDE: Box = (0.24, 0.04, 0.76, 0.12)  # mark of an update of action 0 (up); rotated for others
SMALLEST_BUBBLE, LARGEST_BUBBLE = 0.09, 0.4  # radii of a search tree's bubbles
RIM = 0.045  # width of a bubble's rim
HUB = 0.17  # radius of the state value's disc between the action values
FILL_MARGIN = 0.03  # between a fill and the border of its cell
TICK: Point = (0.16, 0.16)  # centre of the dot of a correct prediction
GAP = 0.02  # half the width of the gap between two triangles
TINT = 0.8  # opacity of the strongest tint
FINEST = 4  # samples per pixel and axis, for stacks that are drawn level by level


def arrow_outline(probability: float) -> list[Point]:
    """Return the outline of an upward arrow around (0, 0); it grows with the probability."""
    tip, head = 0.13 + 0.24 * probability, 0.09 + 0.08 * probability
    barb, shaft = 0.06 + 0.07 * probability, 0.018 + 0.022 * probability  # half widths
    neck = head - tip
    right = [(barb, neck), (shaft, neck), (shaft, 0.0)]
    return [(0.0, -tip), *right, *((-x, y) for x, y in reversed(right))]


@lru_cache(maxsize=32)
def arrow_stack(size: int, action: int) -> Sprite:
    """Draw the arrows of an action, longer for larger probabilities."""
    if size < SMALL:
        return _side(size, colors.ARROW, action)
    grid = make_grid(size, finest=FINEST)
    return stacked([_arrow(grid, level) for level in _levels()], turns=action)


@lru_cache(maxsize=32)
def side_stack(size: int, action: int) -> Sprite:
    """Draw the marks of planning updates at the side of an action, from pale to strong."""
    if size < SMALL:
        return _side(size, colors.PLANNED, action)
    grid = make_grid(size)
    left, top, right, bottom = SIDE
    edge = rounded_box(grid, (left - 0.03, top - 0.03, right + 0.03, bottom + 0.03), _round(0.05))
    inks = [
        Ink(colors.PLANNED_EDGE, 0.75 * coverage(grid, edge)),
        Ink(colors.PLANNED, coverage(grid, rounded_box(grid, SIDE, _round(0.03)))),
    ]
    turned = stacked([inks], turns=action)
    return shades(Sprite(turned.weight[0], turned.ink[0], turned.box))


@lru_cache(maxsize=8)
def tint_stack(size: int, color: Color) -> Sprite:
    """Draw tints of a cell, from pale to strong."""
    grid = make_grid(size)
    whole = np.ones((size, size)) if size < SMALL else coverage(grid, inset(grid, FILL_MARGIN))
    return shades(trimmed([Ink(color, TINT * whole)]))


@lru_cache(maxsize=8)
def bar_stack(size: int) -> Sprite:
    """Draw the bars of visit counts, from short to full, on a dark track."""
    if size < SMALL:
        return tint_stack(size, colors.VISITS)
    return stacked([_bar(make_grid(size, finest=FINEST), level) for level in _levels()])


@lru_cache(maxsize=8)
def bubble_stack(size: int) -> Sprite:
    """Draw the bubbles of a search tree, from small to large."""
    if size < SMALL:
        return tint_stack(size, colors.TREE)
    return stacked([_bubble(make_grid(size, finest=FINEST), level) for level in _levels()])


def bubble_radius(level: float) -> float:
    """Return the radius of a bubble, in cells; its area is linear in the level."""
    small, large = SMALLEST_BUBBLE**2, LARGEST_BUBBLE**2
    return float((small + (large - small) * level) ** 0.5)


@lru_cache(maxsize=8)
def correct_stack(size: int) -> Sprite:
    """Draw the mark of a correct prediction: a small dot in a corner."""
    grid = make_grid(size)
    return shades(
        trimmed(
            [
                Ink(colors.HALO, 0.8 * coverage(grid, disc(grid, TICK, 0.1))),
                Ink(colors.RIGHT, coverage(grid, disc(grid, TICK, 0.07))),
            ]
        )
    )


@lru_cache(maxsize=8)
def false_wall_stack(size: int) -> Sprite:
    """Draw the mark of a wall predicted on a free cell: the stripes of a wall."""
    if size < SMALL:
        return shades(trimmed([Ink(colors.WRONG, np.full((size, size), 0.8))]))
    grid = make_grid(size)
    stripes = ((grid.x - grid.y) * 4.0) % 1.0 < 0.42
    inside = coverage(grid, stripes & inset(grid, 0.06))
    return shades(trimmed([Ink(colors.WALL_FRONT, 0.8 * inside), *_error_frame(grid)]))


@lru_cache(maxsize=8)
def false_floor_stack(size: int) -> Sprite:
    """Draw the mark of a free cell predicted on a wall: a hole in the wall."""
    if size < SMALL:
        return shades(trimmed([Ink(colors.WRONG, np.full((size, size), 0.8))]))
    grid = make_grid(size)
    hole = coverage(grid, rounded_box(grid, (0.24, 0.24, 0.76, 0.76), _round(0.08)))
    return shades(trimmed([Ink(colors.FLOOR, 0.85 * hole), *_error_frame(grid)]))


@lru_cache(maxsize=8)
def unsure_stack(size: int) -> Sprite:
    """Draw the mark of an uncertain prediction: a grey tint with a dotted frame."""
    if size < SMALL:
        return shades(trimmed([Ink(colors.UNSURE, np.full((size, size), 0.4))]))
    grid = make_grid(size)
    ring = inset(grid, 0.0) & ~inset(grid, 0.07)
    dots = ((grid.x * 6.0) % 1.0 < 0.5) ^ ((grid.y * 6.0) % 1.0 < 0.5)
    inks = [
        Ink(colors.UNSURE, 0.35 * coverage(grid, inset(grid, 0.0))),
        Ink(colors.HALO, 0.5 * coverage(grid, ring & ~dots)),
        Ink(colors.UNSURE_EDGE, coverage(grid, ring & dots)),
    ]
    return shades(trimmed(inks))


@lru_cache(maxsize=8)
def opened_outline_stack(size: int) -> Sprite:
    """Draw a pale frame that makes the mark of an opened wall visible on any color."""
    grid = make_grid(size)
    whole = np.ones((size, size))
    ring = whole if size < SMALL else coverage(grid, inset(grid, 0.0) & ~inset(grid, 0.13))
    return shades(trimmed([Ink(colors.HALO, 0.85 * ring)]))


@lru_cache(maxsize=16)
def value_mask(size: int, *, hub: bool) -> Sprite:
    """Draw the shape colored by a state value: the cell, or a disc between action values."""
    if size < SMALL:
        return square(size, colors.FLOOR)
    grid = make_grid(size)
    shape = disc(grid, CENTER, HUB) if hub else inset(grid, FILL_MARGIN)
    return trimmed([Ink(colors.FLOOR, coverage(grid, shape))])


@lru_cache(maxsize=64)
def action_mask(size: int, action: int, *, hub: bool) -> Sprite:
    """Draw the shape colored by an action value: a triangle, cut out around a hub."""
    grid = make_grid(size)
    shape = inset(grid, FILL_MARGIN) & _triangle(grid, action)
    if hub:
        shape &= ~disc(grid, CENTER, HUB + GAP)
    return trimmed([Ink(colors.FLOOR, coverage(grid, shape))])


def _triangle(grid: Grid, action: int) -> BoolArray:
    """Mask the triangle of a cell at the side of an action."""
    x, y = grid.x - 0.5, grid.y - 0.5
    away, aside = ((-y, x), (x, y), (y, x), (-x, y))[action]
    inside: BoolArray = away - abs(aside) > GAP
    return inside


def _arrow(grid: Grid, probability: float) -> list[Ink]:
    """Draw a dark upward arrow with a pale halo."""
    points = [(0.5 + x, 0.5 + y) for x, y in arrow_outline(probability)]
    return [
        Ink(colors.HALO, 0.8 * coverage(grid, polygon(grid, points, 0.035))),
        Ink(colors.ARROW, coverage(grid, polygon(grid, points, 0.008))),
    ]


def _bar(grid: Grid, level: float) -> list[Ink]:
    """Draw a bar on its track."""
    left, top, right, bottom = BAR
    edge = 0.025
    track = rounded_box(grid, (left - edge, top - edge, right + edge, bottom + edge), _round(0.05))
    filled = rounded_box(grid, (left, top, left + (right - left) * level, bottom), _round(0.01))
    return [
        Ink(colors.TRACK, 0.7 * coverage(grid, track)),
        Ink(colors.HALO, 0.9 * coverage(grid, filled)),
    ]


def _bubble(grid: Grid, level: float) -> list[Ink]:
    """Draw a disc with a rim and a pale halo."""
    radius = bubble_radius(level)
    inner = disc(grid, CENTER, radius - RIM)
    return [
        Ink(colors.HALO, 0.7 * coverage(grid, disc(grid, CENTER, radius + 0.03))),
        Ink(colors.TREE, coverage(grid, disc(grid, CENTER, radius) & ~inner)),
        Ink(colors.TREE, 0.35 * coverage(grid, inner)),
    ]


def _error_frame(grid: Grid) -> list[Ink]:
    """Draw the frame of a wrong prediction."""
    frame = inset(grid, 0.0) & ~inset(grid, 0.1)
    return [
        Ink(colors.WRONG, 0.25 * coverage(grid, inset(grid, 0.0))),
        Ink(colors.WRONG, coverage(grid, frame)),
    ]


def _side(size: int, color: Color, action: int) -> Sprite:
    """Draw tints of the middle of a small cell's side, from pale to strong."""
    third = size // 3
    covered = np.zeros((size, size))
    covered[: max(1, size // 2), third : size - third] = 0.8
    turned = stacked([[Ink(color, covered)]], turns=action)
    return shades(Sprite(turned.weight[0], turned.ink[0], turned.box))


def _levels() -> list[float]:
    return [(index + 1) / LEVELS for index in range(LEVELS)]


def _round(radius: float) -> Corners:
    return Corners(radius, radius, radius, radius)
