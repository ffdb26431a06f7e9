"""The marks of the overlays, drawn once for each cell size and kept.

Quantities come as stacks of `LEVELS` pictures, from the smallest to the largest. In cells of fewer
than `SMALL` pixels a mark is a tint of the whole cell, an arrow or an update a tint of its side.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dynamaze.common.arrays import BoolArray

from . import palette
from .palette import Color
from .shapes import Corners, Grid, Ink, Point, coverage, disc, make_grid, rounded_box
from .shapes import rounded_polygon as polygon
from .sprite import LEVELS, SMALL, Sprite, shades, square, stacked, trimmed
from .sprites import CENTER, inset

Box = tuple[float, float, float, float]  # left, top, right, bottom

BAR: Box = (0.12, 0.8, 0.88, 0.9)  # of the visits, when full
SIDE: Box = (0.24, 0.04, 0.76, 0.12)  # of the planner's marks, on top; turned for the others
SMALLEST_BUBBLE, LARGEST_BUBBLE = 0.09, 0.4  # radii of a search tree's bubbles
RIM = 0.045  # width of a bubble's rim
HUB = 0.17  # radius of the state's value amid the action values
FILL_MARGIN = 0.03  # between a fill and the border of its cell
TICK: Point = (0.16, 0.16)  # where the dot of a right belief is
GAP = 0.02  # half the width of the gap between two triangles
TINT = 0.8  # how much the strongest tint covers
FINEST = 4  # samples a pixel and axis, for the marks with many pictures


def arrow_outline(probability: float) -> list[Point]:
    """Outline the arrow upwards, round (0, 0), whose length and width show a probability."""
    tip, head = 0.13 + 0.24 * probability, 0.09 + 0.08 * probability
    wing, shaft = 0.06 + 0.07 * probability, 0.018 + 0.022 * probability
    neck = head - tip
    right = [(wing, neck), (shaft, neck), (shaft, 0.0)]
    return [(0.0, -tip), *right, *((-x, y) for x, y in reversed(right))]


@lru_cache(maxsize=32)
def arrow_stack(size: int, action: int) -> Sprite:
    """Draw the arrows of an action: dark, with a pale halo, longer for the more probable."""
    if size < SMALL:
        return _side(size, palette.ARROW, action)
    grid = make_grid(size, finest=FINEST)
    return stacked([_arrow(grid, level) for level in _levels()], turns=action)


@lru_cache(maxsize=32)
def side_stack(size: int, action: int) -> Sprite:
    """Draw the planner's marks at the side of an action, from pale to strong."""
    if size < SMALL:
        return _side(size, palette.PLANNED, action)
    grid = make_grid(size)
    left, top, right, bottom = SIDE
    edge = rounded_box(grid, (left - 0.03, top - 0.03, right + 0.03, bottom + 0.03), _round(0.05))
    inks = [
        Ink(palette.PLANNED_EDGE, 0.75 * coverage(grid, edge)),
        Ink(palette.PLANNED, coverage(grid, rounded_box(grid, SIDE, _round(0.03)))),
    ]
    turned = stacked([inks], turns=action)
    return shades(Sprite(turned.keep[0], turned.ink[0], turned.box))


@lru_cache(maxsize=8)
def tint_stack(size: int, color: Color) -> Sprite:
    """Tint a cell, from hardly to mostly."""
    grid = make_grid(size)
    whole = np.ones((size, size)) if size < SMALL else coverage(grid, inset(grid, FILL_MARGIN))
    return shades(trimmed([Ink(color, TINT * whole)]))


@lru_cache(maxsize=8)
def bar_stack(size: int) -> Sprite:
    """Draw the bars of the visits, from short to full, each on its dark track."""
    if size < SMALL:
        return tint_stack(size, palette.VISITS)
    return stacked([_bar(make_grid(size, finest=FINEST), level) for level in _levels()])


@lru_cache(maxsize=8)
def bubble_stack(size: int) -> Sprite:
    """Draw the bubbles of a search tree, from small to large."""
    if size < SMALL:
        return tint_stack(size, palette.TREE)
    return stacked([_bubble(make_grid(size, finest=FINEST), level) for level in _levels()])


def bubble_radius(level: float) -> float:
    """Choose the radius of a bubble; its area grows evenly with the level."""
    small, large = SMALLEST_BUBBLE**2, LARGEST_BUBBLE**2
    return float((small + (large - small) * level) ** 0.5)


@lru_cache(maxsize=8)
def right_stack(size: int) -> Sprite:
    """Draw the mark of a belief that is right: a small dot in a corner."""
    grid = make_grid(size)
    return shades(
        trimmed(
            [
                Ink(palette.HALO, 0.8 * coverage(grid, disc(grid, TICK, 0.1))),
                Ink(palette.RIGHT, coverage(grid, disc(grid, TICK, 0.07))),
            ]
        )
    )


@lru_cache(maxsize=8)
def ghost_stack(size: int) -> Sprite:
    """Draw the mark of a belief that is wrong on a floor: the bars of a wall that is not there."""
    if size < SMALL:
        return shades(trimmed([Ink(palette.WRONG, np.full((size, size), 0.8))]))
    grid = make_grid(size)
    stripes = ((grid.x - grid.y) * 4.0) % 1.0 < 0.42
    inside = coverage(grid, stripes & inset(grid, 0.06))
    return shades(trimmed([Ink(palette.WALL_FRONT, 0.8 * inside), *_alarm(grid)]))


