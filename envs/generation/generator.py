"""Generator of mazes from the numbers of levels, and the choice of their starts and goals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from operator import index
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray
from dynamaze.common.validation import checked_choice, checked_integer, checked_number, shown

from ..mazes.layout import MAX_CELLS, Cell
from ..mazes.shortest_paths import bfs_order
from . import level_rng as purposes
from .level_rng import LevelRNG
from .obstacles import obstacles
from .trees import SMALLEST_SIDE, TREES, division, rooms, tree

ALGORITHMS = (*TREES, "division", "rooms", "obstacles", "empty")
ENDPOINTS = ("random", "farthest", "corners")

SMALLEST_SIZE = 3
"""The minimum number of rows and of columns."""

DEFAULT_DENSITY = 0.3
DEFAULT_ROOM_SIZE = 7

TREE_LIKE = (*TREES, "division", "rooms")
"""Algorithms without loops, so that loops can be added."""

_NUMBERS: dict[str, tuple[Callable[..., float], float, float]] = {
    "density": (checked_number, 0, 1),
    "loops": (checked_number, 0, 1),
    "room_size": (checked_integer, 2 * SMALLEST_SIDE, math.inf),
}
_APPLIES = {"density": ("obstacles",), "loops": TREE_LIKE, "room_size": ("rooms",)}


SPLITS = ("train", "test")

SALT = b"maze2661014"
"""Salt of the digest of a maze's walls, searched so that even the smallest mazes are divided.

