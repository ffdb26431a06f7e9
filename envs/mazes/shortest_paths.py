"""Shortest paths by breadth-first search, and the diameter of a maze.

The search is one function over flat sequences. Small mazes run it uncompiled, on Python lists,
and do not wait for Numba; large ones run it compiled, on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, IntArray

UNSEEN, BLOCKED = -1, -2
"""Distances of cells that were not reached yet, and of those that never are."""

LARGE = 10_000
"""Mazes with at least this many cells are searched by compiled code; importing Numba takes longer
for smaller ones."""


def bfs_distances(blocked: BoolArray, sources: Sequence[int] | IntArray) -> IntArray:
    """Return (rows, cols) the steps from the nearest source; -1 on blocked and unreachable cells.

    Time and memory are O(cells), whatever the paths.

    Args:
        blocked: (rows, cols) True where no path goes.
        sources: indices ``row * cols + col`` of the sources, without duplicates and without
            blocked cells.
    """
    grid = _SearchGrid(blocked)
    row, col = np.divmod(np.asarray(sources, dtype=np.int64), blocked.shape[1])
    distance = grid.unseen()
    grid.search(distance, (row + 1) * grid.stride + col + 1)
    inside: IntArray = np.asarray(distance).reshape(-1, grid.stride)[1:-1, 1:-1]
    del grid  # of 64 MB in the largest maze
    distances: IntArray = np.maximum(inside, UNSEEN)
    return distances


def bfs_order(blocked: BoolArray, source: tuple[int, int]) -> tuple[IntArray, IntArray]:
    """Return (cells,) the cells that can be reached from a source, by distance, and the distances.

    Args:
        blocked: (rows, cols) True where no path goes.
        source: (row, col) of the first cell.

    Returns:
        Indices ``row * cols + col`` in the order of the search, and the steps to each.
    """
    grid = _SearchGrid(blocked)
    distance = grid.unseen()
    start = np.array([(source[0] + 1) * grid.stride + source[1] + 1])
    nodes = grid.reached(grid.search(distance, start))
    row, col = np.divmod(nodes, grid.stride)
    return (row - 1) * blocked.shape[1] + col - 1, np.asarray(distance)[nodes]


def downhill_path(distances: IntArray, cell: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the cells of a path along which the distance falls by 1 at each step, ends included.

    If several such paths exist, a step prefers up to right, right to down, and down to left.

    Args:
        distances: (rows, cols) as `bfs_distances` made them.
        cell: (row, col) the first cell, of distance 0 or more.
    """
    padded = np.pad(distances, 1, constant_values=UNSEEN)
    stride = padded.shape[1]
    flat = padded.ravel().tolist()
    node = (cell[0] + 1) * stride + cell[1] + 1
    nodes = [node]
    for left in range(flat[node] - 1, -1, -1):
        for step in (-stride, 1, stride, -1):
            if flat[node + step] == left:
                node += step
                break
        nodes.append(node)
    return [(row - 1, col - 1) for row, col in (divmod(node, stride) for node in nodes)]


def diameter(blocked: BoolArray) -> int:
    """Return the length of the longest shortest path between two connected cells.

    Exact, by the bounds of Takes and Kosters (2011, "Determining the diameter of small world
    networks"). A search takes O(cells). Mazes without loops and open ones need a handful of
    searches, mazes with obstacles some dozens: at 1000 x 1000 a second or two. In the worst case,
    a maze that is one loop, there is a search from every cell.

    Args:
        blocked: (rows, cols) True where no path goes.
    """
    grid = _SearchGrid(blocked)
    longest = 0
    for nodes in sorted(grid.components(), key=len, reverse=True):
        if len(nodes) - 1 <= longest:
            break
        longest = _component_diameter(grid, nodes, longest)
    return longest


def _component_diameter(grid: _SearchGrid, nodes: IntArray, longest: int) -> int:
    """Return the diameter of one connected component, or `longest` if that is more."""
    # Lower and upper bounds of each node's eccentricity, its greatest distance to another node.
    low = np.zeros(len(nodes), dtype=np.int64)
    high = np.full(len(nodes), len(nodes) - 1)
    searched = np.zeros(len(nodes), dtype=np.bool_)
    central = False
    while (high > longest).any():  # a node with a smaller upper bound cannot change the result
        # Alternate between the largest upper and the smallest lower bound.
        chosen = int(np.where(searched, len(nodes), low).argmin() if central else high.argmax())
        distance = grid.unseen()
        grid.search(distance, nodes[chosen : chosen + 1])
        steps = np.asarray(distance)[nodes]
        furthest = int(steps.max())
        longest = max(longest, furthest)
        # Takes & Kosters 2011: if the searched node has eccentricity e, that of a node d steps
        # away is at least max(d, e - d) and at most e + d.
        low = np.maximum(low, np.maximum(steps, furthest - steps))
        high = np.minimum(high, furthest + steps)
        searched[chosen] = True
        central = not central
    return longest


class _SearchGrid:
    """A maze with a blocked border, as flat lists if it is small and as arrays if it is large.

    The node of a cell is ``(row + 1) * stride + col + 1``.
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
        self._rule: Any = _compiled_search() if is_large else breadth_first_search

    def unseen(self) -> Any:
        """Return the distances before a search: UNSEEN or BLOCKED."""
        return self._unseen.copy()

    def search(self, distance: Any, sources: IntArray) -> int:
        """Search from the sources; write into `distance` and return the number of nodes reached."""
        queue = self._queue
        for number, node in enumerate(sources.tolist()):
            queue[number] = node
            distance[node] = 0
        reached: int = self._rule(distance, queue, len(sources), self.stride)
        return reached

    def reached(self, number: int) -> IntArray:
        """Return that many nodes of the last search, in their order."""
        return np.array(self._queue[:number])

    def components(self) -> list[IntArray]:
        """Return the nodes of each connected component."""
        distance = self.unseen()
        return [
            self.reached(self.search(distance, np.array([node])))
            for node in np.flatnonzero(self.flat == UNSEEN).tolist()
            if distance[node] == UNSEEN
        ]


def breadth_first_search(distance: Any, queue: Any, filled: int, stride: int) -> int:
    """Write the distance of every node that can be reached from the sources.

    Args:
        distance: (nodes,) 0 at the sources, UNSEEN or BLOCKED elsewhere; written to.
        queue: (nodes,) begins with the sources; the reached nodes are appended in the order of
            their distances.
        filled: the number of sources in the queue.
        stride: the offset from a node to the one below it.

    Returns:
        The number of nodes in the queue at the end.
    """
    head = 0
    while head < filled:
        node = queue[head]
        head += 1
        next_distance = distance[node] + 1
        for neighbour in (node - stride, node + 1, node + stride, node - 1):
            if distance[neighbour] == UNSEEN:
                distance[neighbour] = next_distance
                queue[filled] = neighbour
                filled += 1
    return filled


@cache
def _compiled_search() -> Any:
    from dynamaze.common.compiled import compiled

    return compiled(breadth_first_search)
