"""Obstacles at random cells, so many as a density asks for, that never cut the free cells apart.

They are placed one at a time. An obstacle cuts exactly where it closes a ring of obstacles, and
the outside is one of them: obstacles ring something in if each touches the next, at a corner too,
as no agent walks through there. So the obstacles are kept in sets of those that touch, as
Kruskal's algorithm keeps its trees, and none is placed whose neighbours on two sides are in one
set already. An obstacle that would cut may fit later, when one of its sides has been filled.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np

from dynamaze.common.arrays import BoolArray

from ..mazes.layout import Cell
from .draws import Draws
from .trees import root


def obstacles(
    rows: int, cols: int, density: float, kept: Collection[Cell], draws: Draws
) -> BoolArray:
    """(rows, cols) walls at a share `density` of all cells, rounded, and none on the `kept` ones.

    At least two cells stay free, and there are fewer obstacles where the ways between the kept
    cells need the room.
    """
    stride = cols + 1  # the outside on the left of a row is also that on the right of the one above
    grid = np.ones((rows + 2) * stride + 1, dtype=np.uint8)
    inside = np.arange(grid.size - 1).reshape(rows + 2, stride)[1:-1, 1:]
    grid[inside] = 0
    walls = bytearray(grid.tobytes())
    order = inside.ravel()[draws.permutation(rows * cols)].tolist()
    keep = {int(inside[cell]) for cell in kept}
    count = min(int(density * rows * cols + 0.5), rows * cols - 2)
    _place(walls, stride, [cell for cell in order if cell not in keep], count, draws)
    return np.frombuffer(walls, dtype=np.bool_)[inside]


def _place(walls: bytearray, stride: int, cells: list[int], count: int, draws: Draws) -> None:
    """Place `count` obstacles at the first of the cells where they do not cut."""
    ring, sides = _steps(stride)
    up, up_right, right, down_right, down, down_left, left, up_left = ring
    parent = [0 if wall else cell for cell, wall in enumerate(walls)]  # the outside is one set
    refused = bytearray(len(walls))
    while cells and count:
        again = []
        for cell in cells:
            around = (
                walls[cell + up]
                | walls[cell + up_right] << 1
                | walls[cell + right] << 2
                | walls[cell + down_right] << 3
                | walls[cell + down] << 4
                | walls[cell + down_left] << 5
                | walls[cell + left] << 6
                | walls[cell + up_left] << 7
            )
            touched = sides[around]
            if len(touched) == 1:
                parent[cell] = cell + touched[0]
            elif touched:
                sets = [root(parent, cell + side) for side in touched]
                if len(set(sets)) < len(sets):
                    refused[cell] = 1
                    continue
                for joined in sets:
                    parent[joined] = cell
            walls[cell] = 1
            count -= 1
            if not count:
                break
            for near in (cell + up, cell + right, cell + down, cell + left):
                if refused[near]:
                    refused[near] = 0
                    again.append(near)
        cells = [again[chosen] for chosen in draws.permutation(len(again)).tolist()]


@lru_cache(maxsize=16)
def _steps(stride: int) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The steps from a cell to those around it, and to its sides for each pattern of walls."""
    ring = (-stride, 1 - stride, 1, stride + 1, stride, stride - 1, -1, -stride - 1)
    sides = (_sides(around) for around in range(256))
    return ring, tuple(tuple(ring[position] for position in of_one) for of_one in sides)


def _sides(around: int) -> tuple[int, ...]:
    """A wall on each side of a cell, where its free neighbours have walls between them.

    `around` has a bit for each wall of the ring from above the cell clockwise. Even positions
    share an edge with the cell, the odd ones are corners; walls next to each other touch, and so
    do two at even positions with a free corner between them.
    """
    walls = [position for position in range(8) if around >> position & 1]
    free = [position for position in range(0, 8, 2) if position not in walls]
    if not free:
        return (0,)
    sides = []
    for first, last in zip(free, [*free[1:], free[0] + 8], strict=True):
        between = [place % 8 for place in range(first + 1, last) if place % 8 in walls]
        sides += between[:1]  # the others touch it
    return tuple(sides)
