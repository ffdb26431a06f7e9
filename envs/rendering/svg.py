"""Mazes as self-contained SVG documents, with the content of a frame. A unit is the side of a cell.

Each symbol is defined once and used by its name. A quantity is shown in as many steps as in a
frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray
from dynamaze.common.palette import Color, hex_code

from . import colors
from .colors import map_colors
from .display_list import FreeMark, Item, Line, Marks, display_list
from .scene import Scene
from .shapes import Polygon, Textured, number, outline
from .symbols import FLOOR_PARTS, Part, Parts, Symbol
from .tiles import FRONT

PREFIX = "dynamaze-"  # of all ids: several pictures may be part of one HTML page
QUARTER = 90  # degrees


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
    rows, cols = (int(side) for side in scene.walls.shape)
    definitions = {"floor": _floor_pattern()}
    items = groupby(display_list(scene.visible()), key=lambda item: item.group)
    groups = [
        _group(name, (element for item in part for element in _elements(item, definitions)))
        for name, part in items
    ]
    floor = _tag("rect", width=cols, height=rows, fill=f"url(#{PREFIX}floor)")
    return _tag(
        "svg",
        _tag("defs", "".join(definitions.values()))
        + floor
        + _shadows(scene.walls)
        + _walls(scene.walls)
        + "".join(groups),
        xmlns="http://www.w3.org/2000/svg",
        width=float(cols * cell_size),
        height=float(rows * cell_size),
        viewBox=f"0 0 {cols} {rows}",
        # Inherited by all shapes.
        fill_rule="evenodd",
        clip_rule="evenodd",
        stroke_linejoin="round",
    )


# -- floor and walls -------------------------------------------------------------------------------


@cache
def _floor_pattern() -> str:
    return _tag("pattern", _drawn("floor", FLOOR_PARTS), id=f"{PREFIX}floor", width=1, height=1,
                patternUnits="userSpaceOnUse")  # fmt: skip


def _shadows(walls: BoolArray) -> str:
    outline = _blocks(walls)
    return outline and _tag("path", d=outline, class_="shadows", fill=colors.SHADOW,
                            fill_opacity=0.18, transform="translate(.1 .16)")  # fmt: skip


def _walls(walls: BoolArray) -> str:
    """Draw the tops of the walls and, above free cells, their front sides."""
    front = walls.copy()
    front[:-1] &= ~walls[1:]
    front[-1] = False  # walls continue beyond the border
    tops = _blocks(walls & ~front) + _blocks(front, height=1.0 - FRONT)
    if not tops:
        return ""
    sides = _tag("path", d=_blocks(walls), fill=colors.WALL_FRONT)
    # The stroke hides the seams between the rows.
    top = _tag("path", d=tops, fill=colors.WALL_TOP, stroke=colors.WALL_TOP, stroke_width=0.02)
    return _group("walls", [sides, top])


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


# -- items of the display list ---------------------------------------------------------------------


def _elements(item: Item, definitions: dict[str, str]) -> Iterator[str]:
    """Yield the elements of an item, and define the symbols that they use."""
    if isinstance(item, Line):
        yield from _segments(item)
    elif isinstance(item, FreeMark):
        row, col = item.position
        yield _use(item.symbol, row - 0.5, col - 0.5, definitions)
    else:
        rows, cols = (np.asarray(axis).tolist() for axis in item.where)
        for row, col, look in zip(rows, cols, _looks(item), strict=True):
            yield _use(item.symbol, row, col, definitions, **look)


def _looks(marks: Marks) -> list[dict[str, Any]]:
    """Return how the symbol is used in each cell, as arguments of `_use`."""
    if marks.values is not None:
        return [{"fill": tuple(color)} for color in map_colors(marks.values).tolist()]
    if marks.pictures is None:
        return [{"opacity": marks.strength}] * len(marks.where[0])
    name = "level" if callable(marks.symbol.parts) else "opacity"
    return [{name: level} for level in np.array(marks.symbol.levels)[marks.pictures].tolist()]


def _use(
    symbol: Symbol,
    row: float,
    col: float,
    definitions: dict[str, str],
    *,
    level: float | None = None,
    fill: Color | None = None,
    opacity: float = 1.0,
) -> str:
    """Place a symbol, or its picture for a level, with the top left corner at (row, col)."""
    name = symbol.name if level is None else f"{symbol.name}-{level:g}"
    if name not in definitions:
        definitions[name] = _definition(symbol, name, level)
    angle = f"rotate({QUARTER * symbol.turns} {number(col + 0.5)} {number(row + 0.5)})"
    return _tag("use", href=f"#{PREFIX}{name}", x=float(col), y=float(row), fill=fill,
                opacity=_unless_opaque(opacity),
                transform=angle if symbol.turns else None)  # fmt: skip


def _segments(line: Line) -> Iterator[str]:
    """Draw each segment of a line as a separate path with its own opacity."""
    opacities = np.linspace(*line.opacities, len(line.points))[1:].tolist()
    for ((y0, x0), (y1, x1)), opacity in zip(pairwise(line.points), opacities, strict=True):
        outline = f"M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}"
        yield _tag("path", d=outline, stroke=line.color, stroke_width=line.width,
                   stroke_opacity=opacity)  # fmt: skip


# -- symbols ---------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _definition(symbol: Symbol, name: str, level: float | None) -> str:
    """Define a symbol, or its picture for a level."""
    parts = symbol.parts(level or 1.0) if callable(symbol.parts) else symbol.parts
    return _tag("g", _drawn(name, parts), id=PREFIX + name)


def _drawn(name: str, parts: Parts) -> str:
    """Return the elements of a symbol."""
    return "".join(_part(f"{PREFIX}{name}-{index}", part) for index, part in enumerate(parts))


def _part(part_id: str, part: Part) -> str:
    """Return the elements of a part; what it refers to gets its id."""
    shape, reference = part.shape, f"url(#{part_id})"
    look = {"fill": part.color, "opacity": _unless_opaque(part.opacity)}
    if isinstance(shape, Textured):
        clip = _tag("clipPath", _tag("path", d=outline(shape.shape)), id=part_id)
        return clip + _tag("path", d=outline(shape.texture), clip_path=reference, **look)
    if isinstance(shape, Polygon):
        look |= {"stroke": part.color, "stroke_width": 2 * shape.rounding}
    if part.glow is not None:
        return _gradient(part_id, part) + _tag("path", d=outline(shape), fill=reference)
    return _tag("path", d=outline(shape), **look)


def _gradient(part_id: str, part: Part) -> str:
    """Define a color that fades from the centre of a disc to its edge."""
    assert part.glow is not None
    (x, y), radius = part.glow
    # The opacity 1 - r^2, interpolated between its values in five places.
    stops = (
        _tag("stop", offset=r, stop_color=part.color, stop_opacity=1 - r * r)
        for r in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    return _tag("radialGradient", "".join(stops), id=part_id, cx=x, cy=y, r=radius,
                gradientUnits="userSpaceOnUse")  # fmt: skip


# -- elements as text ------------------------------------------------------------------------------


def _tag(name: str, content: str = "", /, **attributes: object) -> str:
    """Return an element as text.

    Args:
        name: name of the element.
        content: elements inside, as text.
        **attributes: nothing that would have to be escaped. Underscores in names become hyphens, a
            trailing one is dropped; None is left out, floats are formatted by `number`, colors as
            #rrggbb.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def _group(name: str, elements: Iterable[str]) -> str:
    """Return a group of elements with a class, or "" if there are none."""
    content = "".join(elements)
    return _tag("g", content, class_=name) if content else ""


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return hex_code(value)
    return number(value) if isinstance(value, float) else str(value)


def _unless_opaque(opacity: float) -> float | None:
    """Return the value of an attribute whose default is 1."""
    return None if opacity == 1.0 else opacity
