"""How a maze is made from the number of its level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray
from dynamaze.common.validation import checked_number, did_you_mean

from ..mazes.layout import MAX_CELLS, Cell
from . import draws as purposes
from .draws import Draws
from .obstacles import obstacles
from .random_numbers import farthest_endpoints, random_endpoints
from .rooms import SMALLEST_SIDE, division, rooms
from .trees import TREES, tree

ALGORITHMS = (*TREES, "division", "rooms", "obstacles", "empty")
ENDPOINTS = ("random", "farthest", "corners")

SMALLEST_SIZE = 3
"""A maze has at least so many rows and columns."""

DEFAULT_DENSITY = 0.3
DEFAULT_ROOM_SIZE = 7

_JOINED = (*TREES, "division", "rooms")  # by exactly one way, so that loops can be added
_APPLIES = {"density": ("obstacles",), "loops": _JOINED, "room_size": ("rooms",)}


class GeneratedMaze(NamedTuple):
    """What a `Layout` is made of."""

    walls: BoolArray  # (rows, cols)
    start: Cell
    goal: Cell


@dataclass(frozen=True)
class MazeRecipe:
    """How mazes are made; `make` makes that of a level.

    The perfect mazes ("backtracking", "prim", "kruskal", "wilson" and "division") and the rooms
    have their corridors and doors on even rows and columns. They need no walls around them, so odd
    sizes use all the room: a perfect maze of even size ends in a row or column of walls.

    Attributes:
        size: rows and columns, from 3; one number makes a square. Kept as (rows, cols).
        algorithm: "backtracking" (depth-first search: long winding corridors), "prim" (many short
            dead ends), "kruskal", "wilson" (every perfect maze as likely as the others),
            "division" (long straight walls), "rooms" (rooms joined by doors), "obstacles" (single
            cells that never cut the free ones apart) or "empty" (no wall).
        density: the share of all cells that are obstacles, in [0, 1), 0.3 if None; only of
            "obstacles". It is met exactly, up to rounding, but two cells stay free, and so does
            the way between endpoints in the corners.
        loops: the share, in [0, 1], of the walls between two cells of a perfect maze's corridors
            that are opened, so that there is more than one way; 0 if None. A greater share opens
            the same walls and more. It makes more doors between rooms; "obstacles" and "empty"
            have none.
        room_size: the longest side of a room, at least 6, 7 if None; only of "rooms". The
            shortest is 3. No maze longer than 6 is a single room.
        endpoints: "random" (the start is any free cell, the goal any of those at least half as
            far away as the farthest), "farthest" (in a perfect maze the two cells that are
            farthest apart) or "corners" (from the top left to the bottom right).

    Raises:
        ValueError: for a value that cannot be, or one that the algorithm does not use.
        TypeError: if it is not a number where one is expected.
    """

    size: int | Sequence[int] = 15
    algorithm: str = "backtracking"
    density: float | None = None
    loops: float | None = None
    room_size: int | None = None
    endpoints: str = "random"

    def __post_init__(self) -> None:
        _check_name("algorithm", self.algorithm, ALGORITHMS)
        _check_name("endpoints", self.endpoints, ENDPOINTS)
        object.__setattr__(self, "size", _checked_size(self.size))
        for name, algorithms in _APPLIES.items():
            if getattr(self, name) is not None and self.algorithm not in algorithms:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} with algorithm {self.algorithm!r}; "
                    f"expected no {name}, which only {', '.join(algorithms)} can use"
                )
        if self.density is not None and checked_number("density", self.density, 0, 1) == 1:
            raise ValueError(f"density={self.density!r}; expected a number in [0, 1), without 1")
        if self.loops is not None:
            checked_number("loops", self.loops, 0, 1)
        if self.room_size is not None:
            checked_number("room_size", self.room_size, 2 * SMALLEST_SIDE, whole=True)

    @property
    def shape(self) -> Cell:
        """(rows, cols)."""
        rows, cols = self.size  # type: ignore[misc]  # a pair since __post_init__
        return rows, cols

    def make(self, level: int) -> GeneratedMaze:
        """Make the maze of a level: the same number, the same maze.

        Args:
            level: a whole number of at least 0.

        Raises:
            ValueError: if it is negative; TypeError if it is not a whole number.
        """
        level = _checked_level(level)
        walls = self._walls(level)
        if self.endpoints == "corners":
            return GeneratedMaze(walls, *self._corners())
        find = random_endpoints if self.endpoints == "random" else farthest_endpoints
        return GeneratedMaze(walls, *find(walls, Draws(level, purposes.ENDPOINTS)))

    def _walls(self, level: int) -> BoolArray:
        rows, cols = self.shape
        draws = Draws(level, purposes.WALLS)
        if self.algorithm == "empty":
            return np.zeros((rows, cols), dtype=np.bool_)
        if self.algorithm == "obstacles":
            density = DEFAULT_DENSITY if self.density is None else float(self.density)
            kept = self._corners() if self.endpoints == "corners" else ()
            return obstacles(rows, cols, density, kept, draws)
        if self.algorithm == "rooms":
            room_size = DEFAULT_ROOM_SIZE if self.room_size is None else int(self.room_size)
            walls = rooms(rows, cols, room_size, draws)
        else:
            walls = np.ones((rows, cols), dtype=np.bool_)
            rows, cols = _odd(rows), _odd(cols)
            if self.algorithm == "division":
                walls[:rows, :cols] = division(rows, cols, draws)
            else:
                walls[:rows, :cols] = tree(self.algorithm, rows, cols, draws)
        if self.loops:
            _open_loops(walls, float(self.loops), Draws(level, purposes.LOOPS))
        return walls

    def _corners(self) -> tuple[Cell, Cell]:
        rows, cols = self.shape
        if self.algorithm in (*TREES, "division"):
            rows, cols = _odd(rows), _odd(cols)
        return (0, 0), (rows - 1, cols - 1)


def _odd(side: int) -> int:
    """The rows or columns of the even ones' lattice: all of an odd side, one less of an even."""
    return side - 1 + side % 2


