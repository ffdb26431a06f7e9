"""What a picture of a maze shows, as plain data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
Frame = npt.NDArray[np.uint8]  # (height, width, 3), RGB
Cell = tuple[int, int]  # (row, col)


class Scene(NamedTuple):
    """Everything a renderer needs to know about one moment of a maze.

    Cells are `(row, col)`, row 0 on top. A renderer reads nothing else: whatever is to be seen
    (later also values, arrows, visits) is handed in here as a field with a default.
    """

    walls: BoolArray  # (rows, cols), True where a wall stands
    starts: tuple[Cell, ...]
    goals: tuple[Cell, ...]
    agent: Cell | None  # None: no agent is drawn
    trail: tuple[Cell, ...] = ()  # where the agent was before, oldest first, any length
    changed: BoolArray | None = None  # (rows, cols), True where a wall just came or went
    changed_strength: float = 1.0  # of the highlight of `changed`, from 0 (none) to 1
