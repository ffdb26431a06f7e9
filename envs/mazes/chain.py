"""Markov chains: what is left of a decision process once a policy decides."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

MIN_BLOCK = 64
"""Equations are solved in blocks of at least so many: smaller ones are not faster."""


class Chain(NamedTuple):
    """The possible moves between S states, ordered by where they begin.

    What the probabilities of a state's moves lack to 1 is the probability that it is the last.
    """

    state: IntArray  # (moves,)
    next_state: IntArray  # (moves,)
    probability: FloatArray  # (moves,), above 0

    def reachable(self, start: FloatArray) -> BoolArray:
        """(S,) whether the chain can be in a state.

        Args:
            start: (S,) probability that it begins there.
        """
        reached = start > 0
        newest = reached
        while newest.any():
            following = np.zeros_like(reached)
            following[self.next_state[newest[self.state]]] = True
            newest = following & ~reached
            reached = reached | newest
        return reached

    def within(self, reached: BoolArray) -> Chain:
        """The chain on some states that it never leaves, numbered anew in the same order.

        Args:
            reached: (S,) which.
        """
        number = np.cumsum(reached) - 1
        moves = reached[self.state]
        return Chain(
            number[self.state[moves]], number[self.next_state[moves]], self.probability[moves]
        )

    def solve(self, right: FloatArray, gamma: float = 1.0) -> FloatArray:
        """(S,) the x that solves ``x = right + gamma P x``.

        By elimination in blocks as wide as the longest move, for in such blocks the equations are
        tridiagonal (Golub & Van Loan 2013, "Matrix Computations", section 4.5.1). No pivots are
        needed beyond a block's own: what stands on the diagonal is at least the rest of its row.

        Args:
            right: (S,).
            gamma: discount in [0, 1].

        Raises:
            numpy.linalg.LinAlgError: if there is no single solution.
        """
        longest = int(np.abs(self.next_state - self.state).max(initial=0))
        width = min(len(right), max(longest, MIN_BLOCK))
        edges = range(0, len(right), width)
        solution: FloatArray = np.zeros((len(edges) + 1) * width)  # one block of zeros behind
        solution[: len(right)] = right
        ahead: list[npt.NDArray[Any]] = []  # what a block takes of the next one's solution
        for edge in edges:
            before, within, behind = self._equations(edge, width, gamma)
            here = slice(edge, edge + width)
            if ahead:
                solution[here] -= before @ solution[edge - width : edge]
                within = within - before @ ahead[-1]
            solved = np.linalg.solve(within, np.column_stack((behind, solution[here])))
            ahead.append(solved[:, :-1])
            solution[here] = solved[:, -1]
        for edge in reversed(edges):
            solution[edge : edge + width] -= ahead.pop() @ solution[edge + width : edge + 2 * width]
        return solution[: len(right)]

    def _equations(self, edge: int, width: int, gamma: float) -> list[FloatArray]:
        """Three (width, width) parts of ``I - gamma P``: columns before, in and behind a block."""
        moves = slice(*np.searchsorted(self.state, (edge, edge + width)))
        row, column = self.state[moves] - edge, self.next_state[moves] - edge + width
        block = np.zeros((width, 3 * width))
        block[:, width : 2 * width] = np.eye(width)
        np.add.at(block, (row, column), -gamma * self.probability[moves])
        return np.split(block, 3, axis=1)
