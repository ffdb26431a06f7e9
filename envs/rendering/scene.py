"""What a picture of a maze shows, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray

from .overlays import Overlays, Shape

Frame = npt.NDArray[np.uint8]  # (height, width, 3), RGB
Cell = tuple[int, int]  # (row, col)
Position = tuple[float, float]  # (row, col) in cells: cell (r, c) covers [r, r+1) x [c, c+1)


class Scene(NamedTuple):
    """Everything a renderer needs to know about one moment of a maze.

    Cells are `(row, col)`, row 0 on top. A renderer reads nothing else: whatever is to be seen is
    handed in here as a field with a default.
    """

    walls: BoolArray  # (rows, cols), True where a wall stands
    starts: tuple[Cell, ...]
    goals: tuple[Cell, ...]
    agent: Cell | None  # None: no agent is drawn
    trail: tuple[Cell, ...] = ()  # where the agent was before, oldest first, any length
    changed: BoolArray | None = None  # (rows, cols), True where a wall just came or went
    changed_strength: float = 1.0  # of the highlight of `changed`, from 0 (none) to 1
    overlays: Overlays = Overlays()
    position: Position | None = None  # of the agent's centre, where it moves without steps
    path: tuple[Position, ...] = ()  # where that centre was, oldest first, any length
    heading: tuple[float, float] | None = None  # (down, right) its eyes follow; None: its last step

    def visible(self) -> Scene:
        """Leave out what the overlays hide."""
        hidden = self.overlays.hidden
        if not hidden:
            return self
        trail, path = ((), ()) if "trail" in hidden else (self.trail, self.path)
        return self._replace(
            overlays=self.overlays.visible(),
            trail=trail,
            path=path,
            changed=None if "changed" in hidden else self.changed,
        )

    def check(self) -> None:
        """Make sure that all cells and points lie in the maze, and that the overlays fit it.

        Raises:
            ValueError: something does not.
        """
        shape = (int(self.walls.shape[0]), int(self.walls.shape[1]))
        agents = () if self.agent is None else (self.agent,)
        check_cells("starts", self.starts, shape)
        check_cells("goals", self.goals, shape)
        check_cells("agent", agents, shape)
        check_cells("trail", self.trail, shape)
        check_points("position", () if self.position is None else (self.position,), shape)
        check_points("path", self.path, shape)
        self.overlays.check(shape)


def check_cells(name: str, cells: Iterable[Cell], shape: Shape) -> None:
    """Make sure that cells lie in a maze of the shape (rows, cols).

    Raises:
        ValueError: one does not.
    """
    rows, cols = shape
    for row, col in cells:
        if not (0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"{name}: cell ({row}, {col}) is outside the {rows}x{cols} maze")


def check_points(name: str, points: Iterable[Position], shape: Shape) -> None:
    """Make sure that points lie in a maze of the shape (rows, cols), its border included.

    Raises:
        ValueError: one does not.
    """
    rows, cols = shape
    for row, col in points:
        if not (0 <= row <= rows and 0 <= col <= cols):
            raise ValueError(f"{name}: point ({row}, {col}) is outside the {rows}x{cols} maze")


def check_frame(frame: Frame) -> None:
    """Make sure that a frame is a picture.

    Raises:
        ValueError: it has another shape or dtype.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise ValueError(
            f"frame: {frame.dtype} array of shape {frame.shape}; "
            "expected uint8 of shape (height, width, 3)"
        )