With it both halves have mazes of each algorithm and size from 3 to 9 that has two kinds of walls.
"""

REDRAW_OFFSET = 2**53
"""Difference of the numbers that a level draws from: above all numbers of levels."""

MAX_DRAWS = 256
MAX_EQUAL_DRAWS = 32
"""Draws of a level after which a split is given up, if all have different, or equal, walls."""


class GeneratedMaze(NamedTuple):
    """Arguments of a `Layout`."""

    walls: BoolArray  # (rows, cols)
    start: Cell
    goal: Cell


@dataclass(frozen=True)
class MazeGenerator:
    """Generator of mazes; `make` generates that of a level.

    The perfect mazes ("backtracking", "prim", "kruskal", "wilson" and "division") and the rooms
    have their corridors and doors on even rows and columns. They need no walls around them, so odd
    sizes use all the space: a perfect maze of even size ends in a row or column of walls.

    Attributes:
        size: rows and columns, from 3; one number makes a square. Stored as (rows, cols).
        algorithm: "backtracking" (depth-first search: long winding corridors), "prim" (many short
            dead ends), "kruskal", "wilson" (uniform over all perfect mazes), "division" (long
            straight walls), "rooms" (rooms connected by doors), "obstacles" (single cells that
            never disconnect the free ones) or "empty" (no wall).
        density: the share of all cells that are obstacles, in [0, 1), 0.3 if None; only for
            "obstacles". It is exact up to rounding, but two cells stay free, and so does a path
            between endpoints in the corners.
        loops: the share, in [0, 1], of the walls between two cells of a perfect maze's corridors
            that are opened, so that there is more than one path; 0 if None. A greater share opens
            the same walls and more. It adds doors between rooms; not for "obstacles" and "empty".
        room_size: the maximum side of a room, at least 6, 7 if None; only for "rooms". The minimum
            is 3. No maze longer than 6 is a single room.
        endpoints: "random" (the start is any free cell, the goal any of those at least half as far
            away as the farthest), "farthest" (in a perfect maze the two cells that are farthest
            apart) or "corners" (from the top left to the bottom right).
        split: "train" or "test" for a half of all mazes: those whose walls have a digest with the
            last bit 0 or 1. No maze of one half has the walls of a maze of the other, whatever
            their numbers, algorithms and endpoints are. A level whose maze is in the other half
            is generated again from further random numbers. None for all mazes.

    Raises:
        ValueError: for an invalid value, or one that the algorithm does not use; for a `split`
            where one half is empty, for example because all mazes have the same walls.
        TypeError: for anything but a number where one is expected.
    """

    size: int | Sequence[int] = 15
    algorithm: str = "backtracking"
    density: float | None = None
    loops: float | None = None
    room_size: int | None = None
    endpoints: str = "random"
    split: str | None = None

    def __post_init__(self) -> None:
        checked_choice("algorithm", self.algorithm, ALGORITHMS)
        checked_choice("endpoints", self.endpoints, ENDPOINTS)
        object.__setattr__(self, "size", _checked_size(self.size))
        for name, algorithms in _APPLIES.items():
            if getattr(self, name) is not None and self.algorithm not in algorithms:
                raise ValueError(
                    f"{name}={shown(getattr(self, name))} with algorithm {self.algorithm!r}; "
                    f"expected no {name}, which only {', '.join(algorithms)} can use"
                )
        given = self.density
        for name, (check, low, high) in _NUMBERS.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, check(name, getattr(self, name), low, high))
        if self.density == 1:
            raise ValueError(f"density={shown(given)}; expected a number in [0, 1), without 1")
        if self.split is not None:
            checked_choice("split", self.split, SPLITS, otherwise="None")
            for half in SPLITS:
                self._draw(0, half)

    @property
    def shape(self) -> Cell:
        """(rows, cols)."""
        rows, cols = self.size  # type: ignore[misc]  # a pair since __post_init__
        return rows, cols

    def describe(self) -> dict[str, Any]:
        """Return the fields as plain data, with the defaults of those that are None."""
        unset = {"density": DEFAULT_DENSITY, "loops": 0.0, "room_size": DEFAULT_ROOM_SIZE}
        described = asdict(self)
        for name, default in unset.items():
            used = self.algorithm in _APPLIES[name]
            described[name] = default if used and described[name] is None else described[name]
        return described

    def make(self, level: int) -> GeneratedMaze:
        """Generate the maze of a level: the same number is the same maze.

        Args:
            level: an integer of at least 0.

        Raises:
            ValueError: if it is negative; TypeError if it is not an integer.
        """
        level, walls = self._draw(_checked_level(level), self.split)
        if self.endpoints == "corners":
            return GeneratedMaze(walls, *self._corners())
        find = random_endpoints if self.endpoints == "random" else farthest_endpoints
        return GeneratedMaze(walls, *find(walls, LevelRNG(level, purposes.ENDPOINTS)))

    def _draw(self, level: int, split: str | None) -> tuple[int, BoolArray]:
        """Return the number that gives a level's maze in a half, and its walls.

        Raises:
            ValueError: if no maze of the half is found.
        """
        seen = set()
        for draw in range(MAX_DRAWS):
            number = level + draw * REDRAW_OFFSET
            walls = self._walls(number)
            digest = 0 if split is None else walls_digest(walls)
            if split is None or SPLITS[digest & 1] == split:
                return number, walls
            seen.add(digest)
            if draw >= MAX_EQUAL_DRAWS and len(seen) == 1:
                break
        raise ValueError(
            f"split={self.split!r} with algorithm={self.algorithm!r}, size={self.size}, "
            f"density={self.density}, loops={self.loops}: {draw + 1} draws gave {len(seen)} "
            f"different walls and no {split} maze; expected mazes with more kinds of walls"
        )

    def _walls(self, level: int) -> BoolArray:
        rows, cols = self.shape
        rng = LevelRNG(level, purposes.WALLS)
        if self.algorithm == "empty":
            return np.zeros((rows, cols), dtype=np.bool_)
        if self.algorithm == "obstacles":
            density = DEFAULT_DENSITY if self.density is None else float(self.density)
            kept = self._corners() if self.endpoints == "corners" else ()
            return obstacles(rows, cols, density, kept, rng)
        if self.algorithm == "rooms":
            room_size = DEFAULT_ROOM_SIZE if self.room_size is None else int(self.room_size)
            walls = rooms(rows, cols, room_size, rng)
        else:
            walls = np.ones((rows, cols), dtype=np.bool_)
            rows, cols = _odd(rows), _odd(cols)
            if self.algorithm == "division":
                walls[:rows, :cols] = division(rows, cols, rng)
            else:
                walls[:rows, :cols] = tree(self.algorithm, rows, cols, rng)
        if self.loops:
            _open_loops(walls, float(self.loops), LevelRNG(level, purposes.LOOPS))
        return walls

    def _corners(self) -> tuple[Cell, Cell]:
        rows, cols = self.shape
        if self.algorithm in (*TREES, "division"):
            rows, cols = _odd(rows), _odd(cols)
        return (0, 0), (rows - 1, cols - 1)


def walls_digest(walls: BoolArray) -> int:
    """Return a digest of a maze's walls, the same on every machine."""
    data = np.packbits(walls).tobytes()
    shape = repr(tuple(map(int, walls.shape))).encode()
    digest = blake2b(data, digest_size=8, key=shape, salt=SALT).digest()
    return int.from_bytes(digest, "little")


