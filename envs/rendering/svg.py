"""Mazes as self-contained SVG documents, with the content of a frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise

from dynamaze.common.arrays import BoolArray

from . import colors, svg_overlays
from .layers import PATH_RADIUS
from .overlay_measures import PATH_LENGTH, TRAIL_LENGTH, heading, recent_trail
from .scene import Cell, Scene
from .sprites import STAR
from .svg_overlays import PREFIX, group, number, tag, use
from .tiles import FRONT, GROOVE

OLDEST, NEWEST = 0.12, 0.85  # opacity of the ends of a trail


def _disc(radius: float, **attributes: object) -> str:
    return tag("circle", cx=0.5, cy=0.5, r=radius, **attributes)


def _star() -> str:
    points = " ".join(f"{number(0.5 + 0.41 * x)},{number(0.53 + 0.41 * y)}" for x, y in STAR)
    return tag("polygon", points=points, fill=colors.GOAL_STAR, stroke=colors.GOAL_EDGE,
               stroke_width=0.08, stroke_linejoin="round", paint_order="stroke")  # fmt: skip


def _corners() -> str:
    corner = "M.06 .3V.2A.14 .14 0 0 1 .2 .06H.3"
    turned = [tag("path", d=corner, transform=f"rotate({90 * turn} .5 .5)") for turn in range(4)]
    tint = tag("rect", width=1.0, height=1.0, rx=0.2, fill=colors.OPENED, fill_opacity=0.22,
               stroke="none")  # fmt: skip
    return tint + "".join(turned)


def _floor() -> str:
    side = 1.0 - 2 * GROOVE
    slab = tag("rect", x=GROOVE, y=GROOVE, width=side, height=side, rx=0.06, fill=colors.FLOOR)
    return tag("rect", width=1.0, height=1.0, fill=colors.FLOOR_GROOVE) + slab


_STRIPES = "M.1 .4L.4 .1M.1 .65L.65 .1M.1 .9L.9 .1M.35 .9L.9 .35M.6 .9L.9 .6"

SYMBOLS = {
    "start": _disc(0.34, fill=colors.START_RING)
    + _disc(0.26, fill=colors.START_PAD)
    + _disc(0.11, fill=colors.START_RING),
    "goal": _star(),
    "dot": _disc(0.13),
    "appeared": tag("rect", x=0.06, y=0.06, width=0.88, height=0.88, rx=0.14)
    + tag("path", d=_STRIPES, stroke_opacity=0.6),
    "opened": _corners(),
    "ball": tag("circle", cx=0.53, cy=0.56, r=0.37, fill=colors.SHADOW, fill_opacity=0.3)
    + _disc(0.36, fill=colors.AGENT_EDGE)
    + _disc(0.315, fill=colors.AGENT),
    **svg_overlays.SYMBOLS,
}
"""Symbols that are used by their name: shapes in the unit square."""


def scene_to_svg(scene: Scene, cell_size: float = 32) -> str:
    """Return the scene as an SVG document.

    The groups have classes: "walls", "starts", "goals", "trail", "changed", "agent" and the names
    of the overlays.

    Args:
        scene: the scene, with walls of shape (rows, cols).
        cell_size: nominal side of a cell in pixels, above 0.

    Returns:
        One `<svg>` element without external references.

    Raises:
        ValueError: a cell, point or overlay does not fit the maze, or the size is not above 0.
    """
    if not 0 < cell_size < float("inf"):
        raise ValueError(f"cell_size: {cell_size}; expected a finite number above 0")
    scene.check()
    shown = scene.visible()
    body = "".join(layer(shown) for layer in LAYERS)
    rows, cols = scene.walls.shape
    return tag(
        "svg",
        _definitions(body) + body,
        xmlns="http://www.w3.org/2000/svg",
        width=float(cols * cell_size),
        height=float(rows * cell_size),
        viewBox=f"0 0 {cols} {rows}",
    )


def _definitions(body: str) -> str:
    """Define exactly the symbols that are used."""
    used = sorted(set(re.findall(f'href="#{PREFIX}([^"]+)"', body)))
    floor = tag("pattern", _floor(), id=f"{PREFIX}floor", width=1, height=1,
                patternUnits="userSpaceOnUse")  # fmt: skip
    return tag("defs", floor + "".join(tag("g", SYMBOLS[s], id=PREFIX + s) for s in used))


def _ground(scene: Scene) -> str:
    rows, cols = scene.walls.shape
    return tag("rect", width=int(cols), height=int(rows), fill=f"url(#{PREFIX}floor)")


def _shadows(scene: Scene) -> str:
    outline = _blocks(scene.walls)
    return outline and tag("path", d=outline, class_="shadows", fill=colors.SHADOW,
                           fill_opacity=0.18, transform="translate(.1 .16)")  # fmt: skip


def _walls(scene: Scene) -> str:
    """Draw the tops of the walls and, above free cells, their front sides."""
    walls = scene.walls
    front = walls.copy()
    front[:-1] &= ~walls[1:]
    front[-1] = False  # walls continue beyond the border
    tops = _blocks(walls & ~front) + _blocks(front, height=1.0 - FRONT)
    if not tops:
        return ""
    sides = tag("path", d=_blocks(walls), fill=colors.WALL_FRONT)
    # The stroke hides the seams between the rows.
    top = tag("path", d=tops, fill=colors.WALL_TOP, stroke=colors.WALL_TOP, stroke_width=0.02)
    return group("walls", [sides, top])


def _blocks(cells: BoolArray, height: float = 1.0) -> str:
    """Return a path with a box for each horizontal run of cells."""
    return "".join(
        f"M{col} {row}h{length}v{number(height)}h-{length}z"
        for row, col, length in _runs(cells.tolist())
    )


def _runs(cells: Sequence[Sequence[bool]]) -> Iterator[tuple[int, int, int]]:
    """Yield the horizontal runs of True: row, first column, length."""
    for row, line in enumerate(cells):
        for inside, run in groupby(enumerate(line), key=lambda place: place[1]):
            places = list(run)
            if inside:
                yield row, places[0][0], len(places)


def _changed(scene: Scene) -> str:
    if scene.changed is None:
        return ""
    marked = [
        use("appeared" if scene.walls[row, col] else "opened", col, row,
            stroke=colors.APPEARED if scene.walls[row, col] else colors.OPENED)
        for row, col in zip(*(axis.tolist() for axis in scene.changed.nonzero()), strict=True)
    ]  # fmt: skip
    return group("changed", marked, fill="none", stroke_width=0.08,
                 opacity=float(scene.changed_strength))  # fmt: skip


def _starts(scene: Scene) -> str:
    return group("starts", (use("start", col, row) for row, col in scene.starts))


def _goals(scene: Scene) -> str:
    return group("goals", (use("goal", col, row) for row, col in scene.goals))


def _trail(scene: Scene) -> str:
    """Draw the trail as dots, or the path as a line, paler with age."""
    if scene.path:
        return group("trail", _path(scene))
    dots = [
        use("dot", col, row, opacity=_age(index / (TRAIL_LENGTH - 1)))
        for index, (row, col) in enumerate(recent_trail(scene))
    ]
    return group("trail", dots, fill=colors.AGENT)


def _path(scene: Scene) -> Iterator[str]:
    """Draw each segment of the path as a separate line with its own opacity."""
    points = scene.path[-PATH_LENGTH:]
    for index, ((y0, x0), (y1, x1)) in enumerate(pairwise(points), 1):
        line = f"M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}"
        yield tag("path", d=line, stroke=colors.AGENT, stroke_width=2 * PATH_RADIUS,
                  stroke_opacity=_age(1 - index / len(points)))  # fmt: skip


def _age(age: float) -> float:
    """Return the opacity of a mark of the trail for its age, 0 (newest) to 1."""
    return NEWEST + (OLDEST - NEWEST) * age


def _agent(scene: Scene) -> str:
    """Draw the agent in its cell, or at its position if it has one."""
    if scene.agent is None:
        return ""
    row, col = _middle(scene.agent) if scene.position is None else scene.position
    x, y = col - 0.5, row - 0.5
    down, right = heading(scene)
    drawn = [use("ball", x, y)]
    for side in (-0.11, 0.11):
        eye_x, eye_y = x + 0.5 + side + 0.06 * right, y + 0.48 + 0.05 * down
        pupil_x, pupil_y = eye_x + 0.03 * right, eye_y + 0.03 * down
        drawn.append(tag("circle", cx=eye_x, cy=eye_y, r=0.085, fill=colors.EYE))
        drawn.append(tag("circle", cx=pupil_x, cy=pupil_y, r=0.048, fill=colors.PUPIL))
    return group("agent", drawn)


def _middle(cell: Cell) -> tuple[float, float]:
    """Return the centre of a cell."""
    return cell[0] + 0.5, cell[1] + 0.5


LAYERS: tuple[Callable[[Scene], str], ...] = (
    _ground,
    _shadows,
    svg_overlays.q,
    svg_overlays.values,
    _walls,
    svg_overlays.opened_outline,
    _changed,
    _starts,
    svg_overlays.tree,
    svg_overlays.visits,
    svg_overlays.belief,
    svg_overlays.planned,
    _goals,
    _trail,
    svg_overlays.policy,
    _agent,
)
