"""The overlays of a scene as groups of SVG, each with the overlay's name as its class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dynamaze.common.arrays import FloatArray

from . import overlay_marks as marks
from . import palette
from .colors import colors
from .overlay_measures import arrows, count_levels, planned_strengths, value_levels, verdict
from .overlays import NUM_ACTIONS
from .scene import Scene
from .svg_tags import group, hex_color, number, tag, use

QUARTER = 90  # degrees


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
    frame = _box(0.04, 0.04, 0.96, 0.96, rx=0.14, fill=palette.WRONG, fill_opacity=0.25,
                 stroke=palette.WRONG, stroke_width=0.08)  # fmt: skip
    return content + frame


_STRIPES = "M0 .1L.9 1M0 .4L.6 1M0 .7L.3 1M.1 0L1 .9M.4 0L1 .6M.7 0L1 .3"

SYMBOLS = {
    "fill": _box(0.03, 0.03, 0.97, 0.97, rx=0.1),
    "hub": tag("circle", cx=0.5, cy=0.5, r=marks.HUB, stroke=palette.FLOOR_GROOVE,
               stroke_width=0.03),
    **{f"q{action}": _triangle(action) for action in range(NUM_ACTIONS)},
    **{
        f"side{action}": _box(*marks.SIDE, rx=0.03, transform=_turned(action))
        for action in range(NUM_ACTIONS)
    },
    "track": _box(0.095, 0.775, 0.905, 0.925, rx=0.05, fill=palette.TRACK, fill_opacity=0.7),
    "right": tag("circle", cx=marks.TICK[0], cy=marks.TICK[1], r=0.085, fill=palette.RIGHT,
                 stroke=palette.HALO, stroke_width=0.03),
    "ghost": _wrong(tag("path", d=_STRIPES, stroke=palette.WALL_FRONT, stroke_opacity=0.8,
                        stroke_width=0.1)),
    "window": _wrong(_box(0.24, 0.24, 0.76, 0.76, rx=0.08, fill=palette.FLOOR,
                          fill_opacity=0.85)),
    "unsure": _box(0.04, 0.04, 0.96, 0.96, rx=0.16, fill=palette.UNSURE, fill_opacity=0.35,
                   stroke=palette.HALO, stroke_width=0.07, stroke_opacity=0.5)
    + _box(0.04, 0.04, 0.96, 0.96, rx=0.16, fill="none", stroke=palette.UNSURE_EDGE,
           stroke_width=0.07, stroke_dasharray=".08 .085"),
}  # fmt: skip
"""What is used by name: shapes in the unit square."""


def values(scene: Scene) -> str:
    """Color the cells by their values."""
    levels, q = value_levels(scene)
    return "" if levels is None else group("values", _fills("fill" if q is None else "hub", levels))


def q(scene: Scene) -> str:
    """Color the triangles of the cells by their action values."""
    levels = value_levels(scene).q
    if levels is None:
        return ""
    sides = (_fills(f"q{action}", levels[..., action]) for action in range(NUM_ACTIONS))
    return group("q", (triangle for side in sides for triangle in side))


def lift(scene: Scene) -> str:
    """Frame the opened cells in white where colors of values lie under their mark."""
    if scene.changed is None or not scene.overlays.colored:
        return ""
    opened = np.argwhere(scene.changed & ~scene.walls).tolist()
    frames = (_box(col + 0.06, row + 0.06, col + 0.94, row + 0.94, rx=0.14) for row, col in opened)
    return group("lift", frames, fill="none", stroke=palette.HALO, stroke_width=0.12,
                 opacity=0.85 * scene.changed_strength)  # fmt: skip


def visits(scene: Scene) -> str:
    """Tint the floor where visits are counted, and draw a bar."""
    if scene.overlays.visits is None:
        return ""
    left, top, right, bottom = marks.BAR
    drawn = []
    for row, col, level in _cells(count_levels(scene.overlays.visits, scene.walls)):
        if not scene.overlays.colored:
            opacity = marks.TINT * level
            drawn.append(use("fill", col, row, fill=palette.VISITS, fill_opacity=opacity))
        end = left + (right - left) * level
        bar = _box(col + left, row + top, col + end, row + bottom, fill=palette.HALO)
        drawn += [use("track", col, row), bar]
    return group("visits", drawn)


def tree(scene: Scene) -> str:
    """Draw a bubble for each cell in the search tree."""
    if scene.overlays.tree is None:
        return ""
    levels = count_levels(scene.overlays.tree, scene.walls)
    bubbles = (
        tag("circle", cx=col + 0.5, cy=row + 0.5, r=marks.bubble_radius(level))
        for row, col, level in _cells(levels)
    )
    return group("tree", bubbles, fill=palette.TREE, fill_opacity=0.4, stroke=palette.TREE,
                 stroke_width=marks.RIM)  # fmt: skip


def belief(scene: Scene) -> str:
    """Mark where a model's belief in walls is right, wrong and unsure."""
    if scene.overlays.belief is None:
        return ""
    right, wrong, unsure = verdict(scene, scene.overlays.belief)
    drawn = []
    for name, strengths in (
        ("unsure", unsure),
        ("right", right),
        ("ghost", np.where(scene.walls, 0.0, wrong)),
        ("window", np.where(scene.walls, wrong, 0.0)),
    ):
        drawn += [use(name, col, row, opacity=level) for row, col, level in _cells(strengths)]
    return group("belief", drawn)


def planned(scene: Scene) -> str:
    """Mark the sides of the actions whose values the planner updated last."""
    if scene.overlays.planned is None:
        return ""
    strengths = planned_strengths(scene, scene.overlays.planned)
    drawn = [
        use(f"side{action}", col, row, opacity=level)
        for action in range(NUM_ACTIONS)
        for row, col, level in _cells(strengths[..., action])
    ]
    return group("planned", drawn, fill=palette.PLANNED, stroke=palette.PLANNED_EDGE,
                 stroke_width=0.03)  # fmt: skip


def policy(scene: Scene) -> str:
    """Draw an arrow for each action that is not improbable."""
    if scene.overlays.policy is None:
        return ""
    shown = arrows(scene, scene.overlays.policy)
    drawn = [
        _arrow(row, col, action, level)
        for action in range(NUM_ACTIONS)
        for row, col, level in _cells(shown[..., action])
    ]
    return group("policy", drawn, fill=palette.ARROW, stroke=palette.HALO, stroke_width=0.05,
                 stroke_opacity=0.8, paint_order="stroke", stroke_linejoin="round")  # fmt: skip


def _arrow(row: int, col: int, action: int, probability: float) -> str:
    outline = " ".join(f"{number(x)},{number(y)}" for x, y in marks.arrow_outline(probability))
    place = f"translate({number(col + 0.5)} {number(row + 0.5)}) rotate({QUARTER * action})"
    return tag("polygon", points=outline, transform=place)


def _fills(symbol: str, levels: FloatArray) -> Iterator[str]:
    """Use a symbol in the color of each cell's level, where that is not NaN."""
    shades = colors(levels).tolist()
    for row, col in np.argwhere(~np.isnan(levels)).tolist():
        yield use(symbol, col, row, fill=hex_color(tuple(shades[row][col])))


def _cells(levels: FloatArray) -> Iterator[tuple[int, int, float]]:
    """Go through the cells whose level is not 0: row, column, level."""
    for row, col in np.argwhere(levels != 0).tolist():
        yield row, col, float(levels[row, col])
