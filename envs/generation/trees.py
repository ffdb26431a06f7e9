"""Mazes whose cells, or rooms, are connected as a tree: exactly one path joins every two of them.

Corridors lie on even rows and columns: lattice cells where both are even, and a wall or a passage
between two of them. There is no wall around a maze, because its edge stops the agent. A maze of
even size is the next smaller one plus a last row or column of walls.

Pictures of the algorithms: Buck, "Mazes for Programmers", 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray

from .level_rng import LevelRNG

_OPEN, _ROCK, _OUTSIDE = range(3)


class Lattice(NamedTuple):
    """Grid of walls to be carved, padded so that no step needs a bounds check."""

    grid: bytearray  # (rows + 4, stride), flat: _ROCK until it is carved, _OUTSIDE in the padding
    stride: int
    cells: list[int]  # indices of the lattice's cells, row by row
    steps: tuple[int, int, int, int]  # from a cell to those above, right, below and left


def backtracking(lattice: Lattice, rng: LevelRNG) -> None:
    """Carve by depth-first search: long winding corridors and few crossings.

    Buck 2015, chapter 5, "Recursive Backtracker", with an explicit stack.
    """
    grid, _, cells, steps = lattice
    uniform = rng.uniforms().__next__
    path = [cells[int(uniform() * len(cells))]]
    grid[path[0]] = _OPEN
    while path:
        cell = path[-1]
        rock = [cell + step for step in steps if grid[cell + step] == _ROCK]
        if not rock:
            path.pop()
            continue
        near = rock[int(uniform() * len(rock))] if len(rock) > 1 else rock[0]
        grid[near] = grid[(cell + near) >> 1] = _OPEN
        path.append(near)


def prim(lattice: Lattice, rng: LevelRNG) -> None:
    """Carve a tree that grows by a random wall at its border: short dead ends, many crossings.

    Prim, "Shortest connection networks and some generalizations", Bell System Technical Journal 36,
    1957, with a uniformly random wall of the border in place of the cheapest.
    """
    grid, _, cells, steps = lattice
    uniform = rng.uniforms().__next__
    cell = cells[int(uniform() * len(cells))]
    grid[cell] = _OPEN
    border = [(cell, cell + step) for step in steps if grid[cell + step] == _ROCK]
    while border:
        # Swap with the last entry: removing from the middle would take O(border).
        chosen = int(uniform() * len(border))
        cell, near = border[chosen]
        border[chosen] = border[-1]
        border.pop()
        if grid[near] == _ROCK:
            grid[near] = grid[(cell + near) >> 1] = _OPEN
            border += [(near, near + step) for step in steps if grid[near + step] == _ROCK]


def kruskal(lattice: Lattice, rng: LevelRNG) -> None:
    """Carve all walls between two trees, in random order: even, short corridors.

    Kruskal, "On the shortest spanning subtree of a graph", Proceedings of the AMS 7, 1956.
    """
    grid, stride, cells, _ = lattice
    for cell in cells:
        grid[cell] = _OPEN
    halves = (1, stride)
    walls = [(cell, half) for cell in cells for half in halves if grid[cell + 2 * half] == _OPEN]
    parent = list(range(len(grid)))
    for chosen in rng.permutation(len(walls)).tolist():
        cell, half = walls[chosen]
        one, other = root(parent, cell), root(parent, cell + 2 * half)
        if one != other:
            parent[one] = other
            grid[cell + half] = _OPEN


def root(parent: list[int], item: int) -> int:
    """Return the representative of an item's set (union-find with path halving)."""
    while parent[item] != item:
        parent[item] = item = parent[parent[item]]
    return item


def wilson(lattice: Lattice, rng: LevelRNG) -> None:
    """Carve loop-erased random walks: all perfect mazes have equal probabilities.

    Wilson, "Generating random spanning trees more quickly than the cover time", STOC 1996. The time
    grows with the number of cells, and in thin mazes with the ratio of the sides as well.
    """
    grid, _, cells, steps = lattice
    turn = rng.choices_of_four(steps).__next__
    grid[_middle(lattice)] = _OPEN  # any cell is correct; walks to the middle are the shortest
    after = [0] * len(grid)
    for start in cells:
        cell = start
        while grid[cell]:
            near = cell + turn()
            # Skipping a step off the lattice changes no probability: it would be an erased loop.
            if grid[near] != _OUTSIDE:
                after[cell] = near  # the last exit of a cell erases the loops through it
                cell = near
        cell = start
        while grid[cell]:
            near = after[cell]
            grid[cell] = grid[(cell + near) >> 1] = _OPEN
            cell = near


