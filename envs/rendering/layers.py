"""Layers of a frame: what is drawn over the floor and the walls.

A layer is a function `(canvas, scene) -> None` that draws one kind of mark in all cells at once, or
nothing if the scene has none. To show something new, add a field to `Scene` or `Overlays` and a
layer to `ALL_LAYERS`; a layer of a field of `Scene` goes into `STATIC_LAYERS` or `MOVING_LAYERS`,
too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from dynamaze.common.arrays import FloatArray

from . import colors, sprites
from . import overlay_marks as marks
from .overlay_measures import (
    PATH_LENGTH,
    arrow_probabilities,
    best_levels,
    compare_belief,
    count_levels,
    heading,
    planned_strengths,
    recent_trail,
    value_levels,
)
from .overlays import NUM_ACTIONS
from .scene import Cell, Scene, check_cells, check_points
from .sprite import SMALL, Canvas, Layer, Places, Sprite, fade, in_colors, pick, stamp, stamp_at

PATH_RADIUS = 0.06  # half the width of a path, in cells


def draw_changed(canvas: Canvas, scene: Scene) -> None:
    """Mark the walls that appeared and those that were removed at the last change."""
    if scene.changed is None:
        return
    for make_sprite, where in (
        (sprites.appeared_sprite, scene.changed & scene.walls),
        (sprites.opened_sprite, scene.changed & ~scene.walls),
    ):
        sprite = _faded(make_sprite, canvas.size, scene.changed_strength)
        stamp(canvas, np.nonzero(where), sprite)


def draw_starts(canvas: Canvas, scene: Scene) -> None:
    """Draw a pad on each start."""
    where = _places(canvas, "starts", scene.starts)
    stamp(canvas, where, sprites.start_sprite(canvas.size))


def draw_goals(canvas: Canvas, scene: Scene) -> None:
    """Draw a star on each goal."""
    where = _places(canvas, "goals", scene.goals)
    stamp(canvas, where, sprites.goal_sprite(canvas.size))


def draw_trail(canvas: Canvas, scene: Scene) -> None:
    """Draw a dot on each recently visited cell, paler with age; a path as a line instead."""
    if scene.path:
        _draw_path(canvas, scene)
        return
    newest = recent_trail(scene)
    if newest:
        dots = sprites.trail_sprites(canvas.size)
        dots = Sprite(dots.weight[: len(newest)], dots.ink[: len(newest)], dots.box)
        stamp(canvas, _places(canvas, "trail", newest), dots)


def draw_agent(canvas: Canvas, scene: Scene) -> None:
    """Draw the agent in its cell, or at its position if it has one."""
    if scene.agent is None:
        return
    where = _places(canvas, "agent", [scene.agent])
    sprite = sprites.agent_sprite(canvas.size, heading(scene))
    if scene.position is None:
        stamp(canvas, where, sprite)
    else:
        check_points("position", [scene.position], _maze_shape(canvas))
        top, left = (math.floor((at - 0.5) * canvas.size + 0.5) for at in scene.position)
        stamp_at(canvas, top, left, sprite)


def tint_visits(canvas: Canvas, scene: Scene) -> None:
    """Tint the floor by visit counts, unless values color it (the bars are drawn anyway)."""
    if scene.overlays.visits is not None and not scene.overlays.colored:
        levels = count_levels(scene.overlays.visits, scene.walls)
        _stamp_levels(canvas, marks.tint_stack(canvas.size, colors.VISITS), levels)


def fill_values(canvas: Canvas, scene: Scene) -> None:
    """Color each cell by its state value, and its four triangles by the action values."""
    if not scene.overlays.colored:
        return
    values, q = value_levels(scene)
    if q is not None and canvas.size < SMALL:  # too small for triangles
        values, q = best_levels(q) if values is None else values, None
    if values is not None:
        _fill(canvas, marks.value_mask(canvas.size, hub=q is not None), values)
    if q is not None:
        for action in range(NUM_ACTIONS):
            mask = marks.action_mask(canvas.size, action, hub=values is not None)
            _fill(canvas, mask, q[..., action])


def outline_opened(canvas: Canvas, scene: Scene) -> None:
    """Outline opened cells in white where value colors would hide their mark."""
    if scene.changed is not None and scene.overlays.colored:
        opened = np.where(scene.changed & ~scene.walls, scene.changed_strength, 0.0)
        _stamp_levels(canvas, marks.opened_outline_stack(canvas.size), opened)


def draw_visits(canvas: Canvas, scene: Scene) -> None:
    """Draw a bar for the visit count of each cell."""
    if scene.overlays.visits is not None and canvas.size >= SMALL:
        levels = count_levels(scene.overlays.visits, scene.walls)
        _stamp_levels(canvas, marks.bar_stack(canvas.size), levels)


def draw_tree(canvas: Canvas, scene: Scene) -> None:
    """Draw a bubble for the visits of each cell in the search tree."""
    if scene.overlays.tree is not None:
        levels = count_levels(scene.overlays.tree, scene.walls)
        _stamp_levels(canvas, marks.bubble_stack(canvas.size), levels)


def draw_planned(canvas: Canvas, scene: Scene) -> None:
    """Mark the action values that the planner updated last, at the side of the action."""
    if scene.overlays.planned is None:
        return
    strengths = planned_strengths(scene, scene.overlays.planned)
    for action in range(NUM_ACTIONS):
        _stamp_levels(canvas, marks.side_stack(canvas.size, action), strengths[..., action])


def draw_belief(canvas: Canvas, scene: Scene) -> None:
    """Mark where the walls predicted by a model are correct, wrong and uncertain."""
    if scene.overlays.belief is None:
        return
    correct, wrong, unsure = compare_belief(scene, scene.overlays.belief)
    if canvas.size < SMALL:
        correct = np.zeros_like(correct)  # there it would only tint nearly all cells
    for stack, strengths in (
        (marks.unsure_stack, unsure),
        (marks.correct_stack, correct),
        (marks.false_wall_stack, np.where(scene.walls, 0.0, wrong)),
        (marks.false_floor_stack, np.where(scene.walls, wrong, 0.0)),
    ):
        _stamp_levels(canvas, stack(canvas.size), strengths)


def draw_policy(canvas: Canvas, scene: Scene) -> None:
    """Draw an arrow for each probable action; in small cells only for the most probable."""
    if scene.overlays.policy is None:
        return
    shown = arrow_probabilities(scene, scene.overlays.policy)
    if canvas.size < SMALL:
        shown = np.where(shown == shown.max(axis=2, keepdims=True), shown, 0.0)
    for action in range(NUM_ACTIONS):
        _stamp_levels(canvas, marks.arrow_stack(canvas.size, action), shown[..., action])


def _stamp_levels(canvas: Canvas, stack: Sprite, levels: FloatArray) -> None:
    """Blend the picture of each cell's level into the cell, where the level is not 0."""
    where = np.nonzero(levels)
    if where[0].size:
        stamp(canvas, where, pick(stack, levels[where]))


