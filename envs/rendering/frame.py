"""Frames of mazes, painted in NumPy: the same pixels with and without a display."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray

from .layers import ALL_LAYERS, MOVING_LAYERS, STATIC_LAYERS
from .scene import Frame, Scene
from .sprite import Canvas, Layer
from .tiles import paint_ground

CELL_SIZE = 32  # pixels a side, unless the frame would be too large
LONGEST_SIDE = 1024  # of a frame with cells of the default size, in pixels


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
        for name, value in (("rows", rows), ("cols", cols), ("cell_size", cell_size)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value}; expected at least 1")
        self.rows, self.cols = rows, cols
        self.cell_size = _fitting_size(max(rows, cols)) if cell_size is None else cell_size
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
            layer(canvas, scene)
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


def _fingerprint(cells: BoolArray | None) -> object:
    """Return a key of an array's contents."""
    return None if cells is None else (cells.shape, cells.dtype.char, cells.tobytes())


def _fitting_size(longer_side: int) -> int:
    """Return the largest even cell size within `LONGEST_SIDE`, or 1."""
    size = min(CELL_SIZE, LONGEST_SIDE // longer_side)
    return max(1, size - size % 2)
