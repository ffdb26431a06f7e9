"""Shortest ways through a maze: breadth-first search, and the longest of all shortest ways.

The search is one rule over flat sequences. Small mazes run it as it stands, on Python lists, and
wait for nothing; large ones run it compiled, on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, IntArray

UNSEEN, BLOCKED = -1, -2
"""What stands for a distance where no way has come yet, and where none ever does."""

LARGE = 10_000
"""From so many cells on the search is compiled: for fewer, importing Numba takes longer."""


def search_from(blocked: BoolArray, sources: Sequence[int] | IntArray) -> IntArray:
    """(rows, cols) steps from the nearest source through cells that are not blocked; -1 for none.

    Time and memory grow with the number of cells alone, however the ways wind.

    Args:
        blocked: (rows, cols) True where no way goes.
        sources: indices ``row * cols + col`` of the cells where ways begin, none of them blocked
            or named twice.
    """
    field = _Field(blocked)
    row, col = np.divmod(np.asarray(sources, dtype=np.int64), blocked.shape[1])
    distance = field.unseen()
    field.spread(distance, (row + 1) * field.stride + col + 1)
    inside: IntArray = np.asarray(distance).reshape(-1, field.stride)[1:-1, 1:-1]
    distances: IntArray = np.maximum(inside, UNSEEN)
    return distances


def way_down(distances: IntArray, cell: tuple[int, int]) -> list[tuple[int, int]]:
    """The cells of a way along which the distance falls by 1 at each step, both ends included.

    Where there are several such ways, a step goes up rather than right, down or left, in this
    order.

    Args:
        distances: (rows, cols) as `search_from` made them.
        cell: (row, col) where the way begins, of distance 0 or more.
    """
    padded = np.pad(distances, 1, constant_values=UNSEEN)
    stride = padded.shape[1]
    flat = padded.ravel().tolist()
    place = (cell[0] + 1) * stride + cell[1] + 1
    places = [place]
    for left in range(flat[place] - 1, -1, -1):
        for step in (-stride, 1, stride, -1):
            if flat[place + step] == left:
                place += step
                break
        places.append(place)
    return [(row - 1, col - 1) for row, col in (divmod(place, stride) for place in places)]


def diameter(blocked: BoolArray) -> int:
    """Steps of the longest of all shortest ways between two cells that can reach each other.

    Exact, by the bounds of Takes and Kosters (2011, "Determining the diameter of small world
    networks"): after a search from one cell, whose furthest is e steps away, the furthest of a
    cell d steps from it is at least max(d, e - d) and at most e + d steps away. Cells that cannot
    begin the longest way any more are not searched from.

    A search takes time in proportion to the cells. Mazes without loops and open ones need a
    handful of searches, mazes with obstacles some dozens: at 1000 x 1000 a second or two. At
    worst, where a loop is the whole maze, every cell is searched from.

    Args:
        blocked: (rows, cols) True where no way goes.
    """
    field = _Field(blocked)
    longest = 0
    for places in sorted(field.components(), key=len, reverse=True):
        if len(places) - 1 <= longest:
            break
        longest = _longest_way(field, places, longest)
    return longest


def _longest_way(field: _Field, places: IntArray, longest: int) -> int:
    """The diameter of one connected component, or `longest` if that is more."""
    low = np.zeros(len(places), dtype=np.int64)
    high = np.full(len(places), len(places) - 1)
    searched = np.zeros(len(places), dtype=np.bool_)
    central = False
    while (high > longest).any():
        # In turn from where the furthest may be the furthest, and from the middle.
        chosen = int(np.where(searched, len(places), low).argmin() if central else high.argmax())
        distance = field.unseen()
        field.spread(distance, places[chosen : chosen + 1])
        steps = np.asarray(distance)[places]
        furthest = int(steps.max())
        longest = max(longest, furthest)
        low = np.maximum(low, np.maximum(steps, furthest - steps))
        high = np.minimum(high, furthest + steps)
        searched[chosen] = True
        central = not central
    return longest


class _Field:
    """A maze with a blocked edge, as flat sequences: lists if it is small, arrays if it is large.

    The place of a cell in them is ``(row + 1) * stride + col + 1``.
    """

    def __init__(self, blocked: BoolArray) -> None:
        rows, cols = blocked.shape
        self.stride = cols + 2
        padded = np.full((rows + 2, cols + 2), BLOCKED, dtype=np.int64)
        padded[1:-1, 1:-1][~blocked] = UNSEEN
        self.flat = padded.ravel()
        is_large = blocked.size >= LARGE
        self._unseen: Any = self.flat if is_large else self.flat.tolist()
        self._queue: Any = np.empty_like(self.flat) if is_large else [0] * self.flat.size
        self._rule: Any = _compiled_spread() if is_large else spread

    def unseen(self) -> Any:
        """Distances before a search: UNSEEN or BLOCKED."""
        return self._unseen.copy()

    def spread(self, distance: Any, sources: IntArray) -> IntArray:
        """Search from the sources; writes into `distance`, returns the places that were reached."""
        queue = self._queue
        for number, place in enumerate(sources.tolist()):
            queue[number] = place
            distance[place] = 0
        reached = self._rule(distance, queue, len(sources), self.stride)
        return np.array(queue[:reached])

    def components(self) -> list[IntArray]:
        """The places of each connected component."""
        distance = self.unseen()
        return [
            self.spread(distance, np.array([place]))
            for place in np.flatnonzero(self.flat == UNSEEN).tolist()
            if distance[place] == UNSEEN
        ]


def spread(distance: Any, queue: Any, filled: int, stride: int) -> int:
    """Breadth-first search: give every place that can be reached its distance.

    Args:
        distance: for each place 0 where ways begin, UNSEEN or BLOCKED elsewhere; written to.
        queue: as long; begins with the places where ways begin and then gets those reached, in
            the order of their distances.
        filled: how many places the queue has at first.
        stride: how far apart in the sequences a cell and the one below it are.

    Returns:
        How many places the queue has at last.
    """
    head = 0
    while head < filled:
        place = queue[head]
        head += 1
        further = distance[place] + 1
        for near in (place - stride, place + 1, place + stride, place - 1):
            if distance[near] == UNSEEN:
                distance[near] = further
                queue[filled] = near
                filled += 1
    return filled


@cache
def _compiled_spread() -> Any:
    from dynamaze.common.compiled import compiled

    return compiled(spread)
