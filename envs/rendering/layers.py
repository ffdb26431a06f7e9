"""What lies over the ground, layer by layer.

A layer is a function `(canvas, scene) -> None` that draws one kind of thing, or nothing where the
scene has none. To show something new, give `Scene` a field, or `Overlays` one, and put one more
layer in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from dynamaze.common.arrays import FloatArray

from . import overlay_layers as overlaid
from . import sprites
from .canvas import Canvas, Layer, Places, stamp, stamp_at
from .overlay_measures import PATH_LENGTH, heading, recent_trail
from .palette import AGENT
from .scene import Cell, Scene, check_cells, check_points
from .sprite import Sprite, fade

PATH_RADIUS = 0.06  # half the width of a path, in cells


def draw_changed(canvas: Canvas, scene: Scene) -> None:
    """Mark the walls that just came and those that just went, each in its way."""
    if scene.changed is None:
        return
    for draw, where in (
        (sprites.appeared_sprite, scene.changed & scene.walls),
        (sprites.opened_sprite, scene.changed & ~scene.walls),
    ):
        sprite = _faded(draw, canvas.size, scene.changed_strength)
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
    """Draw a dot on each of the cells where the agent was last, the oldest the palest.

    Where the scene has a path, it is drawn instead.
    """
    if scene.path:
        _draw_path(canvas, scene)
        return
    newest = recent_trail(scene)
    if newest:
        keep, ink, box = sprites.trail_sprites(canvas.size)
        dots = Sprite(keep[: len(newest)], ink[: len(newest)], box)
        stamp(canvas, _places(canvas, "trail", newest), dots)


def draw_agent(canvas: Canvas, scene: Scene) -> None:
    """Draw the agent, in its cell or at its position."""
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


STILL_LAYERS: tuple[Layer, ...] = (draw_changed, draw_starts, draw_goals)
MOVING_LAYERS: tuple[Layer, ...] = (draw_trail, draw_agent)

# Without overlays the same picture as STILL_LAYERS and MOVING_LAYERS.
ALL_LAYERS: tuple[Layer, ...] = (
    overlaid.tint_visits,
    overlaid.draw_fills,
    overlaid.lift_changed,
    draw_changed,
    draw_starts,
    overlaid.draw_tree,
    overlaid.draw_visits,
    overlaid.draw_belief,
    overlaid.draw_planned,
    draw_goals,
    draw_trail,
    overlaid.draw_policy,
    draw_agent,
)


@lru_cache(maxsize=32)
def _faded(draw: Callable[[int], Sprite], size: int, strength: float) -> Sprite:
    return fade(draw(size), strength)


def _draw_path(canvas: Canvas, scene: Scene) -> None:
    """Draw a line through the points where the agent was last, the oldest the palest."""
    newest = scene.path[-PATH_LENGTH:]
    check_points("path", newest, _maze_shape(canvas))
    points = np.asarray(newest, dtype=np.float64) * canvas.size
    cover = _line(points, max(0.6, PATH_RADIUS * canvas.size), canvas.frame.shape[:2])
    where = np.nonzero(cover)
    alpha = np.rint(cover[where] * 256)[:, np.newaxis]
    blended = canvas.frame[where] * (256 - alpha) + np.asarray(AGENT) * alpha
    canvas.frame[where] = ((blended + 128) / 256).astype(np.uint8)


def _line(points: FloatArray, radius: float, shape: tuple[int, ...]) -> FloatArray:
    """Cover the pixels near a line, more and more from its first point to its last.

    A line is a row of discs, close together; of each pixel's covers the largest counts.

    Args:
        points: (n, 2), rows and columns in pixels.
        radius: of the line, in pixels.
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
    """Lay discs along a line, a pixel apart or less: where they are, and how strong."""
    ages = np.linspace(0.2, 0.85, len(points))
    steps = np.diff(points, axis=0)
    counts = np.maximum(1, np.ceil(np.abs(steps).max(axis=1, initial=0.0))).astype(np.intp)
    segment = np.repeat(np.arange(len(steps)), counts)
    along = (np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts) + 1) / (
        counts[segment]
    )
    discs = points[segment] + steps[segment] * along[:, np.newaxis]
    strengths = ages[segment] + np.diff(ages)[segment] * along
    return np.concatenate([points[:1], discs]), np.concatenate([ages[:1], strengths])


def _maze_shape(canvas: Canvas) -> tuple[int, int]:
    return canvas.cells.shape[0], canvas.cells.shape[1]


def _places(canvas: Canvas, name: str, cells: Sequence[Cell]) -> Places:
    """Split cells into their rows and their columns; none may lie outside the maze."""
    check_cells(name, cells, _maze_shape(canvas))
    return [row for row, _ in cells], [col for _, col in cells]
