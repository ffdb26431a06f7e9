"""Scene: the content of a picture of a maze, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray

from ..mazes.layout import Cell, Layout
from .overlays import Overlays

Frame = npt.NDArray[np.uint8]  # (height, width, 3), RGB
Position = tuple[float, float]  # (row, col) in cells: cell (r, c) covers [r, r+1) x [c, c+1)


class Scene(NamedTuple):
    """Content of one picture of a maze, independent of environments and agents.

    Cells are `(row, col)`, row 0 on top. Renderers read nothing else: anything new to be drawn is
    a new field with a default.
    """

    walls: BoolArray  # (rows, cols), True for walls
    starts: tuple[Cell, ...]
    goals: tuple[Cell, ...]
    agent: Cell | None  # None: no agent is drawn
    trail: tuple[Cell, ...] = ()  # cells visited before, oldest first, any length
    changed: BoolArray | None = None  # (rows, cols), True where a wall appeared or was removed
    changed_strength: float = 1.0  # opacity of the highlight of `changed`, 0 to 1
    overlays: Overlays = Overlays()
    position: Position | None = None  # of the agent's centre, in continuous mazes
    path: tuple[Position, ...] = ()  # previous positions, oldest first, any length
    heading: tuple[float, float] | None = None  # (down, right); None: direction of the last step

    def visible(self) -> Scene:
        """Return the scene without what its overlays hide."""
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
        """Check that all cells and points lie in the maze and that the overlays fit it.

        Raises:
            ValueError: a cell, a point or an overlay does not.
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


def layout_scene(layout: Layout) -> Scene:
    """Return the scene of an empty maze."""
    return Scene(layout.walls, layout.starts, layout.goals, agent=None)


def check_cells(name: str, cells: Iterable[Cell], shape: tuple[int, ...]) -> None:
    """Check that cells lie in a maze of shape (rows, cols).

    Raises:
        ValueError: a cell lies outside.
    """
    rows, cols = shape
    for row, col in cells:
        if not (0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"{name}: cell ({row}, {col}) is outside the {rows}x{cols} maze")


def check_points(name: str, points: Iterable[Position], shape: tuple[int, ...]) -> None:
    """Check that points lie in a maze of shape (rows, cols), its border included.

    Raises:
        ValueError: a point lies outside.
    """
    rows, cols = shape
    for row, col in points:
        if not (0 <= row <= rows and 0 <= col <= cols):
            raise ValueError(f"{name}: point ({row}, {col}) is outside the {rows}x{cols} maze")


def check_frame(frame: Frame) -> None:
    """Check shape and dtype of a frame.

    Raises:
        ValueError: wrong shape or dtype.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise ValueError(
            f"frame: {frame.dtype} array of shape {frame.shape}; "
            "expected uint8 of shape (height, width, 3)"
        )
