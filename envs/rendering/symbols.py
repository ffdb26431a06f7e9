"""Symbols of a maze and of its overlays: all that frames and SVG documents draw in a cell.

A symbol is a picture in the unit square, in several strengths, or one picture for each level of a
quantity. In cells of fewer than `SMALL` pixels a frame shows a simpler picture: a tint of the whole
cell, or of the side of an action.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dynamaze.common.palette import Color

from ..mazes.dynamics import NUM_ACTIONS
from . import colors
from .overlay_measures import TRAIL_LENGTH
from .shapes import (
    Box,
    Checks,
    CornerSquares,
    Disc,
    Point,
    Polygon,
    Ring,
    Shape,
    Stripes,
    Textured,
    UpperMiddle,
    Wedge,
    inset,
    rounded_box,
)

SMALL = 6  # cells with fewer pixels a side show the simpler pictures
LEVELS = 16  # pictures of a symbol that shows a quantity


class Part(NamedTuple):
    """Shape in one color."""

    color: Color | None  # None: the color of the mark
    shape: Shape
    opacity: float = 1.0
    glow: Disc | None = None  # the color fades from its centre to its edge


Parts = tuple[Part, ...]


@dataclass(frozen=True, eq=False)
class Symbol:
    """Picture of a cell, or several pictures that show a quantity, such as `LEVELS` levels.

    Attributes:
        name: of the picture without turns.
        parts: of the picture, the first at the bottom; or a function from a level in (0, 1] to
            them.
        small: parts in a cell of few pixels; () if nothing is drawn there.
        turns: number of clockwise quarter turns.
        levels: of the pictures: what the function is called with, or else their opacities.
    """

    name: str
    parts: Parts | Callable[[float], Parts]
    small: Parts = ()
    turns: int = 0
    levels: tuple[float, ...] = tuple((level + 1) / LEVELS for level in range(LEVELS))


CELL = Box(0.0, 0.0, 1.0, 1.0)
CENTER: Point = (0.5, 0.5)
GROOVE = 0.03  # half the width of the line between two floor cells
TINT = 0.8  # opacity of the strongest tint


def _filled(color: Color | None, opacity: float = 1.0) -> Parts:
    return (Part(color, CELL, opacity),)


# -- the maze --------------------------------------------------------------------------------------

# A pale slab with a groove around it.
FLOOR_PARTS: Parts = (
    Part(colors.FLOOR_GROOVE, CELL),
    Part(colors.FLOOR, rounded_box(GROOVE, GROOVE, 1 - GROOVE, 1 - GROOVE, 0.06)),
)

START = Symbol(
    "start",
    (
        Part(colors.START_RING, Disc(CENTER, 0.34)),
        Part(colors.START_PAD, Disc(CENTER, 0.26)),
        Part(colors.START_RING, Disc(CENTER, 0.11)),
    ),
    _filled(colors.START_RING),
)


def _star(center: Point, radius: float, rounding: float) -> Polygon:
    """Return a five-pointed star with rounded edges."""
    outline = (
        (0.0, -1.0), (0.294, -0.405), (0.951, -0.309), (0.476, 0.155), (0.588, 0.809),
        (0.0, 0.5), (-0.588, 0.809), (-0.476, 0.155), (-0.951, -0.309), (-0.294, -0.405),
    )  # fmt: skip
    points = tuple((center[0] + radius * x, center[1] + radius * y) for x, y in outline)
    return Polygon(points, rounding)


GOAL = Symbol(
    "goal",
    (
        Part(colors.SHADOW, _star((0.525, 0.58), 0.41, 0.07), 0.22),
        Part(colors.GOAL_EDGE, _star((0.5, 0.53), 0.41, 0.07)),
        Part(colors.GOAL_STAR, _star((0.5, 0.53), 0.41, 0.03)),
        Part(colors.GOAL_SHINE, _star((0.5, 0.525), 0.22, 0.02)),
    ),
    _filled(colors.GOAL_STAR),
)


# A small star in a corner, over the agent that stands on the goal.
REACHED_GOAL = Symbol(
    "reached-goal",
    (
        Part(colors.AGENT_EDGE, _star((0.76, 0.25), 0.21, 0.075)),
        Part(colors.GOAL_EDGE, _star((0.76, 0.25), 0.21, 0.045)),
        Part(colors.GOAL_STAR, _star((0.76, 0.25), 0.21, 0.015)),
    ),
    (Part(colors.GOAL_STAR, Box(0.5, 0.0, 1.0, 0.5)),),
)


@lru_cache(maxsize=128)
def agent_symbol(down: float, right: float) -> Symbol:
    """Return the agent: a ball with a white edge and two eyes.

    Args:
        down: vertical component of the direction of the eyes, which has at most length 1.
        right: its horizontal component; (0, 0) looks ahead.
    """
    ball = Disc(CENTER, 0.315)
    return Symbol(
        f"agent_{down:g}_{right:g}",
        (
            Part(colors.SHADOW, Disc((0.53, 0.56), 0.37), 0.3),
            Part(colors.AGENT_EDGE, Disc(CENTER, 0.36)),
            Part(colors.AGENT, ball),
            Part(colors.AGENT_SHINE, ball, glow=Disc((0.42, 0.36), 0.26)),
            *_eye(-0.11, down, right),
            *_eye(0.11, down, right),
        ),
        _filled(colors.AGENT),
    )


def _eye(side: float, down: float, right: float) -> Parts:
    """Return an eye that looks in a direction."""
    x, y = 0.5 + side + 0.06 * right, 0.48 + 0.05 * down
    pupil = (x + 0.03 * right, y + 0.03 * down)
    return Part(colors.EYE, Disc((x, y), 0.085)), Part(colors.PUPIL, Disc(pupil, 0.048))


# Dots of a trail, from the newest to the oldest.
DOT = Symbol(
    "dot",
    (Part(colors.AGENT, Disc(CENTER, 0.13)),),
    _filled(colors.AGENT),
    levels=tuple(np.linspace(0.85, 0.12, TRAIL_LENGTH).tolist()),
)

# Wall that appeared: a frame with stripes.
APPEARED = Symbol(
    "appeared",
    (
        Part(colors.APPEARED, Textured(inset(0.1), Stripes(1, 0.5)), 0.6),
        Part(colors.APPEARED, Ring(inset(0.02), inset(0.1))),
    ),
    _filled(colors.APPEARED),
)

# Wall that was removed: four corners around a tinted floor.
OPENED = Symbol(
    "opened",
    (
        Part(colors.OPENED, inset(0.02), 0.22),
        Part(colors.OPENED, Textured(Ring(inset(0.02), inset(0.1)), CornerSquares(0.3))),
    ),
    _filled(colors.OPENED),
)

# Pale frame that makes the mark of an opened wall visible on any color.
OPENED_OUTLINE = Symbol(
    "outline",
    (Part(colors.HALO, Ring(inset(0.0), inset(0.13)), 0.85),),
    _filled(colors.HALO, 0.85),
)

# -- values and counts -----------------------------------------------------------------------------

FILL = inset(0.03)
HUB_RADIUS = 0.17  # of the state value's disc between the action values
GAP = 0.02  # half the width of the gap between two triangles

VALUE = Symbol("value", (Part(None, FILL),), _filled(None))
HUB = Symbol("hub", (Part(None, Disc(CENTER, HUB_RADIUS)),))

# Triangles of the action values, alone and around a hub.
ACTION_VALUES = tuple(
    Symbol(f"q{action}", (Part(None, Textured(FILL, Wedge(action, GAP))),))
    for action in range(NUM_ACTIONS)
)
ACTION_VALUES_AROUND_HUB = tuple(
    Symbol(
        f"outer-q{action}",
        (Part(None, Textured(Ring(FILL, Disc(CENTER, HUB_RADIUS + GAP)), Wedge(action, GAP))),),
    )
    for action in range(NUM_ACTIONS)
)

VISITS_TINT = Symbol(
    "visits-tint", (Part(colors.VISITS, FILL, TINT),), _filled(colors.VISITS, TINT)
)


def _bar(level: float) -> Parts:
    """Return a bar on a dark track."""
    left, top, right, bottom, edge = 0.12, 0.8, 0.88, 0.9, 0.025
    track = rounded_box(left - edge, top - edge, right + edge, bottom + edge, 0.05)
    filled = rounded_box(left, top, left + (right - left) * level, bottom, 0.01)
    return Part(colors.TRACK, track, 0.7), Part(colors.HALO, filled, 0.9)


VISITS_BAR = Symbol("visits-bar", _bar)


def _bubble(level: float) -> Parts:
    """Return a disc with a rim and a pale halo; its area is linear in the level."""
    small, large = 0.09**2, 0.4**2
    radius = (small + (large - small) * level) ** 0.5
    disc, inner = Disc(CENTER, radius), Disc(CENTER, radius - 0.045)
    return (
        Part(colors.HALO, Disc(CENTER, radius + 0.03), 0.7),
        Part(colors.TREE, Ring(disc, inner)),
        Part(colors.TREE, inner, 0.35),
    )


BUBBLE = Symbol("bubble", _bubble, _filled(colors.TREE, TINT))

# -- the agent's model, its planning and its policy ------------------------------------------------

# Correct prediction: a small dot in a corner.
CORRECT = Symbol(
    "correct",
    (
        Part(colors.HALO, Disc((0.16, 0.16), 0.1), 0.8),
        Part(colors.RIGHT, Disc((0.16, 0.16), 0.07)),
    ),
)

_ERROR_FRAME: Parts = (
    Part(colors.WRONG, inset(0.0), 0.25),
    Part(colors.WRONG, Ring(inset(0.0), inset(0.1))),
)

# Wall predicted on a free cell: the stripes of a wall.
FALSE_WALL = Symbol(
    "false-wall",
    (Part(colors.WALL_FRONT, Textured(inset(0.06), Stripes(-1, 0.42)), 0.8), *_ERROR_FRAME),
    _filled(colors.WRONG, 0.8),
)

# Free cell predicted on a wall: a hole in the wall.
FALSE_FLOOR = Symbol(
    "false-floor",
    (Part(colors.FLOOR, rounded_box(0.24, 0.24, 0.76, 0.76, 0.08), 0.85), *_ERROR_FRAME),
    _filled(colors.WRONG, 0.8),
)

# Uncertain prediction: a grey tint with a dotted frame.
UNSURE = Symbol(
    "unsure",
    (
        Part(colors.UNSURE, inset(0.0), 0.35),
        Part(colors.HALO, Textured(Ring(inset(0.0), inset(0.07)), Checks(odd=False)), 0.5),
        Part(colors.UNSURE_EDGE, Textured(Ring(inset(0.0), inset(0.07)), Checks(odd=True))),
    ),
    _filled(colors.UNSURE, 0.4),
)


# Cell of which nothing is known: the maze shows through faintly.
DARKNESS = Symbol("darkness", _filled(colors.DARK, 0.9), _filled(colors.DARK, 0.9))


def _at_side(color: Color) -> Parts:
    return (Part(color, UpperMiddle(), 0.8),)


def _update() -> Parts:
    """Return a bar at the upper side."""
    left, top, right, bottom, edge = 0.24, 0.04, 0.76, 0.12, 0.03
    outer = rounded_box(left - edge, top - edge, right + edge, bottom + edge, 0.05)
    inner = rounded_box(left, top, right, bottom, 0.03)
    return Part(colors.PLANNED_EDGE, outer, 0.75), Part(colors.PLANNED, inner)


# Planning updates of each action, at its side of the cell.
PLANNED = tuple(
    Symbol("planned", _update(), _at_side(colors.PLANNED), turns=action)
    for action in range(NUM_ACTIONS)
)


def _arrow(probability: float) -> Parts:
    """Return a dark upward arrow with a pale halo; it grows with the probability."""
    tip, head = 0.13 + 0.24 * probability, 0.09 + 0.08 * probability
    barb, shaft = 0.06 + 0.07 * probability, 0.018 + 0.022 * probability  # half widths
    neck = head - tip
    right = [(barb, neck), (shaft, neck), (shaft, 0.0)]
    outline = [(0.0, -tip), *right, *((-x, y) for x, y in reversed(right))]
    points = tuple((0.5 + x, 0.5 + y) for x, y in outline)
    return (
        Part(colors.HALO, Polygon(points, 0.035), 0.8),
        Part(colors.ARROW, Polygon(points, 0.008)),
    )


ARROWS = tuple(
    Symbol("arrow", _arrow, _at_side(colors.ARROW), turns=action) for action in range(NUM_ACTIONS)
)
