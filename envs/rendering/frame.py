"""Frames of mazes, painted in NumPy: the same pixels with and without a display."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray
from dynamaze.common.validation import checked_integer

from .display_list import (
    ALL_LAYERS,
    MOVING_LAYERS,
    STATIC_LAYERS,
    FreeMark,
    Item,
    Layer,
    Line,
    Marks,
    Places,
)
from .scene import Frame, Scene
from .sprites import Sprite, in_colors, picture, stack
from .symbols import SMALL
from .tiles import paint_ground

CELL_SIZE = 32  # pixels a side, unless the frame would be too large
LONGEST_SIDE = 1024  # of a frame with cells of the default size, in pixels
EVEN_FROM = 8  # smaller cells may have an odd side; video encoders ask for even ones


class FramePainter:
    """Painter of the scenes of mazes of one size.

    The parts that stay the same from frame to frame (floor, walls, starts, goals, changes) are
    cached; only the trail, the agent and the overlays are redrawn. Copies and pickles start with
    an empty cache.

    Attributes:
        rows: rows of the maze.
        cols: columns of the maze.
        cell_size: the side of a cell, in pixels.
    """

    def __init__(self, rows: int, cols: int, *, cell_size: int | None = None) -> None:
        """Set the size of the frames.

        Args:
            rows: at least 1.
            cols: at least 1.
            cell_size: pixels a side, at least 1. None: 32, or less where the longer side of the
                frame would pass 1024 pixels; even (video encoders ask for it) unless it is 1.

        Raises:
            ValueError: one of the arguments is smaller than 1.
        """
        self.rows, self.cols = checked_integer("rows", rows, 1), checked_integer("cols", cols, 1)
        self.cell_size = (
            default_cell_size(rows, cols)
            if cell_size is None
            else checked_integer("cell_size", cell_size, 1)
        )
        self._ground = _LatestFrame()
        self._static = _LatestFrame()

    def paint(self, scene: Scene) -> Frame:
        """Paint a scene.

        Args:
            scene: has walls of shape (rows, cols), and all cells inside the maze.

        Returns:
            A new array (rows * cell_size, cols * cell_size, 3), uint8, RGB.

        Raises:
            ValueError: the scene does not fit the maze.
        """
        scene = scene.visible()
        # Walls may be changed in place by their owner, so the cache compares contents.
        walls, changed = _fingerprint(scene.walls), _fingerprint(scene.changed)
        if scene.overlays.names:
            # Overlays lie between the cached layers: only the ground can be reused.
            self._check(scene)
            return self._draw(self._paint_ground(scene, walls), scene, ALL_LAYERS)
        static = (walls, changed, scene.changed_strength, tuple(scene.starts), tuple(scene.goals))
        frame = self._static.get(static, lambda: self._paint_static(scene, walls)).copy()
        return self._draw(frame, scene, MOVING_LAYERS)

    def _paint_static(self, scene: Scene, walls: object) -> Frame:
        """Paint all static layers; `walls` identifies the walls in the cache."""
        self._check(scene)
        return self._draw(self._paint_ground(scene, walls), scene, STATIC_LAYERS)

    def _paint_ground(self, scene: Scene, walls: object) -> Frame:
        """Paint the floor and the walls; `walls` identifies them in the cache."""
        return self._ground.get(walls, lambda: paint_ground(scene.walls, self.cell_size)).copy()

    def _draw(self, frame: Frame, scene: Scene, layers: tuple[Layer, ...]) -> Frame:
        """Draw layers over a frame, in place."""
        size = self.cell_size
        cells = frame.reshape(self.rows, size, self.cols, size, 3).swapaxes(1, 2)
        canvas = Canvas(frame, cells, size)
        for layer in layers:
            for item in layer(scene, size < SMALL):
                draw(canvas, item)
        return frame

    def _check(self, scene: Scene) -> None:
        for name, cells in (("walls", scene.walls), ("changed", scene.changed)):
            if cells is not None and (
                cells.dtype != np.bool_ or cells.shape != (self.rows, self.cols)
            ):
                raise ValueError(
                    f"{name}: {cells.dtype} array of shape {cells.shape}; "
                    f"expected bool of shape ({self.rows}, {self.cols})"
                )
        if not 0 <= scene.changed_strength <= 1:
            raise ValueError(f"changed_strength: {scene.changed_strength}; expected 0 to 1")
        scene.overlays.check((self.rows, self.cols))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ground": _LatestFrame(), "_static": _LatestFrame()}


class _LatestFrame:
    """Cache of one frame: the one painted last."""

    def __init__(self) -> None:
        self._key: object = None
        self._frame: Frame | None = None

    def get(self, key: object, paint: Callable[[], Frame]) -> Frame:
        """Return the cached frame if its key is `key`; otherwise paint and cache a new one."""
        if self._frame is None or key != self._key:
            self._frame, self._key = paint(), key
        return self._frame


class Canvas(NamedTuple):
    """Frame that is being painted."""

    frame: Frame  # (rows * size, cols * size, 3)
    cells: npt.NDArray[np.uint8]  # (rows, cols, size, size, 3), a view of the frame
    size: int  # the side of a cell, in pixels


def draw(canvas: Canvas, item: Item) -> None:
    """Draw an item of a display list."""
    if isinstance(item, Marks):
        sprite = _sprite(item, canvas.size)
        if sprite is not None:
            _stamp(canvas, item.where, sprite)
    elif isinstance(item, FreeMark):
        sprite = picture(item.symbol, canvas.size)
        if sprite is not None:
            top, left = (math.floor((at - 0.5) * canvas.size + 0.5) for at in item.position)
            _stamp_at(canvas, top, left, sprite)
    else:
        _draw_line(canvas, item)


def _sprite(marks: Marks, size: int) -> Sprite | None:
    """Return the picture of a symbol, or a stack with one picture per cell."""
    if marks.pictures is None:
        sprite = picture(marks.symbol, size, marks.strength)
        return sprite if marks.values is None or sprite is None else in_colors(sprite, marks.values)
    sprite = stack(marks.symbol, size)
    if sprite is None:
        return None
    return Sprite(sprite.weight[marks.pictures], sprite.ink[marks.pictures], sprite.box)


def _stamp(canvas: Canvas, places: Places, sprite: Sprite) -> None:
    """Blend a sprite, or a stack with one picture per cell, into distinct cells."""
    where = (*places, *sprite.box)
    # (background * weight + ink) >> 8, in place: allocating large arrays is slow.
    picture = canvas.cells[where] * sprite.weight
    picture += sprite.ink
    picture >>= 8
    canvas.cells[where] = picture


def _stamp_at(canvas: Canvas, top: int, left: int, sprite: Sprite) -> None:
    """Blend a sprite into a cell-sized square at any pixel, clipped to the frame.

    Args:
        canvas: of the frame.
        top: first row of pixels of the square, whose centre lies in the frame or on its border.
        left: first column of pixels.
        sprite: one picture.
    """
    rows, inner_rows = _clip(top, sprite.box[0], canvas.frame.shape[0])
    cols, inner_cols = _clip(left, sprite.box[1], canvas.frame.shape[1])
    region = canvas.frame[rows, cols]
    weight, ink = sprite.weight[inner_rows, inner_cols], sprite.ink[inner_rows, inner_cols]
    region[...] = (region * weight + ink) >> 8


def _clip(start: int, box: slice, length: int) -> tuple[slice, slice]:
    """Clip a sprite's slice: return the slices of the frame and of the sprite."""
    first, end = start + box.start, start + box.stop
    inside = slice(max(first, 0), min(end, length))
    return inside, slice(inside.start - first, inside.stop - first)


