"""Perfect mazes: every two cells are joined by exactly one way.

The corridors lie on the even rows and columns, with cells of the lattice where both are even and
a wall or a passage between two of them; the maze needs no wall around it, for its edge stops the
agent. A maze of even size is the next smaller one with a last row or column of walls.

The algorithms differ in the trees that they like; pictures in Buck, "Mazes for Programmers", 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray

from .draws import Draws

_OPEN, _ROCK, _OUTSIDE = range(3)


class Lattice(NamedTuple):
    """A grid of walls to be carved, with enough outside around it that no step needs a check."""

    grid: bytearray  # (rows + 4, stride), flat: _ROCK until it is carved, _OUTSIDE around
    stride: int
    cells: list[int]  # indices of the lattice's cells, row by row
    steps: tuple[int, int, int, int]  # from a cell to those above, right, below and left


def backtracking(lattice: Lattice, draws: Draws) -> None:
    """A depth-first search: long winding corridors and few crossings.

    Buck 2015, chapter 5, "Recursive Backtracker", with the path kept in a list.
    """
    grid, _, cells, steps = lattice
    draw = draws.uniforms().__next__
    path = [cells[int(draw() * len(cells))]]
    grid[path[0]] = _OPEN
    while path:
        cell = path[-1]
        rock = [cell + step for step in steps if grid[cell + step] == _ROCK]
        if not rock:
            path.pop()
            continue
        near = rock[int(draw() * len(rock))] if len(rock) > 1 else rock[0]
        grid[near] = grid[(cell + near) >> 1] = _OPEN
        path.append(near)


def prim(lattice: Lattice, draws: Draws) -> None:
    """Grows from one cell by a wall drawn from all those around: short dead ends, many crossings.

    Prim, "Shortest connection networks and some generalizations", Bell System Technical Journal
    36, 1957, where each wall of the border is as likely as the others in place of the cheapest.
    """
    grid, _, cells, steps = lattice
    draw = draws.uniforms().__next__
    cell = cells[int(draw() * len(cells))]
    grid[cell] = _OPEN
    border = [(cell, cell + step) for step in steps if grid[cell + step] == _ROCK]
    while border:
        # The drawn one changes places with the last, for taking from the middle would be slow.
        chosen = int(draw() * len(border))
        cell, near = border[chosen]
        border[chosen] = border[-1]
        border.pop()
        if grid[near] == _ROCK:
            grid[near] = grid[(cell + near) >> 1] = _OPEN
            border += [(near, near + step) for step in steps if grid[near + step] == _ROCK]


def kruskal(lattice: Lattice, draws: Draws) -> None:
    """Takes all walls in random order and opens those between two trees: even, short corridors.

    Kruskal, "On the shortest spanning subtree of a graph", Proceedings of the AMS 7, 1956.
    """
    grid, stride, cells, _ = lattice
    for cell in cells:
        grid[cell] = _OPEN
    halves = (1, stride)
    walls = [(cell, half) for cell in cells for half in halves if grid[cell + 2 * half] == _OPEN]
    parent = list(range(len(grid)))
    for chosen in draws.permutation(len(walls)).tolist():
        cell, half = walls[chosen]
        one, other = root(parent, cell), root(parent, cell + 2 * half)
        if one != other:
            parent[one] = other
            grid[cell + half] = _OPEN


def root(parent: list[int], item: int) -> int:
    """The representative of an item's set; the way to it is halved for the next time."""
    while parent[item] != item:
        parent[item] = item = parent[parent[item]]
    return item


def wilson(lattice: Lattice, draws: Draws) -> None:
    """Joins random walks, their loops erased: each of all perfect mazes is as likely as the others.

    Wilson, "Generating random spanning trees more quickly than the cover time", STOC 1996. A step
    off the lattice is not taken, which changes no probability: it is a loop, and erased. The time
    grows with the number of cells, and in thin mazes with the ratio of the sides as well: 0.1 s
    for 501x501, but 10 s for 3x20001.
    """
    grid, _, cells, steps = lattice
    turn = draws.choices_of_four(steps).__next__
    grid[_middle(lattice)] = _OPEN  # any will do; to the middle the walks are shortest
    after = [0] * len(grid)
    for start in cells:
        cell = start
        while grid[cell]:
            near = cell + turn()
            if grid[near] != _OUTSIDE:
                after[cell] = near  # the last way out of a cell is the one without its loops
                cell = near
        cell = start
        while grid[cell]:
            near = after[cell]
            grid[cell] = grid[(cell + near) >> 1] = _OPEN
            cell = near


TREES: dict[str, Callable[[Lattice, Draws], None]] = {
    "backtracking": backtracking,
    "prim": prim,
    "kruskal": kruskal,
    "wilson": wilson,
}


def tree(algorithm: str, rows: int, cols: int, draws: Draws) -> BoolArray:
    """(rows, cols) the walls of a perfect maze, both numbers odd."""
    lattice = _rock(rows, cols)
    TREES[algorithm](lattice, draws)
    grid: npt.NDArray[np.uint8] = np.frombuffer(lattice.grid, dtype=np.uint8)
    walls: BoolArray = grid.reshape(-1, lattice.stride)[2:-2, :-2] != _OPEN
    return walls


def _rock(rows: int, cols: int) -> Lattice:
    stride = cols + 2  # the outside on the right of a row is also that on the left of the next
    grid = np.full((rows + 4, stride), _OUTSIDE, dtype=np.uint8)
    grid[2:-2, :-2] = _ROCK
    index = np.arange(grid.size).reshape(grid.shape)
    cells = index[2:-2:2, :-2:2].ravel().tolist()
    return Lattice(bytearray(grid.tobytes()), stride, cells, (-2 * stride, 2, 2 * stride, -2))


def _middle(lattice: Lattice) -> int:
    rows = len(lattice.grid) // lattice.stride - 4
    cols = lattice.stride - 2
    return (2 + rows // 4 * 2) * lattice.stride + cols // 4 * 2
