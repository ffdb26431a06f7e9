"""A maze as text, plain and in colors: for terminals and for `render_mode="ansi"`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from . import palette
from .colors import colors
from .overlay_measures import (
    arrows,
    best,
    count_levels,
    planned_strengths,
    recent_trail,
    value_levels,
    verdict,
)
from .palette import Color
from .scene import Cell, Scene

Letters = npt.NDArray[np.str_]  # (rows, cols)

RESET = "\x1b[0m"
ARROWS = "↑→↓←"
BARS = "▁▂▃▄▅▆▇█"


def scene_to_text(scene: Scene) -> str:
    """Write the scene with one character for each cell and one line for each row.

    `#` is a wall, `.` a free cell, `S` a start, `G` a goal and `A` the agent. Where several
    stand on one cell, the later one in this list is written. The trail, the changed cells and the
    overlays are not shown.

    Args:
        scene: the maze to write, its walls of shape (rows, cols).

    Returns:
        The rows from top to bottom, joined by newlines, without a newline at the end.
    """
    lines = [["#" if wall else "." for wall in row] for row in scene.walls.tolist()]
    agents = () if scene.agent is None else (scene.agent,)
    for letter, cells in (("S", scene.starts), ("G", scene.goals), ("A", agents)):
        for row, col in cells:
            lines[row][col] = letter
    return "\n".join("".join(line) for line in lines)


def scene_to_color_text(scene: Scene) -> str:
    """Write the scene for a terminal with 24-bit colors, two characters for each cell.

    The background is the cell's value: the first that is shown of the values, the best action
    value, the visits, and the search tree's visits. The left character says what is there, the
    first that applies of `A` agent, `G` goal, `S` start, `×` the model is wrong about this wall or
    floor, `?` it is unsure, `+` a wall just came, `-` one just went, `*` the planner was here
    lately, `·` the agent was. The right one is the most probable action's arrow, or the best
    action's, or else a bar, the higher the more visits.

    Args:
        scene: the maze to write, its walls of shape (rows, cols).

    Returns:
        The rows from top to bottom, joined by newlines; each ends with its colors reset.

    Raises:
        ValueError: the scene does not fit its maze.
    """
    scene.check()
    shown = scene.visible()
    backgrounds = _backgrounds(shown)
    left, right = _left(shown), _right(shown)
    return "\n".join(
        _line(backgrounds[row].tolist(), left[row].tolist(), right[row].tolist())
        for row in range(len(scene.walls))
    )


def _line(backgrounds: list[Color], left: list[str], right: list[str]) -> str:
    """Write a row; a color is set only where it changes."""
    written: list[str] = []
    last = None
    for background, *letters in zip(backgrounds, left, right, strict=True):
        if background != last:
            written.append(_paint(background))
            last = background
        written += letters
    return "".join(written) + RESET


def _paint(background: Color) -> str:
    """Set a background, and black or white on it, whichever is read better."""
    red, green, blue = background
    ink = 0 if 2 * red + 5 * green + blue > 1000 else 255
    return f"\x1b[48;2;{red};{green};{blue}m\x1b[38;2;{ink};{ink};{ink}m"


def _backgrounds(scene: Scene) -> npt.NDArray[np.int64]:
    """Choose the color of each cell, (rows, cols, 3)."""
    cells = _floor(scene)
    cells[scene.walls] = palette.WALL_TOP
    if scene.changed is not None:
        for where, color in (
            (scene.changed & scene.walls, palette.APPEARED),
            (scene.changed & ~scene.walls, palette.OPENED),
        ):
            cells[where] = _mixed(cells[where], color, scene.changed_strength)
    return np.rint(cells).astype(np.int64)


def _floor(scene: Scene) -> FloatArray:
    """Color all cells by the first of the overlays that has a number for each."""
    floor = np.full((*scene.walls.shape, 3), palette.FLOOR, dtype=np.float64)
    values, q = value_levels(scene)
    levels = best(q) if values is None and q is not None else values
    if levels is not None:
        return np.where(np.isnan(levels)[..., np.newaxis], floor, colors(levels))
    for counts, color in (
        (scene.overlays.visits, palette.VISITS),
        (scene.overlays.tree, palette.TREE),
    ):
        if counts is not None:
            return _mixed(floor, color, count_levels(counts, scene.walls)[..., np.newaxis])
    return floor


def _mixed(under: FloatArray, color: Color, strength: float | FloatArray) -> FloatArray:
    return np.asarray(under + (np.array(color) - under) * strength)


def _left(scene: Scene) -> Letters:
    """Choose the left letter of each cell: what is written last is seen."""
    overlays = scene.overlays
    letters = np.full(scene.walls.shape, " ")
    _write(letters, "·", recent_trail(scene))
    if overlays.planned is not None:
        letters[planned_strengths(scene, overlays.planned).any(axis=2)] = "*"
    if scene.changed is not None:
        letters[scene.changed] = "-"
        letters[scene.changed & scene.walls] = "+"
    if overlays.belief is not None:
        _, wrong, unsure = verdict(scene, overlays.belief)
        letters[unsure >= 0.5] = "?"
        letters[wrong > 0.5] = "×"
    _write(letters, "S", scene.starts)
    _write(letters, "G", scene.goals)
    _write(letters, "A", () if scene.agent is None else (scene.agent,))
    return letters


def _right(scene: Scene) -> Letters:
    """Choose the right letter of each cell."""
    overlays = scene.overlays
    letters = np.full(scene.walls.shape, " ")
    for counts in (overlays.tree, overlays.visits):
        if counts is not None:
            levels = count_levels(counts, scene.walls)
            bars = np.array(list(BARS))[np.rint(levels * (len(BARS) - 1)).astype(np.intp)]
            letters = np.where(levels > 0, bars, letters)
    preference = _preference(scene)
    if preference is not None:
        there = preference.max(axis=2) > -np.inf
        letters[there] = np.array(list(ARROWS))[preference.argmax(axis=2)[there]]
    return letters


def _preference(scene: Scene) -> FloatArray | None:
    """Find what the arrows point at: the largest of a cell; minus infinity where nothing is."""
    if scene.overlays.policy is not None:
        shown = arrows(scene, scene.overlays.policy)
        return np.where(shown > 0, shown, -np.inf)
    levels = value_levels(scene).q
    if levels is None:
        return None
    preference = np.where(np.isnan(levels), -np.inf, levels)
    for goal in scene.goals:
        preference[goal] = -np.inf
    return preference


def _write(letters: Letters, letter: str, cells: Iterable[Cell]) -> None:
    for cell in cells:
        letters[cell] = letter