def _open_loops(walls: BoolArray, share: float, draws: Draws) -> None:
    """Open a share, rounded, of the walls between two cells of the lattice, in place."""
    rows, cols = (_odd(side) for side in walls.shape)
    between = np.zeros_like(walls)
    between[:rows:2, 1:cols:2] = between[1:rows:2, :cols:2] = True
    closed = np.flatnonzero(between & walls)
    chosen = draws.permutation(closed.size)[: int(share * closed.size + 0.5)]
    walls.flat[closed[chosen]] = False


def _check_name(what: str, name: object, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(
            f"{what}={name!r}; expected one of {list(known)}{did_you_mean(name, known)}"
        )


def _checked_size(size: object) -> Cell:
    expected = f"a whole number of at least {SMALLEST_SIZE}, or two of them (rows, cols)"
    pair = size if isinstance(size, Iterable) and not isinstance(size, str) else (size, size)
    try:
        sides = [_index(side) for side in pair]
    except TypeError:
        raise TypeError(f"size={size!r}; expected {expected}") from None
    if len(sides) != 2 or min(sides) < SMALLEST_SIZE:
        raise ValueError(f"size={size!r}; expected {expected}")
    rows, cols = sides
    if rows * cols > MAX_CELLS:
        raise ValueError(
            f"size={size!r} is a maze of {rows * cols:,} cells; expected at most {MAX_CELLS:,}"
        )
    return rows, cols


def _checked_level(level: object) -> int:
    expected = "a whole number of at least 0"
    try:
        number = _index(level)
    except TypeError:
        raise TypeError(f"level={level!r}; expected {expected}") from None
    if number < 0:
        raise ValueError(f"level={level!r}; expected {expected}")
    return number


def _index(number: object) -> int:
    """The whole number that something is, but not a bool."""
    if isinstance(number, bool):
        raise TypeError
    return index(number)  # type: ignore[arg-type]  # that is the question
