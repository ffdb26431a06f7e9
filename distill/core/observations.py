"""Observations as students and their exports read them: images, and planes of a maze. No torch."""

from __future__ import annotations

MAX_BRIGHTNESS = 255.0
"""Divisor of images, which are observations of uint8."""

COLOURS = 3

PLANES = 3
"""Planes of a maze: walls, agent and goals."""

MAZE_ACTIONS = 4
"""Actions of students whose planes may have any size."""

KERNEL = 9
"""Cells of a 3x3 kernel."""

AGE_FEATURES = 3
"""Factors of an event in a cell of a map: 1, log(1 + age) / 6 and age / 200."""

MAP_FEATURES = 4 * AGE_FEATURES
"""Features of a cell of a map: the factors of each of four events."""

EXPERIENCE_FEATURES = 2 * 8 + 2 + MAZE_ACTIONS + 2
"""Numbers of a cell, the size of the maze, and the last action, reward and collision."""

CELL_FEATURES = 64
"""Features of a cell in a residual network, the inputs of its action logits."""


def iterations_for(rows: int, cols: int) -> int:
    """Return the number of value iterations for a maze of this size.

    A shortest path visits at most every other cell, plus a row or column for its turns.
    """
    return (rows * cols) // 2 + max(rows, cols)