def _draw_line(canvas: Canvas, line: Line) -> None:
    """Draw a line, paler at its older end."""
    points = np.asarray(line.points, dtype=np.float64) * canvas.size
    radius = max(0.6, line.width / 2 * canvas.size)
    # Only the box around the line: a frame has many times its pixels.
    reach = int(radius) + 2
    low = np.maximum(np.floor(points.min(axis=0)).astype(np.intp) - reach, 0)
    high = np.floor(points.max(axis=0)).astype(np.intp) + reach + 1
    part = canvas.frame[low[0] : max(high[0], 0), low[1] : max(high[1], 0)]
    if not part.size:
        return
    cover = _line_coverage(points - low, radius, line.opacities, part.shape[:2])
    where = np.nonzero(cover > 0)
    alpha = np.rint(cover[where] * 256)[:, np.newaxis]
    blended = part[where] * (256 - alpha) + np.asarray(line.color) * alpha
    part[where] = ((blended + 128) / 256).astype(np.uint8)


def _line_coverage(
    points: FloatArray, radius: float, opacities: tuple[float, float], shape: tuple[int, ...]
) -> FloatArray:
    """Return the opacity of a line in each pixel.

    The line is a series of overlapping discs; a pixel takes the largest of their coverages.

    Args:
        points: (n, 2), rows and columns in pixels, oldest first.
        radius: half the line's width, in pixels.
        opacities: at the oldest and at the newest point.
        shape: of the frame, (height, width).
    """
    discs, strengths = _samples(points, opacities)
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


def _samples(points: FloatArray, opacities: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Return discs along a line, at most a pixel apart: centres (n, 2) and opacities (n,)."""
    ages = np.linspace(*opacities, len(points))
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


def _fingerprint(cells: BoolArray | None) -> object:
    """Return a key of an array's contents."""
    return None if cells is None else (cells.shape, cells.dtype.char, cells.tobytes())


def default_cell_size(rows: int, cols: int) -> int:
    """Return the largest even cell size with which a maze fits `LONGEST_SIDE`, or 1."""
    size = min(CELL_SIZE, LONGEST_SIDE // max(rows, cols))
    return max(1, size - size % 2)


def fitting_cell_size(rows: int, cols: int, room: tuple[int, int], *, largest: int) -> int:
    """Return the cell size, in pixels, with which a maze fits a room.

    Args:
        rows: rows of the maze.
        cols: columns of the maze.
        room: (width, height) in pixels.
        largest: largest size of a cell.

    Returns:
        1 to `largest`; even from 8 on.
    """
    size = min(largest, room[0] // cols, room[1] // rows)
    return max(1, size - size % 2 if size >= EVEN_FROM else size)