def _odd(side: int) -> int:
    """Return the rows or columns of the lattice: all of an odd side, one less of an even side."""
    return side - 1 + side % 2


def _open_loops(walls: BoolArray, share: float, rng: LevelRNG) -> None:
    """Open a share, rounded, of the walls between two cells of the lattice, in place."""
    rows, cols = (_odd(side) for side in walls.shape)
    between = np.zeros_like(walls)
    between[:rows:2, 1:cols:2] = between[1:rows:2, :cols:2] = True
    closed = np.flatnonzero(between & walls)
    chosen = rng.permutation(closed.size)[: int(share * closed.size + 0.5)]
    walls.flat[closed[chosen]] = False


def _checked_size(size: Any) -> Cell:
    expected = f"a whole number of at least {SMALLEST_SIZE}, or two of them (rows, cols)"
    pair = size.tolist() if isinstance(size, np.ndarray) else size
    if isinstance(pair, str | bytes | bytearray | memoryview) or not isinstance(pair, Sequence):
        pair = (pair, pair)
    try:
        sides = [_index(side) for side in pair[:3]]  # a range may have any number
    except TypeError:
        raise TypeError(f"size={shown(size)}; expected {expected}") from None
    if len(sides) != 2 or min(sides) < SMALLEST_SIZE:
        raise ValueError(f"size={shown(size)}; expected {expected}")
    rows, cols = sides
    if rows * cols > MAX_CELLS:
        cells = f"{rows * cols:,}" if rows * cols < 10**30 else "at least 10**30"
        raise ValueError(
            f"size={shown(size)} is a maze of {cells} cells; expected at most {MAX_CELLS:,}"
        )
    return rows, cols


def _checked_level(level: object) -> int:
    expected = "a whole number of at least 0"
    try:
        number = _index(level)
    except TypeError:
        raise TypeError(f"level={shown(level)}; expected {expected}") from None
    if number < 0:
        raise ValueError(f"level={shown(level)}; expected {expected}")
    return number


def _index(number: object) -> int:
    """Return an integer, but refuse a bool."""
    if isinstance(number, bool):
        raise TypeError
    return index(number)  # type: ignore[arg-type]  # checked by the call


def random_endpoints(walls: BoolArray, rng: LevelRNG) -> tuple[Cell, Cell]:
    """Draw a start among all free cells and a goal at least half as far as the farthest cell."""
    uniform = rng.uniforms().__next__
    start = _free_cell(walls, uniform())
    cells, steps = bfs_order(walls, start)
    far = cells[np.searchsorted(steps, (steps[-1] + 1) // 2) :]
    return start, _cell(walls, far[int(uniform() * len(far))])


def farthest_endpoints(walls: BoolArray, rng: LevelRNG) -> tuple[Cell, Cell]:
    """Return the farthest cell from a random one, and the farthest from that.

    In a perfect maze no two cells are farther apart (Handler, "Minimax location of a facility in an
    undirected tree graph", Transportation Science 7, 1973); in other mazes this is approximate.
    """
    start = _farthest(walls, _free_cell(walls, next(rng.uniforms())))
    return start, _farthest(walls, start)


def _farthest(walls: BoolArray, start: Cell) -> Cell:
    """Return the first of the farthest cells that a breadth-first search reaches."""
    cells, steps = bfs_order(walls, start)
    return _cell(walls, cells[np.searchsorted(steps, steps[-1])])


def _free_cell(walls: BoolArray, uniform: float) -> Cell:
    free = np.flatnonzero(~walls)
    return _cell(walls, free[int(uniform * free.size)])


def _cell(walls: BoolArray, number: np.int64) -> Cell:
    row, col = divmod(int(number), walls.shape[1])
    return row, col
