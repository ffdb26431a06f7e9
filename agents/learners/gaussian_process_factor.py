"""A Cholesky factor that grows by rows, and which points are worth keeping."""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.optional_imports import optional_import

from .gaussian_process_kernels import cholesky

lapack = optional_import("scipy.linalg.lapack", extra="models", purpose="GaussianProcess")

_FIRST_ROOM = 64


class GrowingFactor:
    """L with L L' = R + eta I, and Z = L^-1 Y, one or more rows after the other.

    A new row costs one triangular solve, O(n^2), instead of a new factor, O(n^3).

    Args:
        columns: how many columns Y has.
    """

    def __init__(self, columns: int) -> None:
        # In columns' order, so that LAPACK reads the part in use where it lies.
        self._room = np.zeros((_FIRST_ROOM, _FIRST_ROOM), order="F")
        self._whitened = np.zeros((_FIRST_ROOM, columns))
        self.size = 0

    @property
    def whitened(self) -> FloatArray:
        """Z (size, columns)."""
        return self._whitened[: self.size]

    @property
    def diagonal(self) -> FloatArray:
        """(size,) the diagonal of L."""
        return np.diagonal(self._room)[: self.size]

    def solve(self, right: FloatArray) -> FloatArray:
        """L^-1 times (size, k), which is used up."""
        if not self.size or not right.shape[1]:
            return right
        solved, info = lapack.dtrtrs(self._room[:, : self.size], right, lower=1, overwrite_b=1)
        assert info == 0, info  # the diagonal has a floor
        left: FloatArray = solved
        return left

    def append(self, cross: FloatArray, block: FloatArray, values: FloatArray) -> None:
        """Add rows of R + eta I and of Y.

        Args:
            cross: (size, new) the old points' correlations with the new ones.
            block: (new, new) the new ones' among each other, with eta on the diagonal.
            values: (new, columns) their rows of Y.
        """
        old, new = cross.shape
        corner = self.solve(cross)
        lower = cholesky(block - corner.T @ corner)
        self._reserve(old + new)
        self._room[old : old + new, :old] = corner.T
        self._room[old : old + new, old : old + new] = lower
        rest = values - corner.T @ self.whitened
        self._whitened[old : old + new] = lapack.dtrtrs(lower, rest, lower=1)[0]
        self.size = old + new

    def packed(self) -> FloatArray:
        """L's lower triangle, row after row."""
        return self._room[: self.size, : self.size][np.tril_indices(self.size)]

    def unpack(self, packed: FloatArray, whitened: FloatArray) -> None:
        """Go back to the rows of `packed` and `whitened`."""
        size = len(whitened)
        self.size = 0
        self._reserve(size)
        self._room[:size, :size][np.tril_indices(size)] = packed
        self._whitened[:size] = whitened
        self.size = size

    def _reserve(self, rows: int) -> None:
        if rows <= len(self._room):
            return
        more = max(rows, 2 * len(self._room))
        room = np.zeros((more, more), order="F")
        room[: self.size, : self.size] = self._room[: self.size, : self.size]
        whitened = np.zeros((more, self._whitened.shape[1]))
        whitened[: self.size] = self.whitened
        self._room, self._whitened = room, whitened


def worth_keeping(
    inputs: FloatArray, correlation: FloatArray, keep: int, novelty: float
) -> IntArray:
    """(keep,) which points to keep, in their order.

    Of equal inputs the newest comes first. Then points are taken greedily, each time the one whose
    variance given those taken is the largest (a pivoted Cholesky factor gives that order; the
    subset of Rasmussen & Williams 2006, with the criterion of Fine & Scheinberg
    2001), as long as it is above `novelty`; what room is left goes to the newest of the others.

    Args:
        inputs: (points, inputs), the oldest first.
        correlation: (points, points) without noise.
        keep: how many, at most the number of points.
        novelty: share of the prior variance below which a point tells nothing new.
    """
    points = len(inputs)
    _, newest = np.unique(inputs[::-1], axis=0, return_index=True)
    candidates = np.sort(points - 1 - newest)[::-1]
    among = np.asfortranarray(correlation[np.ix_(candidates, candidates)])
    _, order, rank, _ = lapack.dpstrf(among, tol=novelty, lower=1)
    taken = candidates[order[:rank] - 1][:keep]
    others = np.setdiff1d(np.arange(points), taken)
    return np.sort(np.concatenate([taken, others[len(others) - (keep - len(taken)) :]]))
