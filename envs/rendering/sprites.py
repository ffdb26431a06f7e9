"""Sprites of start, goal, agent, trail and changes, drawn once for each cell size and cached."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray

from . import colors
from .overlay_measures import TRAIL_LENGTH
from .shapes import (
    Corners,
    Grid,
    Ink,
    Point,
    coverage,
    disc,
    make_grid,
    rounded_box,
    rounded_polygon,
)
from .sprite import SMALL, Sprite, fade, square, trimmed

CENTER: Point = (0.5, 0.5)

# A five-pointed star around (0, 0): outer and inner corners in turn.
STAR: tuple[Point, ...] = (
    (0.0, -1.0), (0.294, -0.405), (0.951, -0.309), (0.476, 0.155), (0.588, 0.809),
    (0.0, 0.5), (-0.588, 0.809), (-0.476, 0.155), (-0.951, -0.309), (-0.294, -0.405),
)  # fmt: skip


@lru_cache(maxsize=16)
def start_sprite(size: int) -> Sprite:
    """Draw a start: a round pad with a ring and a dot."""
    if size < SMALL:
        return square(size, colors.START_RING)
    grid = make_grid(size)
    parts = ((colors.START_RING, 0.34), (colors.START_PAD, 0.26), (colors.START_RING, 0.11))
    return trimmed([Ink(color, coverage(grid, disc(grid, CENTER, r))) for color, r in parts])


@lru_cache(maxsize=16)
def goal_sprite(size: int) -> Sprite:
    """Draw a goal: a golden star, larger than the agent that may stand on it."""
    if size < SMALL:
        return square(size, colors.GOAL_STAR)
    grid = make_grid(size)
    return trimmed(
        [
            Ink(colors.SHADOW, 0.22 * _star(grid, (0.525, 0.58), 0.41, 0.07)),
            Ink(colors.GOAL_EDGE, _star(grid, (0.5, 0.53), 0.41, 0.07)),
            Ink(colors.GOAL_STAR, _star(grid, (0.5, 0.53), 0.41, 0.03)),
            Ink(colors.GOAL_SHINE, _star(grid, (0.5, 0.525), 0.22, 0.02)),
        ]
    )


@lru_cache(maxsize=64)
def agent_sprite(size: int, heading: tuple[float, float]) -> Sprite:
    """Draw the agent: a ball with a white edge and two eyes.

    Args:
        size: the side of a cell, in pixels.
        heading: direction (down, right) of the eyes, of length at most 1; (0, 0) looks ahead.
    """
    if size < SMALL:
        return square(size, colors.AGENT)
    grid = make_grid(size)
    ball = coverage(grid, disc(grid, CENTER, 0.315))
    return trimmed(
        [
            Ink(colors.SHADOW, 0.3 * coverage(grid, disc(grid, (0.53, 0.56), 0.37))),
            Ink(colors.AGENT_EDGE, coverage(grid, disc(grid, CENTER, 0.36))),
            Ink(colors.AGENT, ball),
            Ink(colors.AGENT_SHINE, ball * _glow(grid, (0.42, 0.36), 0.26)),
            *_eyes(grid, *heading),
        ]
    )


@lru_cache(maxsize=16)
def trail_sprites(size: int) -> Sprite:
    """Draw the dots of a trail as a stack of `TRAIL_LENGTH`, the newest first."""
    grid = make_grid(size)
    whole = np.ones((size, size))
    dot = whole if size < SMALL else coverage(grid, disc(grid, CENTER, 0.13))
    ages = np.linspace(0.85, 0.12, TRAIL_LENGTH).reshape(-1, 1, 1, 1)
    return fade(trimmed([Ink(colors.AGENT, dot)]), ages)


@lru_cache(maxsize=16)
def appeared_sprite(size: int) -> Sprite:
    """Draw the mark of a wall that appeared: a frame with stripes."""
    if size < SMALL:
        return square(size, colors.APPEARED)
    grid = make_grid(size)
    stripes = ((grid.x + grid.y) * 4.0) % 1.0 < 0.5
    inside = coverage(grid, stripes & inset(grid, 0.1))
    return trimmed(
        [
            Ink(colors.APPEARED, 0.6 * inside),
            Ink(colors.APPEARED, coverage(grid, inset(grid, 0.02) & ~inset(grid, 0.1))),
        ]
    )


@lru_cache(maxsize=16)
def opened_sprite(size: int) -> Sprite:
    """Draw the mark of a wall that was removed: four corners around a tinted floor."""
    if size < SMALL:
        return square(size, colors.OPENED)
    grid = make_grid(size)
    corners = (abs(grid.x - 0.5) > 0.2) & (abs(grid.y - 0.5) > 0.2)
    frame = inset(grid, 0.02) & ~inset(grid, 0.1)
    return trimmed(
        [
            Ink(colors.OPENED, 0.22 * coverage(grid, inset(grid, 0.02))),
            Ink(colors.OPENED, coverage(grid, frame & corners)),
        ]
    )


def _eyes(grid: Grid, down: float, right: float) -> list[Ink]:
    """Draw two eyes that look in a direction."""
    inks: list[Ink] = []
    for side in (-0.11, 0.11):
        x, y = 0.5 + side + 0.06 * right, 0.48 + 0.05 * down
        pupil = (x + 0.03 * right, y + 0.03 * down)
        inks.append(Ink(colors.EYE, coverage(grid, disc(grid, (x, y), 0.085))))
        inks.append(Ink(colors.PUPIL, coverage(grid, disc(grid, pupil, 0.048))))
    return inks


def _star(grid: Grid, center: Point, radius: float, rounding: float) -> FloatArray:
    """Return the coverage of a star with rounded edges."""
    points = [(center[0] + radius * x, center[1] + radius * y) for x, y in STAR]
    return coverage(grid, rounded_polygon(grid, points, rounding))


def _glow(grid: Grid, center: Point, radius: float) -> FloatArray:
    """Return the coverage of a disc that fades towards its edge."""
    dx, dy = grid.x - center[0], grid.y - center[1]
    return coverage(grid, np.maximum(0.0, 1.0 - (dx * dx + dy * dy) / (radius * radius)))


def inset(grid: Grid, margin: float) -> BoolArray:
    """Mask a square with rounded corners, `margin` away from the border of the cell."""
    box = (margin, margin, 1.0 - margin, 1.0 - margin)
    return rounded_box(grid, box, Corners(*[0.2 - margin] * 4))