@lru_cache(maxsize=8)
def window_stack(size: int) -> Sprite:
    """Draw the mark of a belief that is wrong on a wall: a hole in it that is not there."""
    if size < SMALL:
        return shades(trimmed([Ink(palette.WRONG, np.full((size, size), 0.8))]))
    grid = make_grid(size)
    hole = coverage(grid, rounded_box(grid, (0.24, 0.24, 0.76, 0.76), _round(0.08)))
    return shades(trimmed([Ink(palette.FLOOR, 0.85 * hole), *_alarm(grid)]))


@lru_cache(maxsize=8)
def unsure_stack(size: int) -> Sprite:
    """Draw the mark of a model that does not know: a veil with a row of dots round it."""
    if size < SMALL:
        return shades(trimmed([Ink(palette.UNSURE, np.full((size, size), 0.4))]))
    grid = make_grid(size)
    ring = inset(grid, 0.0) & ~inset(grid, 0.07)
    dots = ((grid.x * 6.0) % 1.0 < 0.5) ^ ((grid.y * 6.0) % 1.0 < 0.5)
    inks = [
        Ink(palette.UNSURE, 0.35 * coverage(grid, inset(grid, 0.0))),
        Ink(palette.HALO, 0.5 * coverage(grid, ring & ~dots)),
        Ink(palette.UNSURE_EDGE, coverage(grid, ring & dots)),
    ]
    return shades(trimmed(inks))


@lru_cache(maxsize=8)
def lift_stack(size: int) -> Sprite:
    """Draw a pale frame, on which the mark of an opened wall is seen over any color."""
    grid = make_grid(size)
    whole = np.ones((size, size))
    ring = whole if size < SMALL else coverage(grid, inset(grid, 0.0) & ~inset(grid, 0.13))
    return shades(trimmed([Ink(palette.HALO, 0.85 * ring)]))


@lru_cache(maxsize=16)
def value_mask(size: int, *, hub: bool) -> Sprite:
    """Shape what a state's value colors: the cell, or a hub amid its action values."""
    if size < SMALL:
        return square(size, palette.FLOOR)
    grid = make_grid(size)
    shape = disc(grid, CENTER, HUB) if hub else inset(grid, FILL_MARGIN)
    return trimmed([Ink(palette.FLOOR, coverage(grid, shape))])


@lru_cache(maxsize=64)
def action_mask(size: int, action: int, *, hub: bool) -> Sprite:
    """Shape what an action's value colors: a triangle, or what a hub leaves of it."""
    grid = make_grid(size)
    shape = inset(grid, FILL_MARGIN) & _triangle(grid, action)
    if hub:
        shape &= ~disc(grid, CENTER, HUB + GAP)
    return trimmed([Ink(palette.FLOOR, coverage(grid, shape))])


def _triangle(grid: Grid, action: int) -> BoolArray:
    """Mask the quarter of a cell at the side of an action."""
    x, y = grid.x - 0.5, grid.y - 0.5
    away, aside = ((-y, x), (x, y), (y, x), (-x, y))[action]
    inside: BoolArray = away - abs(aside) > GAP
    return inside


def _arrow(grid: Grid, probability: float) -> list[Ink]:
    points = [(0.5 + x, 0.5 + y) for x, y in arrow_outline(probability)]
    return [
        Ink(palette.HALO, 0.8 * coverage(grid, polygon(grid, points, 0.035))),
        Ink(palette.ARROW, coverage(grid, polygon(grid, points, 0.008))),
    ]


def _bar(grid: Grid, level: float) -> list[Ink]:
    left, top, right, bottom = BAR
    edge = 0.025
    track = rounded_box(grid, (left - edge, top - edge, right + edge, bottom + edge), _round(0.05))
    filled = rounded_box(grid, (left, top, left + (right - left) * level, bottom), _round(0.01))
    return [
        Ink(palette.TRACK, 0.7 * coverage(grid, track)),
        Ink(palette.HALO, 0.9 * coverage(grid, filled)),
    ]


def _bubble(grid: Grid, level: float) -> list[Ink]:
    radius = bubble_radius(level)
    inner = disc(grid, CENTER, radius - RIM)
    return [
        Ink(palette.HALO, 0.7 * coverage(grid, disc(grid, CENTER, radius + 0.03))),
        Ink(palette.TREE, coverage(grid, disc(grid, CENTER, radius) & ~inner)),
        Ink(palette.TREE, 0.35 * coverage(grid, inner)),
    ]


def _alarm(grid: Grid) -> list[Ink]:
    """Draw the frame of what a model is wrong about."""
    frame = inset(grid, 0.0) & ~inset(grid, 0.1)
    return [
        Ink(palette.WRONG, 0.25 * coverage(grid, inset(grid, 0.0))),
        Ink(palette.WRONG, coverage(grid, frame)),
    ]


def _side(size: int, color: Color, action: int) -> Sprite:
    """Tint the middle of a small cell's side, from pale to strong."""
    third = size // 3
    covered = np.zeros((size, size))
    covered[: max(1, size // 2), third : size - third] = 0.8
    turned = stacked([[Ink(color, covered)]], turns=action)
    return shades(Sprite(turned.keep[0], turned.ink[0], turned.box))


def _levels() -> list[float]:
    return [(index + 1) / LEVELS for index in range(LEVELS)]


def _round(radius: float) -> Corners:
    return Corners(radius, radius, radius, radius)
