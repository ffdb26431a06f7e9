"""Editing of a maze by the mouse while an agent or a person acts in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dynamaze.envs import Layout, LayoutError
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.layout import Cell

LEFT, MIDDLE, RIGHT = 1, 2, 3


class MazeEditor:
    """Editor of walls, goal and start; every edit is a change of the running maze."""

    def __init__(self, maze: MazeEnv) -> None:
        self._maze = maze
        self._builds: bool | None = None  # True: build, False: open, None: no button held
        self._last: Cell = (0, 0)

    def click(self, cell: Cell, button: int, *, shift: bool = False) -> str:
        """Handle a click: left a wall, right the goal, middle or shift+left the start.

        Returns:
            A message: the edit, or the reason why it was refused.
        """
        if button == RIGHT:
            return self._move("goal", cell)
        if button == MIDDLE or (button == LEFT and shift):
            return self._move("start", cell)
        if button != LEFT:
            return ""
        # The first cell decides whether a drag builds or opens.
        self._builds, self._last = not self._maze.layout.walls[cell], cell
        return self._paint([cell])

    def drag(self, cell: Cell) -> str:
        """Edit all cells up to this one, with the left button held."""
        if self._builds is None or cell == self._last:
            return ""
        cells, self._last = cells_between(self._last, cell), cell
        return self._paint(cells)

    def release(self) -> None:
        """Handle the release of the button."""
        self._builds = None

    def _paint(self, cells: Sequence[Cell]) -> str:
        """Build or open walls; refused cells are skipped."""
        done, reason = 0, ""
        for cell in cells:
            if self._maze.layout.walls[cell] == self._builds:
                continue
            problem = self._set_wall(cell)
            reason, done = problem or reason, done + (not problem)
        edit = "wall built" if self._builds else "wall opened"
        return reason or (f"{edit} at {_place(self._last)}" if done else "")

    def _set_wall(self, cell: Cell) -> str:
        """Build or open one wall; return the reason if it is refused, else ""."""
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
        try:  # a layout checks that every start reaches a goal
            changed = replace(layout, walls=walls)
        except LayoutError:
            return f"no wall at {_place(cell)}: it would block the only path"
        if encloses_agent(changed, layout, maze.agent):
            return f"no wall at {_place(cell)}: it would enclose the agent"
        maze.change(changed)
        return ""

    def _move(self, name: str, cell: Cell) -> str:
        """Move the start or the goal; return a message."""
        layout = self._maze.layout
        if layout.walls[cell]:
            return f"no {name} at {_place(cell)}: a wall is there"
        try:
            self._maze.change({name: cell})
        except LayoutError:
            return f"no {name} at {_place(cell)}: start and goal need a path between them"
        return f"{name} moved to {_place(cell)}"


def encloses_agent(changed: Layout, before: Layout, agent: Cell | None) -> bool:
    """Return True if a change removes the agent's last path to a goal."""
    # A distance below 0 means that no goal can be reached.
    return agent is not None and bool(changed.distances[agent] < 0 <= before.distances[agent])


def cells_between(begin: Cell, end: Cell) -> list[Cell]:
    """Return the cells on a line, without the first: a fast mouse skips cells."""
    count = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]))
    fractions = [number / count for number in range(1, count + 1)]
    return [
        (
            round(begin[0] + fraction * (end[0] - begin[0])),
            round(begin[1] + fraction * (end[1] - begin[1])),
        )
        for fraction in fractions
    ]


def _place(cell: Cell) -> str:
    return f"row {cell[0]}, column {cell[1]}"
