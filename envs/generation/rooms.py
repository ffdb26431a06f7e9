"""Mazes made by dividing: walls with one door each, until every room is small enough.

Walls lie on odd and doors on even rows and columns, so that no later wall ends at a door. The
doors join the rooms in a tree: between two rooms there is exactly one way.

Buck, "Mazes for Programmers", 2015, chapter 11 ("Recursive Division" and its rooms), with the
rooms still to be divided kept in a list.
"""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import BoolArray

from .draws import Draws

SMALLEST_SIDE = 3
"""A room has at least so many cells on a side."""


def rooms(rows: int, cols: int, room_size: int, draws: Draws) -> BoolArray:
    """(rows, cols) the walls of rooms with sides from 3 to `room_size`, which is at least 6.

    A maze that would be a single room is divided nevertheless, where it is longer than 6.
    """
    largest = room_size if max(rows, cols) > room_size else 2 * SMALLEST_SIDE
    return _divide(rows, cols, smallest=SMALLEST_SIDE, largest=largest, draws=draws)


def division(rows: int, cols: int, draws: Draws) -> BoolArray:
    """(rows, cols) the walls of a perfect maze of long straight walls, both numbers odd."""
    return _divide(rows, cols, smallest=1, largest=1, draws=draws)


def _divide(rows: int, cols: int, *, smallest: int, largest: int, draws: Draws) -> BoolArray:
    """Divide along the longer side, until it is at most `largest` or the other one is a corridor.

    `smallest` is odd, and `largest` less than `2 * smallest` only where all sides are odd.
    """
    draw = draws.uniforms().__next__
    walls = bytearray(rows * cols)
    wall = b"\1" * max(rows, cols)
    rooms = [(0, 0, rows, cols)]
    while rooms:
        top, left, height, width = rooms.pop()
        upright = width > height or (width == height and draw() < 0.5)
        long, short = (width, height) if upright else (height, width)
        if long <= largest or short == 1:
            continue
        at = smallest + 2 * int(draw() * ((long - 1) // 2 - smallest + 1))
        door = 2 * int(draw() * ((short + 1) // 2))
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
