"""What lies over the ground, layer by layer.

A layer is a function `(canvas, scene) -> None` that draws one kind of thing, or nothing where the
scene has none. To show something new, give `Scene` a field and put one more layer in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import sprites
from .scene import Cell, Scene
from .sprites import Sprite

TRAIL_MEMORY = 4 * sprites.TRAIL_LENGTH  # the end of a trail in which its dots are looked for

Places = tuple[Sequence[int] | npt.NDArray[np.intp], ...]  # the rows and the columns of cells


class Canvas(NamedTuple):
    """The picture being painted."""

    cells: npt.NDArray[np.uint8]  # (rows, cols, size, size, 3), a view of the frame
    size: int  # the side of a cell, in pixels


def draw_changed(canvas: Canvas, scene: Scene) -> None:
    """Mark the walls that just came and those that just went, each in its way."""
    if scene.changed is None:
        return
    for draw, where in (
        (sprites.appeared_sprite, scene.changed & scene.walls),
        (sprites.opened_sprite, scene.changed & ~scene.walls),
    ):
        sprite = sprites.fade(draw(canvas.size), scene.changed_strength)
        _stamp(canvas, np.nonzero(where), sprite)


def draw_starts(canvas: Canvas, scene: Scene) -> None:
    """Draw a pad on each start."""
    where = _places(canvas, "starts", scene.starts)
    _stamp(canvas, where, sprites.start_sprite(canvas.size))


def draw_goals(canvas: Canvas, scene: Scene) -> None:
    """Draw a star on each goal."""
    where = _places(canvas, "goals", scene.goals)
    _stamp(canvas, where, sprites.goal_sprite(canvas.size))


def draw_trail(canvas: Canvas, scene: Scene) -> None:
    """Draw a dot on each of the cells where the agent was last, the oldest the palest."""
    cells = dict.fromkeys(islice(reversed(scene.trail), TRAIL_MEMORY))
    if scene.agent is not None:
        cells.pop(scene.agent, None)
    newest = list(islice(cells, sprites.TRAIL_LENGTH))
    if newest:
        keep, ink, box = sprites.trail_sprites(canvas.size)
        dots = Sprite(keep[: len(newest)], ink[: len(newest)], box)
        _stamp(canvas, _places(canvas, "trail", newest), dots)


def draw_agent(canvas: Canvas, scene: Scene) -> None:
    """Draw the agent, its eyes following its last step."""
    if scene.agent is not None:
        where = _places(canvas, "agent", [scene.agent])
        _stamp(canvas, where, sprites.agent_sprite(canvas.size, _heading(scene)))


Layer = Callable[[Canvas, Scene], None]
STILL_LAYERS: tuple[Layer, ...] = (draw_changed, draw_starts, draw_goals)
MOVING_LAYERS: tuple[Layer, ...] = (draw_trail, draw_agent)


def _heading(scene: Scene) -> tuple[int, int]:
    """Find the agent's last step, (0, 0) where it made none or was put somewhere else."""
    if scene.agent is None or not scene.trail:
        return (0, 0)
    down = int(scene.agent[0] - scene.trail[-1][0])
    right = int(scene.agent[1] - scene.trail[-1][1])
    return (down, right) if abs(down) + abs(right) == 1 else (0, 0)


def _places(canvas: Canvas, name: str, cells: Sequence[Cell]) -> Places:
    """Split cells into their rows and their columns; none may lie outside the maze."""
    rows, cols = canvas.cells.shape[:2]
    for row, col in cells:
        if not (0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"{name}: cell ({row}, {col}) is outside the {rows}x{cols} maze")
    return [row for row, _ in cells], [col for _, col in cells]


def _stamp(canvas: Canvas, places: Places, sprite: Sprite) -> None:
    """Blend a sprite, or a stack with one picture for each cell, into different cells."""
    where = (*places, *sprite.box)
    canvas.cells[where] = (canvas.cells[where] * sprite.keep + sprite.ink) >> 8
