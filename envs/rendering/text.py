"""A maze as text, for terminals and for `render_mode="ansi"`."""

from __future__ import annotations

from .scene import Scene


def scene_to_text(scene: Scene) -> str:
    """Write the scene with one character for each cell and one line for each row.

    `#` is a wall, `.` a free cell, `S` a start, `G` a goal and `A` the agent. Where several
    stand on one cell, the later one in this list is written. The trail and the changed cells
    are not shown.

    Args:
        scene: the maze to write, its walls of shape (rows, cols).

    Returns:
        The rows from top to bottom, joined by newlines, without a newline at the end.
    """
    lines = [["#" if wall else "." for wall in row] for row in scene.walls.tolist()]
    agents = () if scene.agent is None else (scene.agent,)
    for letter, cells in (("S", scene.starts), ("G", scene.goals), ("A", agents)):
        for row, col in cells:
            lines[row][col] = letter
    return "\n".join("".join(line) for line in lines)
