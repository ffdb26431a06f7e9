"""Mazes as text, plain and in 24-bit colors, for terminals and `render_mode="ansi"`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.palette import Color

from ..mazes.layout import Cell
from . import colors
from .colors import map_colors
from .overlay_measures import (
    arrow_probabilities,
    best_levels,
    compare_belief,
    count_levels,
    planned_strengths,
    recent_trail,
    value_levels,
)
from .scene import Scene

Letters = npt.NDArray[np.str_]  # (rows, cols)

RESET = "\x1b[0m"
ARROWS = "↑→↓←"
BARS = "▁▂▃▄▅▆▇█"


def scene_to_text(scene: Scene) -> str:
    """Return the scene as text with one character per cell and one line per row.

    `#` is a wall, `.` a free cell, `S` a start, `G` a goal and `A` the agent. If several are in one
    cell, the later one in this list is shown. The trail, the changed cells and the overlays are not
    shown.

    Args:
        scene: the scene, with walls of shape (rows, cols).

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
    """Return the scene for a terminal with 24-bit colors, two characters per cell.

    The background color shows the first available of state value, best action value, visit count
    and visits in the search tree. The left character is the first that applies of `A` agent, `G`
    goal, `S` start, `×` wrong prediction of the model, `?` uncertain prediction, `+` wall appeared,
    `-` wall removed, `*` updated by the planner, `·` visited. The right character is the arrow of
    the most probable action, or of the best action, or a bar that grows with the visit count.

    Args:
        scene: the scene, with walls of shape (rows, cols).

    Returns:
        The rows from top to bottom, joined by newlines; each ends with a color reset.

    Raises:
        ValueError: a cell, point or overlay does not fit the maze.
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
    """Return a row of text; a color code is written only where the color changes."""
    written: list[str] = []
    last = None
    for background, *letters in zip(backgrounds, left, right, strict=True):
        if background != last:
            written.append(_color_codes(background))
            last = background
        written += letters
    return "".join(written) + RESET


def _color_codes(background: Color) -> str:
    """Return the codes of a background, and of black or white text by its luminance."""
    red, green, blue = background
    # Weights 2, 5 and 1 approximate the luminance.
    ink = 0 if 2 * red + 5 * green + blue > 1000 else 255
    return f"\x1b[48;2;{red};{green};{blue}m\x1b[38;2;{ink};{ink};{ink}m"


def _backgrounds(scene: Scene) -> npt.NDArray[np.int64]:
    """Return the background color of each cell, (rows, cols, 3)."""
    cells = _floor(scene)
    cells[scene.walls] = colors.WALL_TOP
    if scene.changed is not None:
        for where, color in (
            (scene.changed & scene.walls, colors.APPEARED),
            (scene.changed & ~scene.walls, colors.OPENED),
        ):
            cells[where] = _mixed(cells[where], color, scene.changed_strength)
    return np.rint(cells).astype(np.int64)


def _floor(scene: Scene) -> FloatArray:
    """Color all cells by the first available overlay of values or counts."""
    floor = np.full((*scene.walls.shape, 3), colors.FLOOR, dtype=np.float64)
    values, q = value_levels(scene)
    levels = best_levels(q) if values is None and q is not None else values
    if levels is not None:
        return np.where(np.isnan(levels)[..., np.newaxis], floor, map_colors(levels))
    for counts, color in (
        (scene.overlays.visits, colors.VISITS),
        (scene.overlays.tree, colors.TREE),
    ):
        if counts is not None:
            return _mixed(floor, color, count_levels(counts, scene.walls)[..., np.newaxis])
    return floor


def _mixed(under: FloatArray, color: Color, strength: float | FloatArray) -> FloatArray:
    return np.asarray(under + (np.array(color) - under) * strength)


def _left(scene: Scene) -> Letters:
    """Return the left character of each cell; later assignments take precedence."""
    overlays = scene.overlays
    letters = np.full(scene.walls.shape, " ")
    _write(letters, "·", recent_trail(scene))
    if overlays.planned is not None:
        letters[planned_strengths(scene, overlays.planned).any(axis=2)] = "*"
    if scene.changed is not None:
        letters[scene.changed] = "-"
        letters[scene.changed & scene.walls] = "+"
    if overlays.belief is not None:
        _, wrong, unsure = compare_belief(scene, overlays.belief)
        letters[unsure >= 0.5] = "?"
        letters[wrong > 0.5] = "×"
    _write(letters, "S", scene.starts)
    _write(letters, "G", scene.goals)
    _write(letters, "A", () if scene.agent is None else (scene.agent,))
    return letters


def _right(scene: Scene) -> Letters:
    """Return the right character of each cell."""
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
    """Return preferences whose maximum gets an arrow, (rows, cols, 4); -inf for no arrow."""
    if scene.overlays.policy is not None:
        shown = arrow_probabilities(scene, scene.overlays.policy)
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
