"""A picture of any environment: sharp where it is a maze, as it draws itself elsewhere."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.layout import Cell
from dynamaze.envs.rendering import FramePainter, Scene
from dynamaze.envs.rendering.scene import Frame, check_frame

LARGEST_CELL = 64  # pixels a side
EVEN_FROM = 8  # smaller cells may have an odd side
BLANK: Frame = np.full((64, 64, 3), 60, dtype=np.uint8)
"""Shown where an environment has no picture yet."""


class Camera:
    """Takes pictures of one environment.

    Args:
        env: made with `render_mode="rgb_array"`.
        room: (width, height) that a picture should not pass, in pixels.

    Attributes:
        maze: the environment itself where it is a maze; None otherwise.
        cell_size: the side of a cell in pixels; 0 where it is no maze.
    """

    def __init__(self, env: gym.Env[Any, Any], room: tuple[int, int]) -> None:
        self._env = env
        self._room = room
        self.maze = env.unwrapped if isinstance(env.unwrapped, MazeEnv) else None
        self.cell_size = 0
        if self.maze is not None:
            rows, cols = self.maze.layout.walls.shape
            self.cell_size = fitting_cell(rows, cols, room)
            self._painter = FramePainter(rows, cols, cell_size=self.cell_size)

    def moment(self) -> Any:
        """What is to be seen now: a maze's scene, which can still be painted later, or a frame."""
        return self._env.render() if self.maze is None else self.maze.scene()

    def shoot(self, moment: Any = None) -> Frame:
        """A picture (height, width, 3) of a moment; None for now."""
        seen = self.moment() if moment is None else moment
        if isinstance(seen, Scene):
            overlays = self.maze.overlays if self.maze is not None else seen.overlays
            return self._painter.paint(seen._replace(overlays=overlays))
        return self._enlarged(seen)

    def cell_at(self, x: int, y: int) -> Cell | None:
        """The cell at a pixel of the picture; None outside, or where there is no maze."""
        if self.maze is None:
            return None
        row, col = y // self.cell_size, x // self.cell_size
        inside = 0 <= row < self.maze.layout.rows and 0 <= col < self.maze.layout.cols
        return (row, col) if inside else None

    def _enlarged(self, seen: Any) -> Frame:
        """A picture that an environment drew, magnified by a whole number up to the room."""
        if not isinstance(seen, np.ndarray):
            return BLANK
        check_frame(seen)
        height, width = seen.shape[:2]
        times = max(1, min(self._room[0] // width, self._room[1] // height))
        return seen.repeat(times, axis=0).repeat(times, axis=1)


def fitting_cell(rows: int, cols: int, room: tuple[int, int]) -> int:
    """The side of a cell with which a maze fits the room, (width, height) in pixels."""
    size = min(LARGEST_CELL, room[0] // cols, room[1] // rows)
    return max(1, size - size % 2 if size >= EVEN_FROM else size)
