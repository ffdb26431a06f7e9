"""Random obstacles of a given density that keep the free cells connected.

Obstacles are placed one at a time. An obstacle disconnects the free cells exactly if it closes a
ring of obstacles, where obstacles are neighbours at corners, too, and the outside counts as one of
them. So connected obstacles form the sets of a union-find structure, as in Kruskal's algorithm,
and a cell is refused if two of its sides touch the same set. A refused cell may fit later, when one
of its sides has been filled.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np

from dynamaze.common.arrays import BoolArray

from ..mazes.layout import Cell
from .level_rng import LevelRNG
from .trees import root


def obstacles(
    rows: int, cols: int, density: float, kept: Collection[Cell], rng: LevelRNG
) -> BoolArray:
    """Return (rows, cols) walls at a share `density` of all cells, rounded, none at `kept` cells.

    At least two cells stay free, and there are fewer obstacles if the paths between the kept
    cells need the space.
    """
    stride = cols + 1  # the border left of a row is also the border right of the row above
    grid = np.ones((rows + 2) * stride + 1, dtype=np.uint8)
    inside = np.arange(grid.size - 1).reshape(rows + 2, stride)[1:-1, 1:]
    grid[inside] = 0
    walls = bytearray(grid.tobytes())
    order = inside.ravel()[rng.permutation(rows * cols)].tolist()
    keep = {int(inside[cell]) for cell in kept}
    count = min(int(density * rows * cols + 0.5), rows * cols - 2)
    _place(walls, stride, [cell for cell in order if cell not in keep], count, rng)
    return np.frombuffer(walls, dtype=np.bool_)[inside]


def _place(walls: bytearray, stride: int, cells: list[int], count: int, rng: LevelRNG) -> None:
    """Place `count` obstacles at the first cells where they do not disconnect the maze."""
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
        cells = [again[chosen] for chosen in rng.permutation(len(again)).tolist()]


@lru_cache(maxsize=16)
def _steps(stride: int) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Return the offsets of a cell's 8 neighbours, and those of its sides for each wall pattern."""
    ring = (-stride, 1 - stride, 1, stride + 1, stride, stride - 1, -1, -stride - 1)
    sides = (_sides(around) for around in range(256))
    return ring, tuple(tuple(ring[position] for position in of_one) for of_one in sides)


def _sides(around: int) -> tuple[int, ...]:
    """Return one wall position for each group of touching walls around a cell.

    `around` has a bit for each wall of the ring, clockwise from above the cell. Even positions
    share an edge with the cell, odd ones are corners. Walls next to each other touch, and so do two
    at even positions with a free corner between them: a group lies between two free even positions.
    """
    walls = [position for position in range(8) if around >> position & 1]
    free = [position for position in range(0, 8, 2) if position not in walls]
    if not free:
        return (0,)
    sides = []
    for first, last in zip(free, [*free[1:], free[0] + 8], strict=True):
        between = [place % 8 for place in range(first + 1, last) if place % 8 in walls]
        sides += between[:1]  # the others of the group touch it
    return tuple(sides)