TREES: dict[str, Callable[[Lattice, LevelRNG], None]] = {
    "backtracking": backtracking,
    "prim": prim,
    "kruskal": kruskal,
    "wilson": wilson,
}


def tree(algorithm: str, rows: int, cols: int, rng: LevelRNG) -> BoolArray:
    """Return (rows, cols) the walls of a perfect maze, both numbers odd."""
    lattice = _rock(rows, cols)
    TREES[algorithm](lattice, rng)
    grid: npt.NDArray[np.uint8] = np.frombuffer(lattice.grid, dtype=np.uint8)
    walls: BoolArray = grid.reshape(-1, lattice.stride)[2:-2, :-2] != _OPEN
    return walls


def _rock(rows: int, cols: int) -> Lattice:
    stride = cols + 2  # the padding right of a row is also the padding left of the next
    grid = np.full((rows + 4, stride), _OUTSIDE, dtype=np.uint8)
    grid[2:-2, :-2] = _ROCK
    index = np.arange(grid.size).reshape(grid.shape)
    cells = index[2:-2:2, :-2:2].ravel().tolist()
    return Lattice(bytearray(grid.tobytes()), stride, cells, (-2 * stride, 2, 2 * stride, -2))


def _middle(lattice: Lattice) -> int:
    rows = len(lattice.grid) // lattice.stride - 4
    cols = lattice.stride - 2
    return (2 + rows // 4 * 2) * lattice.stride + cols // 4 * 2


SMALLEST_SIDE = 3
"""The minimum side of a room."""


def rooms(rows: int, cols: int, room_size: int, rng: LevelRNG) -> BoolArray:
    """Return (rows, cols) the walls of rooms with sides from 3 to `room_size`, at least 6.

    A maze that would be a single room is divided nevertheless if it is longer than 6.
    """
    largest = room_size if max(rows, cols) > room_size else 2 * SMALLEST_SIDE
    return _divide(rows, cols, smallest=SMALLEST_SIDE, largest=largest, rng=rng)


def division(rows: int, cols: int, rng: LevelRNG) -> BoolArray:
    """Return (rows, cols) the walls of a perfect maze of long straight walls, both numbers odd."""
    return _divide(rows, cols, smallest=1, largest=1, rng=rng)


def _divide(rows: int, cols: int, *, smallest: int, largest: int, rng: LevelRNG) -> BoolArray:
    """Divide rooms along their longer side, until it is at most `largest` or the other side is 1.

    Recursive division (Buck 2015, chapter 11), with the rooms still to be divided in a list.
    `smallest` is odd, and `largest` less than `2 * smallest` only where all sides are odd.
    """
    uniform = rng.uniforms().__next__
    walls = bytearray(rows * cols)
    wall = b"\1" * max(rows, cols)
    rooms = [(0, 0, rows, cols)]
    while rooms:
        top, left, height, width = rooms.pop()
        upright = width > height or (width == height and uniform() < 0.5)
        long, short = (width, height) if upright else (height, width)
        if long <= largest or short == 1:
            continue
        # Walls on odd and doors on even rows and columns: no later wall ends at a door.
        at = smallest + 2 * int(uniform() * ((long - 1) // 2 - smallest + 1))
        door = 2 * int(uniform() * ((short + 1) // 2))
        if upright:
            first = top * cols + left + at
            walls[first : first + height * cols : cols] = wall[:height]
            walls[first + door * cols] = 0
            rooms.append((top, left, height, at))
            rooms.append((top, left + at + 1, height, width - at - 1))
        else:
            first = (top + at) * cols + left
            walls[first : first + width] = wall[:width]
            walls[first + door] = 0
            rooms.append((top, left, at, width))
            rooms.append((top + at + 1, left, height - at - 1, width))
    return np.frombuffer(walls, dtype=np.bool_).reshape(rows, cols)
