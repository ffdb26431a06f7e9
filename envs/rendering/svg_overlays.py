"""Overlays as SVG groups, each with the overlay's name as its class, and SVG elements as text.

One unit is the side of a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import quoteattr

import numpy as np

from dynamaze.common.arrays import FloatArray

from . import colors
from . import overlay_marks as marks
from .colors import Color, map_colors
from .overlay_measures import (
    arrow_probabilities,
    compare_belief,
    count_levels,
    planned_strengths,
    value_levels,
)
from .overlays import NUM_ACTIONS
from .scene import Scene

PREFIX = "dynamaze-"  # of all ids: several pictures may be part of one HTML page
QUARTER = 90  # degrees


def number(value: float) -> str:
    """Format a number to a thousandth of a cell, as short as possible."""
    return f"{round(float(value), 3):g}"


def hex_color(color: Color) -> str:
    """Format a color as #rrggbb."""
    return "#" + bytes(color).hex()


def tag(name: str, content: str = "", /, **attributes: object) -> str:
    """Return an element as text.

    Args:
        name: name of the element.
        content: elements inside, as text.
        **attributes: underscores in names become hyphens, a trailing one is dropped; floats are
            formatted by `number`, colors as #rrggbb.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_text(value))}"
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def use(symbol: str, x: float, y: float, **attributes: object) -> str:
    """Place a symbol with the top left corner of its cell at (x, y)."""
    return tag("use", href=f"#{PREFIX}{symbol}", x=float(x), y=float(y), **attributes)


def group(name: str, elements: Iterable[str], **attributes: object) -> str:
    """Return a group of elements with a class, or "" if there are none."""
    content = "".join(elements)
    return tag("g", content, class_=name, **attributes) if content else ""


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return hex_color(value)
    return number(value) if isinstance(value, float) else str(value)


def _box(left: float, top: float, right: float, bottom: float, **attributes: object) -> str:
    return tag(
        "rect",
        x=float(left),
        y=float(top),
        width=float(right - left),
        height=float(bottom - top),
        **attributes,
    )


def _turned(action: int) -> str:
    return f"rotate({QUARTER * action} .5 .5)"


def _triangle(action: int) -> str:
    gap, margin = marks.GAP, marks.FILL_MARGIN
    left, tip = margin + gap, 0.5 - gap * 2**0.5
    outline = f"M{number(left)} {number(margin)}H{number(1 - left)}L.5 {number(tip)}Z"
    return tag("path", d=outline, transform=_turned(action))


def _wrong(content: str) -> str:
    frame = _box(0.04, 0.04, 0.96, 0.96, rx=0.14, fill=colors.WRONG, fill_opacity=0.25,
                 stroke=colors.WRONG, stroke_width=0.08)  # fmt: skip
    return content + frame


_STRIPES = "M0 .1L.9 1M0 .4L.6 1M0 .7L.3 1M.1 0L1 .9M.4 0L1 .6M.7 0L1 .3"

SYMBOLS = {
    "fill": _box(0.03, 0.03, 0.97, 0.97, rx=0.1),
    "hub": tag("circle", cx=0.5, cy=0.5, r=marks.HUB, stroke=colors.FLOOR_GROOVE,
               stroke_width=0.03),
    **{f"q{action}": _triangle(action) for action in range(NUM_ACTIONS)},
    **{
        f"side{action}": _box(*marks.SIDE, rx=0.03, transform=_turned(action))
        for action in range(NUM_ACTIONS)
    },
    "track": _box(0.095, 0.775, 0.905, 0.925, rx=0.05, fill=colors.TRACK, fill_opacity=0.7),
    "right": tag("circle", cx=marks.TICK[0], cy=marks.TICK[1], r=0.085, fill=colors.RIGHT,
                 stroke=colors.HALO, stroke_width=0.03),
    # A wall predicted on a free cell, and a free cell predicted on a wall.
    "ghost": _wrong(tag("path", d=_STRIPES, stroke=colors.WALL_FRONT, stroke_opacity=0.8,
                        stroke_width=0.1)),
    "window": _wrong(_box(0.24, 0.24, 0.76, 0.76, rx=0.08, fill=colors.FLOOR,
                          fill_opacity=0.85)),
    "unsure": _box(0.04, 0.04, 0.96, 0.96, rx=0.16, fill=colors.UNSURE, fill_opacity=0.35,
                   stroke=colors.HALO, stroke_width=0.07, stroke_opacity=0.5)
    + _box(0.04, 0.04, 0.96, 0.96, rx=0.16, fill="none", stroke=colors.UNSURE_EDGE,
           stroke_width=0.07, stroke_dasharray=".08 .085"),
}  # fmt: skip
"""Symbols that are used by their name: shapes in the unit square."""


def values(scene: Scene) -> str:
    """Color the cells by their state values."""
    levels, q = value_levels(scene)
    return "" if levels is None else group("values", _fills("fill" if q is None else "hub", levels))


def q(scene: Scene) -> str:
    """Color the triangles of the cells by their action values."""
    levels = value_levels(scene).q
    if levels is None:
        return ""
    sides = (_fills(f"q{action}", levels[..., action]) for action in range(NUM_ACTIONS))
    return group("q", (triangle for side in sides for triangle in side))


def opened_outline(scene: Scene) -> str:
    """Outline opened cells in white where value colors would hide their mark."""
    if scene.changed is None or not scene.overlays.colored:
        return ""
    opened = np.argwhere(scene.changed & ~scene.walls).tolist()
    frames = (_box(col + 0.06, row + 0.06, col + 0.94, row + 0.94, rx=0.14) for row, col in opened)
    return group("lift", frames, fill="none", stroke=colors.HALO, stroke_width=0.12,
                 opacity=0.85 * scene.changed_strength)  # fmt: skip


def visits(scene: Scene) -> str:
    """Tint the floor by visit counts, and draw a bar."""
    if scene.overlays.visits is None:
        return ""
    left, top, right, bottom = marks.BAR
    drawn = []
    for row, col, level in _cells(count_levels(scene.overlays.visits, scene.walls)):
        if not scene.overlays.colored:
            opacity = marks.TINT * level
            drawn.append(use("fill", col, row, fill=colors.VISITS, fill_opacity=opacity))
        end = left + (right - left) * level
        bar = _box(col + left, row + top, col + end, row + bottom, fill=colors.HALO)
        drawn += [use("track", col, row), bar]
    return group("visits", drawn)


def tree(scene: Scene) -> str:
    """Draw a bubble for the visits of each cell in the search tree."""
    if scene.overlays.tree is None:
        return ""
    levels = count_levels(scene.overlays.tree, scene.walls)
    bubbles = (
        tag("circle", cx=col + 0.5, cy=row + 0.5, r=marks.bubble_radius(level))
        for row, col, level in _cells(levels)
    )
    return group("tree", bubbles, fill=colors.TREE, fill_opacity=0.4, stroke=colors.TREE,
                 stroke_width=marks.RIM)  # fmt: skip


def belief(scene: Scene) -> str:
    """Mark where the walls predicted by a model are correct, wrong and uncertain."""
    if scene.overlays.belief is None:
        return ""
    correct, wrong, unsure = compare_belief(scene, scene.overlays.belief)
    drawn = []
    for name, strengths in (
        ("unsure", unsure),
        ("right", correct),
        ("ghost", np.where(scene.walls, 0.0, wrong)),
        ("window", np.where(scene.walls, wrong, 0.0)),
    ):
        drawn += [use(name, col, row, opacity=level) for row, col, level in _cells(strengths)]
    return group("belief", drawn)


def planned(scene: Scene) -> str:
    """Mark the action values that the planner updated last, at the side of the action."""
    if scene.overlays.planned is None:
        return ""
    strengths = planned_strengths(scene, scene.overlays.planned)
    drawn = [
        use(f"side{action}", col, row, opacity=level)
        for action in range(NUM_ACTIONS)
        for row, col, level in _cells(strengths[..., action])
    ]
    return group("planned", drawn, fill=colors.PLANNED, stroke=colors.PLANNED_EDGE,
                 stroke_width=0.03)  # fmt: skip


def policy(scene: Scene) -> str:
    """Draw an arrow for each probable action."""
    if scene.overlays.policy is None:
        return ""
    shown = arrow_probabilities(scene, scene.overlays.policy)
    drawn = [
        _arrow(row, col, action, level)
        for action in range(NUM_ACTIONS)
        for row, col, level in _cells(shown[..., action])
    ]
    return group("policy", drawn, fill=colors.ARROW, stroke=colors.HALO, stroke_width=0.05,
                 stroke_opacity=0.8, paint_order="stroke", stroke_linejoin="round")  # fmt: skip


def _arrow(row: int, col: int, action: int, probability: float) -> str:
    outline = " ".join(f"{number(x)},{number(y)}" for x, y in marks.arrow_outline(probability))
    place = f"translate({number(col + 0.5)} {number(row + 0.5)}) rotate({QUARTER * action})"
    return tag("polygon", points=outline, transform=place)


def _fills(symbol: str, levels: FloatArray) -> Iterator[str]:
    """Place a symbol in the color of each cell's level, where that is not NaN."""
    shades = map_colors(levels).tolist()
    for row, col in np.argwhere(~np.isnan(levels)).tolist():
        yield use(symbol, col, row, fill=hex_color(tuple(shades[row][col])))


def _cells(levels: FloatArray) -> Iterator[tuple[int, int, float]]:
    """Yield row, column and level of the cells whose level is not 0."""
    for row, col in np.argwhere(levels != 0).tolist():
        yield row, col, float(levels[row, col])
