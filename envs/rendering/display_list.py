"""Display list of a scene: symbols in cells and lines, in the order in which they are drawn.

A layer is a function `(scene, small) -> items` that yields one kind of mark of all cells, or
nothing if the scene has none; `small` says that the cells have only few pixels. To show something
new, add a field to `Scene` or `Overlays`, a symbol, and a layer to `ALL_LAYERS`; a layer of a field
of `Scene` goes into `STATIC_LAYERS` or `MOVING_LAYERS`, too. Frames and SVG documents draw the
items, and nothing else but the floor and the walls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.palette import Color

from ..mazes.layout import Cell
from . import colors, symbols
from .overlay_measures import (
    PATH_LENGTH,
    arrow_probabilities,
    best_levels,
    compare_belief,
    count_levels,
    heading,
    planned_strengths,
    recent_trail,
    unknown_cells,
    value_levels,
)
from .scene import Position, Scene, check_cells, check_points
from .symbols import LEVELS, Symbol

PATH_WIDTH = 0.12  # of a path, in cells
CHANGED_LIGHT = 0.5  # share of the darkness that the strongest highlight of a change removes
PATH_OPACITIES = (0.2, 0.85)  # of its oldest and its newest point

Places = tuple[Sequence[int] | npt.NDArray[np.intp], ...]  # rows and columns of cells
Pictures = slice | npt.NDArray[np.intp]  # index of a picture for each cell


class Marks(NamedTuple):
    """Symbol in distinct cells."""

    group: str  # overlay, or part of the scene
    symbol: Symbol
    where: Places
    pictures: Pictures | None = None  # of the symbol: which one each cell shows
    values: FloatArray | None = None  # (cells,) from 0 to 1: color of the symbol in each cell
    strength: float = 1.0  # opacity factor


class FreeMark(NamedTuple):
    """Symbol whose centre is anywhere in the maze."""

    group: str
    symbol: Symbol
    position: Position


class Line(NamedTuple):
    """Line through points that is paler at its older end."""

    group: str
    points: Sequence[Position]  # oldest first, at least one
    color: Color
    width: float  # in cells
    opacities: tuple[float, float]  # at the oldest and at the newest point


Item = Marks | FreeMark | Line
Layer = Callable[[Scene, bool], Iterable[Item]]


def display_list(scene: Scene, *, small: bool = False) -> Iterator[Item]:
    """Yield all that is drawn over the floor and the walls, the lowest first.

    Args:
        scene: without what its overlays hide.
        small: True for cells of few pixels.
    """
    for layer in ALL_LAYERS:
        yield from layer(scene, small)


def tint_visits(scene: Scene, small: bool) -> Iterator[Item]:
    """Tint the floor by visit counts, unless values color it (the bars are drawn anyway)."""
    if scene.overlays.visits is not None and not scene.overlays.colored:
        levels = count_levels(scene.overlays.visits, scene.walls)
        yield from _at_levels("visits", symbols.VISITS_TINT, levels)


def fill_values(scene: Scene, small: bool) -> Iterator[Item]:
    """Color each cell by its state value, and its four triangles by the action values."""
    if not scene.overlays.colored:
        return
    values, q = value_levels(scene)
    if q is not None and small:  # too small for triangles
        values, q = best_levels(q) if values is None else values, None
    if values is not None:
        yield from _in_colors("values", symbols.VALUE if q is None else symbols.HUB, values)
    if q is not None:
        triangles = symbols.ACTION_VALUES if values is None else symbols.ACTION_VALUES_AROUND_HUB
        for action, symbol in enumerate(triangles):
            yield from _in_colors("q", symbol, q[..., action])


def outline_opened(scene: Scene, small: bool) -> Iterator[Item]:
    """Outline opened cells in white where value colors would hide their mark."""
    if scene.changed is not None and scene.overlays.colored:
        opened = np.where(scene.changed & ~scene.walls, scene.changed_strength, 0.0)
        yield from _at_levels("lift", symbols.OPENED_OUTLINE, opened)


def mark_changed(scene: Scene, small: bool) -> Iterator[Item]:
    """Mark the walls that appeared and those that were removed at the last change."""
    if scene.changed is not None:
        for symbol, where in (
            (symbols.APPEARED, scene.changed & scene.walls),
            (symbols.OPENED, scene.changed & ~scene.walls),
        ):
            yield Marks("changed", symbol, np.nonzero(where), strength=scene.changed_strength)


def mark_starts(scene: Scene, small: bool) -> Iterator[Item]:
    """Draw a pad on each start."""
    yield Marks("starts", symbols.START, _places(scene, "starts", scene.starts))


def mark_tree(scene: Scene, small: bool) -> Iterator[Item]:
    """Draw a bubble for the visits of each cell in the search tree."""
    if scene.overlays.tree is not None:
        levels = count_levels(scene.overlays.tree, scene.walls)
        yield from _at_levels("tree", symbols.BUBBLE, levels)


def mark_visits(scene: Scene, small: bool) -> Iterator[Item]:
    """Draw a bar for the visit count of each cell."""
    if scene.overlays.visits is not None:
        levels = count_levels(scene.overlays.visits, scene.walls)
        yield from _at_levels("visits", symbols.VISITS_BAR, levels)


def mark_belief(scene: Scene, small: bool) -> Iterator[Item]:
    """Mark where the walls predicted by a model are correct, wrong and uncertain.

    In the dark, cells that are not covered are known, so that correct ones need no mark.
    """
    if scene.overlays.belief is None:
        return
    correct, wrong, unsure = compare_belief(scene, scene.overlays.belief)
    if scene.overlays.dark:
        unsure = np.where(np.isnan(scene.overlays.belief), 0.0, unsure)
        correct = np.zeros_like(correct)
    for symbol, strengths in (
        (symbols.UNSURE, unsure),
        (symbols.CORRECT, correct),
        (symbols.FALSE_WALL, np.where(scene.walls, 0.0, wrong)),
        (symbols.FALSE_FLOOR, np.where(scene.walls, wrong, 0.0)),
    ):
        yield from _at_levels("belief", symbol, strengths)


def mark_planned(scene: Scene, small: bool) -> Iterator[Item]:
    """Mark the action values that the planner updated last, at the side of the action."""
    if scene.overlays.planned is not None:
        strengths = planned_strengths(scene, scene.overlays.planned)
        for action, symbol in enumerate(symbols.PLANNED):
            yield from _at_levels("planned", symbol, strengths[..., action])


def mark_goals(scene: Scene, small: bool) -> Iterator[Item]:
    """Draw a star on each goal."""
    yield Marks("goals", symbols.GOAL, _places(scene, "goals", scene.goals))


def cover_unknown(scene: Scene, small: bool) -> Iterator[Item]:
    """Cover the unknown cells with darkness, less of it where the maze has just changed."""
    if scene.overlays.belief is None or not scene.overlays.dark:
        return
    covered = unknown_cells(scene).astype(np.float64)
    if scene.changed is not None:
        covered *= np.where(scene.changed, 1.0 - CHANGED_LIGHT * scene.changed_strength, 1.0)
    yield from _at_levels("darkness", symbols.DARKNESS, covered)


def mark_trail(scene: Scene, small: bool) -> Iterator[Item]:
    """Draw a dot on each recently visited cell, paler with age; a path as a line instead."""
    if scene.path:
        points = scene.path[-PATH_LENGTH:]
        check_points("path", points, scene.walls.shape)
        yield Line("trail", points, colors.AGENT, PATH_WIDTH, PATH_OPACITIES)
    elif newest := recent_trail(scene):
        where = _places(scene, "trail", newest)
        yield Marks("trail", symbols.DOT, where, slice(len(newest)))


def mark_policy(scene: Scene, small: bool) -> Iterator[Item]:
    """Draw an arrow for each probable action; in small cells only for the most probable."""
    if scene.overlays.policy is None:
        return
    shown = arrow_probabilities(scene, scene.overlays.policy)
    if small:
        shown = np.where(shown == shown.max(axis=2, keepdims=True), shown, 0.0)
    for action, symbol in enumerate(symbols.ARROWS):
        yield from _at_levels("policy", symbol, shown[..., action])


def mark_agent(scene: Scene, small: bool) -> Iterator[Item]:
    """Draw the agent in its cell, or at its position if it has one, and the goal it hides."""
    if scene.agent is None:
        return
    where = _places(scene, "agent", [scene.agent])
    symbol = symbols.agent_symbol(*heading(scene))
    if scene.position is None:
        yield Marks("agent", symbol, where)
    else:
        check_points("position", [scene.position], scene.walls.shape)
        yield FreeMark("agent", symbol, scene.position)
    if scene.agent in scene.goals:
        yield Marks("goals", symbols.REACHED_GOAL, where)


STATIC_LAYERS: tuple[Layer, ...] = (mark_changed, mark_starts, mark_goals)
MOVING_LAYERS: tuple[Layer, ...] = (mark_trail, mark_agent)

# Without overlays this gives the same picture as STATIC_LAYERS and then MOVING_LAYERS, so that
# FramePainter can cache the static ones.
ALL_LAYERS: tuple[Layer, ...] = (
    tint_visits,
    fill_values,
    outline_opened,
    mark_changed,
    mark_starts,
    mark_tree,
    mark_visits,
    mark_belief,
    mark_planned,
    mark_goals,
    cover_unknown,
    mark_trail,
    mark_policy,
    mark_agent,
)


def _at_levels(group: str, symbol: Symbol, levels: FloatArray) -> Iterator[Marks]:
    """Mark the cells whose level, in [0, 1], is not 0."""
    where = np.nonzero(levels)
    if where[0].size:
        pictures = np.maximum((levels[where] * LEVELS + 0.5).astype(np.intp), 1) - 1
        yield Marks(group, symbol, where, pictures)


def _in_colors(group: str, symbol: Symbol, values: FloatArray) -> Iterator[Marks]:
    """Mark the cells whose value is not NaN."""
    where = np.nonzero(~np.isnan(values))
    if where[0].size:
        yield Marks(group, symbol, where, values=values[where])


def _places(scene: Scene, name: str, cells: Sequence[Cell]) -> Places:
    """Return the rows and the columns of cells, after checking that they lie in the maze."""
    check_cells(name, cells, scene.walls.shape)
    return [row for row, _ in cells], [col for _, col in cells]