def _fill(canvas: Canvas, mask: Sprite, levels: FloatArray) -> None:
    """Fill a shape in each cell with the color of its level, where that is not NaN."""
    where = np.nonzero(~np.isnan(levels))
    if where[0].size:
        rows = colors.color_rows(levels[where], mask.weight.shape[1])
        stamp(canvas, where, in_colors(mask, rows))


@lru_cache(maxsize=32)
def _faded(make_sprite: Callable[[int], Sprite], size: int, strength: float) -> Sprite:
    return fade(make_sprite(size), strength)


def _draw_path(canvas: Canvas, scene: Scene) -> None:
    """Draw a line through the last positions of the agent, paler with age."""
    newest = scene.path[-PATH_LENGTH:]
    check_points("path", newest, _maze_shape(canvas))
    points = np.asarray(newest, dtype=np.float64) * canvas.size
    cover = _line(points, max(0.6, PATH_RADIUS * canvas.size), canvas.frame.shape[:2])
    where = np.nonzero(cover)
    alpha = np.rint(cover[where] * 256)[:, np.newaxis]
    blended = canvas.frame[where] * (256 - alpha) + np.asarray(colors.AGENT) * alpha
    canvas.frame[where] = ((blended + 128) / 256).astype(np.uint8)


def _line(points: FloatArray, radius: float, shape: tuple[int, ...]) -> FloatArray:
    """Return the coverage of each pixel by a line that is paler at its older end.

    The line is a series of overlapping discs; a pixel takes the largest of their coverages.

    Args:
        points: (n, 2), rows and columns in pixels, oldest first.
        radius: half the line's width, in pixels.
        shape: of the frame, (height, width).
    """
    discs, strengths = _samples(points)
    reach = int(radius) + 2
    window = np.arange(-reach, reach + 1)
    pixels = np.floor(discs).astype(np.intp)[:, :, np.newaxis] + window  # (discs, 2, window)
    offset = pixels + 0.5 - discs[:, :, np.newaxis]
    rows, cols = pixels[:, 0, :, np.newaxis], pixels[:, 1, np.newaxis, :]
    distance = np.sqrt(offset[:, 0, :, np.newaxis] ** 2 + offset[:, 1, np.newaxis, :] ** 2)
    cover = np.clip(radius + 0.5 - distance, 0.0, 1.0) * strengths[:, np.newaxis, np.newaxis]
    inside = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1]) & (cover > 0)
    covers = np.zeros(shape[0] * shape[1])
    np.maximum.at(covers, (rows * shape[1] + cols)[inside], cover[inside])
    return covers.reshape(shape[:2])


def _samples(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return discs along a line, at most a pixel apart: centres (n, 2) and strengths (n,)."""
    ages = np.linspace(0.2, 0.85, len(points))
    steps = np.diff(points, axis=0)
    counts = np.maximum(1, np.ceil(np.abs(steps).max(axis=1, initial=0.0))).astype(np.intp)
    segment = np.repeat(np.arange(len(steps)), counts)
    # The fraction of its segment at which each disc lies, in (0, 1].
    along = (np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts) + 1) / (
        counts[segment]
    )
    discs = points[segment] + steps[segment] * along[:, np.newaxis]
    strengths = ages[segment] + np.diff(ages)[segment] * along
    return np.concatenate([points[:1], discs]), np.concatenate([ages[:1], strengths])


def _maze_shape(canvas: Canvas) -> tuple[int, int]:
    return canvas.cells.shape[0], canvas.cells.shape[1]


def _places(canvas: Canvas, name: str, cells: Sequence[Cell]) -> Places:
    """Return the rows and the columns of cells, after checking that they lie in the maze."""
    check_cells(name, cells, _maze_shape(canvas))
    return [row for row, _ in cells], [col for _, col in cells]


STATIC_LAYERS: tuple[Layer, ...] = (draw_changed, draw_starts, draw_goals)
MOVING_LAYERS: tuple[Layer, ...] = (draw_trail, draw_agent)

# Without overlays this gives the same picture as STATIC_LAYERS and then MOVING_LAYERS, so that
# FramePainter can cache the static ones.
ALL_LAYERS: tuple[Layer, ...] = (
    tint_visits,
    fill_values,
    outline_opened,
    draw_changed,
    draw_starts,
    draw_tree,
    draw_visits,
    draw_belief,
    draw_planned,
    draw_goals,
    draw_trail,
    draw_policy,
    draw_agent,
)
