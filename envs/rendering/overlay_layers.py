"""The layers of the overlays: each draws one of them over all cells at once.

Like every layer they are functions `(canvas, scene) -> None` and draw nothing where the scene has
none of their kind.
"""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import FloatArray

from . import overlay_marks as marks
from . import palette
from .canvas import Canvas, stamp
from .colors import color_rows
from .overlay_measures import (
    arrows,
    best,
    count_levels,
    planned_strengths,
    value_levels,
    verdict,
)
from .overlays import NUM_ACTIONS
from .scene import Scene
from .sprite import SMALL, Sprite, in_colors, pick


def tint_visits(canvas: Canvas, scene: Scene) -> None:
    """Tint the floor where visits are counted, unless values color it: there are still the bars."""
    if scene.overlays.visits is not None and not scene.overlays.colored:
        levels = count_levels(scene.overlays.visits, scene.walls)
        _stamp_levels(canvas, marks.tint_stack(canvas.size, palette.VISITS), levels)


def draw_fills(canvas: Canvas, scene: Scene) -> None:
    """Color each cell by its value, and its four sides by those of the actions."""
    if not scene.overlays.colored:
        return
    values, q = value_levels(scene)
    if q is not None and canvas.size < SMALL:  # too small for triangles
        values, q = best(q) if values is None else values, None
    if values is not None:
        _fill(canvas, marks.value_mask(canvas.size, hub=q is not None), values)
    if q is not None:
        for action in range(NUM_ACTIONS):
            mask = marks.action_mask(canvas.size, action, hub=values is not None)
            _fill(canvas, mask, q[..., action])


def lift_changed(canvas: Canvas, scene: Scene) -> None:
    """Frame the opened cells in white where colors of values lie under their mark."""
    if scene.changed is not None and scene.overlays.colored:
        opened = np.where(scene.changed & ~scene.walls, scene.changed_strength, 0.0)
        _stamp_levels(canvas, marks.lift_stack(canvas.size), opened)


def draw_visits(canvas: Canvas, scene: Scene) -> None:
    """Draw a bar for each cell with visits."""
    if scene.overlays.visits is not None and canvas.size >= SMALL:
        levels = count_levels(scene.overlays.visits, scene.walls)
        _stamp_levels(canvas, marks.bar_stack(canvas.size), levels)


def draw_tree(canvas: Canvas, scene: Scene) -> None:
    """Draw a bubble for each cell in the search tree."""
    if scene.overlays.tree is not None:
        levels = count_levels(scene.overlays.tree, scene.walls)
        _stamp_levels(canvas, marks.bubble_stack(canvas.size), levels)


def draw_planned(canvas: Canvas, scene: Scene) -> None:
    """Mark the sides of the actions whose values the planner updated last."""
    if scene.overlays.planned is None:
        return
    strengths = planned_strengths(scene, scene.overlays.planned)
    for action in range(NUM_ACTIONS):
        _stamp_levels(canvas, marks.side_stack(canvas.size, action), strengths[..., action])


def draw_belief(canvas: Canvas, scene: Scene) -> None:
    """Mark where a model's belief in walls is right, wrong and unsure."""
    if scene.overlays.belief is None:
        return
    right, wrong, unsure = verdict(scene, scene.overlays.belief)
    if canvas.size < SMALL:
        right = np.zeros_like(right)  # a tint of nearly all cells would say nothing
    for stack, strengths in (
        (marks.unsure_stack, unsure),
        (marks.right_stack, right),
        (marks.ghost_stack, np.where(scene.walls, 0.0, wrong)),
        (marks.window_stack, np.where(scene.walls, wrong, 0.0)),
    ):
        _stamp_levels(canvas, stack(canvas.size), strengths)


def draw_policy(canvas: Canvas, scene: Scene) -> None:
    """Draw an arrow for each action that is not improbable; in small cells for the best only."""
    if scene.overlays.policy is None:
        return
    shown = arrows(scene, scene.overlays.policy)
    if canvas.size < SMALL:
        shown = np.where(shown == shown.max(axis=2, keepdims=True), shown, 0.0)
    for action in range(NUM_ACTIONS):
        _stamp_levels(canvas, marks.arrow_stack(canvas.size, action), shown[..., action])


def _stamp_levels(canvas: Canvas, stack: Sprite, levels: FloatArray) -> None:
    """Stamp into each cell whose level is not 0 the picture of its level."""
    where = np.nonzero(levels)
    if where[0].size:
        stamp(canvas, where, pick(stack, levels[where]))


def _fill(canvas: Canvas, mask: Sprite, levels: FloatArray) -> None:
    """Fill a shape in each cell whose level is not NaN with the color of its level."""
    where = np.nonzero(~np.isnan(levels))
    if where[0].size:
        rows = color_rows(levels[where], mask.keep.shape[1])
        stamp(canvas, where, in_colors(mask, rows))
