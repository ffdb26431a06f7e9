"""Where a generated maze begins and ends."""

from __future__ import annotations

from itertools import chain

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray

from ..mazes.layout import Cell
from .draws import Draws


def random_endpoints(walls: BoolArray, draws: Draws) -> tuple[Cell, Cell]:
    """A start from all free cells, and a goal from those at least half as far as the farthest."""
    draw = draws.uniforms().__next__
    start = _free_cell(walls, draw())
    frontiers = _frontiers(walls, start)
    far = list(chain.from_iterable(frontiers[len(frontiers) // 2 :]))
    return start, _cell(walls, far[int(draw() * len(far))])


def farthest_endpoints(walls: BoolArray, draws: Draws) -> tuple[Cell, Cell]:
    """The farthest cell from a random one, and the farthest from that.

    In a perfect maze no two cells are farther apart (Handler, "Minimax location of a facility in
    an undirected tree graph", Transportation Science 7, 1973); elsewhere few are.
    """
    anywhere = _free_cell(walls, next(draws.uniforms()))
    start = _cell(walls, _frontiers(walls, anywhere)[-1][0])
    return start, _cell(walls, _frontiers(walls, start)[-1][0])


def _frontiers(walls: BoolArray, start: Cell) -> list[list[int]]:
    """The cells at each distance from the start, as indices into the padded maze."""
    free = bytearray(np.pad(~walls, 1).tobytes())
    stride = walls.shape[1] + 2
    frontiers = [[(start[0] + 1) * stride + start[1] + 1]]
    free[frontiers[0][0]] = 0
    while frontiers[-1]:
        reached: list[int] = []
        for cell in frontiers[-1]:
            for near in (cell - stride, cell + 1, cell + stride, cell - 1):
                if free[near]:
                    free[near] = 0
                    reached.append(near)
        frontiers.append(reached)
    return frontiers[:-1]


def _cell(walls: BoolArray, padded: int) -> Cell:
    row, col = divmod(padded, walls.shape[1] + 2)
    return row - 1, col - 1


def _free_cell(walls: BoolArray, uniform: float) -> Cell:
    free: npt.NDArray[np.intp] = np.flatnonzero(~walls)
    row, col = divmod(int(free[int(uniform * free.size)]), walls.shape[1])
    return row, col
