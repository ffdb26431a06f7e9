"""Changing a maze with the mouse, while somebody lives in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dynamaze.envs import Layout, LayoutError
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.layout import Cell

LEFT, MIDDLE, RIGHT = 1, 2, 3


class Editor:
    """A brush that builds or opens walls, and moves the goal and the start."""

    def __init__(self, maze: MazeEnv) -> None:
        self._maze = maze
        self._builds: bool | None = None  # what the brush does; None while it is lifted
        self._last: Cell = (0, 0)

    def press(self, cell: Cell, button: int, *, shift: bool = False) -> str:
        """Do what a click says: left a wall, right the goal, middle or shift the start.

        Returns:
            What was done, or why not.
        """
        if button == RIGHT:
            return self._move("goal", cell)
        if button == MIDDLE or (button == LEFT and shift):
            return self._move("start", cell)
        if button != LEFT:
            return ""
        self._builds, self._last = not self._maze.layout.walls[cell], cell
        return self._paint([cell])

    def drag(self, cell: Cell) -> str:
        """Go on painting up to a cell, with the button held down."""
        if self._builds is None or cell == self._last:
            return ""
        cells, self._last = line(self._last, cell), cell
        return self._paint(cells)

    def release(self) -> None:
        """Lift the brush."""
        self._builds = None

    def _paint(self, cells: Sequence[Cell]) -> str:
        """Build or open walls; what is refused leaves the others as they are."""
        done, why = 0, ""
        for cell in cells:
            if self._maze.layout.walls[cell] == self._builds:
                continue
            problem = self._set_wall(cell)
            why, done = problem or why, done + (not problem)
        what = "wall built" if self._builds else "wall opened"
        return why or (f"{what} at {_place(self._last)}" if done else "")

    def _set_wall(self, cell: Cell) -> str:
        """Build or open one wall; gives what stands against it."""
        maze, layout = self._maze, self._maze.layout
        for name, taken in (
            ("start", layout.starts),
            ("goal", layout.goals),
            ("agent", [maze.agent]),
        ):
            if cell in taken:
                return f"no wall at {_place(cell)}: the {name} is there"
        walls = layout.walls.copy()
        walls[cell] = bool(self._builds)
        try:
            changed = replace(layout, walls=walls)
        except LayoutError:
            return f"no wall at {_place(cell)}: it would shut the only way"
        if shuts_in(changed, layout, maze.agent):
            return f"no wall at {_place(cell)}: it would shut the agent in"
        maze.change(changed)
        return ""

    def _move(self, what: str, cell: Cell) -> str:
        layout = self._maze.layout
        if layout.walls[cell]:
            return f"no {what} at {_place(cell)}: a wall is there"
        try:
            self._maze.change({what: cell})
        except LayoutError:
            return f"no {what} at {_place(cell)}: start and goal need a way between them"
        return f"{what} moved to {_place(cell)}"


def shuts_in(changed: Layout, before: Layout, agent: Cell | None) -> bool:
    """Whether a change takes the agent's last way to a goal."""
    return agent is not None and bool(changed.distances[agent] < 0 <= before.distances[agent])


def line(begin: Cell, end: Cell) -> list[Cell]:
    """The cells from one to another, without the first: a fast mouse leaves none out."""
    count = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]))
    shares = [number / count for number in range(1, count + 1)]
    return [
        (
            round(begin[0] + share * (end[0] - begin[0])),
            round(begin[1] + share * (end[1] - begin[1])),
        )
        for share in shares
    ]


def _place(cell: Cell) -> str:
    return f"row {cell[0]}, column {cell[1]}"
