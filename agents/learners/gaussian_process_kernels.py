"""Kernels, likelihood and growing Cholesky factor of the Gaussian process.

The covariance of output j is s_j^2 (R + eta I): a correlation R with a length scale for each input
(automatic relevance determination, Rasmussen & Williams 2006, R&W below) and a noise ratio
eta, both shared by all outputs, and each output's own variance s_j^2 at its maximum-likelihood
value in closed form (the concentrated likelihood of kriging; Jones, Schonlau & Welch 1998).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.optional_imports import optional_import

from .protocol import column_spreads

lapack = optional_import("scipy.linalg.lapack", extra="models", purpose="GaussianProcess")
optimize = optional_import("scipy.optimize", extra="models", purpose="GaussianProcess")

PSEUDO_COUNT = 1.0
"""Weight, in targets, of a prior signal variance of one target spread in s_j^2.

Without it a constant target would have no variance anywhere.
"""
LENGTH_BOUNDS = (1e-2, 1e3)  # in input standard deviations
NOISE_BOUNDS = (1e-6, 1e2)  # as a fraction of the signal variance
LENGTH_PRIOR = (1.0, 2.0)
"""Log-normal prior of a length scale in input spreads: its median and logarithmic spread."""
NOISE_PRIOR = (0.1, 2.0)
"""Log-normal prior of the noise ratio: its median and logarithmic spread."""
ITERATIONS = 50


class HyperParameters(NamedTuple):
    """Hyper-parameters that the outputs share."""

    length_scales: FloatArray  # (inputs,)
    noise: float  # eta: noise variance as a fraction of the signal variance


def squared_exponential(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return R and its slope w at squared distances; dR/dlog l_i = w D_i (R&W section 4.2)."""
    correlation = -0.5 * squared
    np.exp(correlation, out=correlation)
    return correlation, correlation


def matern52(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return R and its slope of the Matern kernel with nu = 5/2 (R&W equation 4.17)."""
    root = np.sqrt(5 * squared)
    falling = np.exp(-root)
    return (1 + root + root**2 / 3) * falling, 5 / 3 * (1 + root) * falling


KERNELS: dict[str, Callable[[FloatArray], tuple[FloatArray, FloatArray]]] = {
    "squared_exponential": squared_exponential,
    "matern52": matern52,
}


def squared_distances(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the (left, right) squared distances of rows, never negative."""
    # One matrix product of extended rows: |a|^2 * 1 + 1 * |b|^2 - 2 ab
    first = np.column_stack([left, (left**2).sum(axis=1), np.ones(len(left))])
    second = np.column_stack([-2 * right, np.ones(len(right)), (right**2).sum(axis=1)])
    distances: FloatArray = first @ second.T
    return np.maximum(distances, 0.0, out=distances)


def signal_variance(
    quadratic: FloatArray, spread: FloatArray, noise: float, n: int, fitted: float
) -> FloatArray:
    """Return the (outputs,) s_j^2, given y' (R + eta I)^-1 y of each output.

    Fitted hyper-parameters reduce the degrees of freedom, as weights do in linear regression, to at
    least half of the targets.

    Args:
        quadratic: (outputs,).
        spread: (outputs,) standard deviation of the targets.
        noise: eta.
        n: number of targets of an output.
        fitted: number of hyper-parameters for each output.
    """
    count = max(n + PSEUDO_COUNT - fitted, (n + PSEUDO_COUNT) / 2)
    variance: FloatArray = (quadratic + PSEUDO_COUNT * spread**2 / (1 + noise)) / count
    return variance


def log_likelihood(
    theta: FloatArray, kernel: str, inputs: FloatArray, targets: FloatArray
) -> tuple[float, FloatArray]:
    """Return concentrated log marginal likelihood and gradient (R&W equations 5.8 and 5.9).

    Args:
        theta: (inputs + 1,) logarithms of the length scales and of the noise ratio.
        kernel: one of `KERNELS`.
        inputs: (batch, inputs).
        targets: (batch, outputs) without their mean, none of them constant.
    """
    n, outputs = targets.shape
    noise = float(np.exp(theta[-1]))
    scaled = inputs / np.exp(theta[:-1])
    correlation, slope = KERNELS[kernel](squared_distances(scaled, scaled))
    factor = cholesky(correlation + noise * np.eye(n))
    # Not dpotri: its many small parallel parts are 100 times slower on a busy machine.
    root = lapack.dtrtri(factor, lower=1)[0]
    inverse = root.T @ root
    solved = inverse @ targets
    variance = (targets * solved).mean(axis=0)
    value = -0.5 * n * (np.log(2 * np.pi * variance) + 1).sum()
    value -= outputs * np.log(np.diag(factor)).sum()

    weight = (solved / variance) @ solved.T - outputs * inverse
    sloped = weight * slope
    # sum_ab sloped_ab (x_a - x_b)^2 = 2 (sum_a x_a^2 sloped_a. - x' sloped x), input by input.
    moved = sloped.sum(axis=1) @ scaled**2 - (scaled * (sloped @ scaled)).sum(axis=0)
    return float(value), np.append(moved, 0.5 * noise * np.trace(weight))


def log_prior(theta: FloatArray) -> tuple[float, FloatArray]:
    """Return the log prior density of the hyper-parameters, up to a constant, and its gradient.

    Args:
        theta: (inputs + 1,) logarithms of the length scales (in input spreads) and the noise ratio.
    """
    median, spread = np.array([*[LENGTH_PRIOR] * (len(theta) - 1), NOISE_PRIOR]).T
    away = (theta - np.log(median)) / spread
    return float(-0.5 * away @ away), -away / spread


def tune_hyperparameters(
    kernel: str,
    inputs: FloatArray,
    targets: FloatArray,
    starts: list[HyperParameters],
) -> HyperParameters:
    """Return the maximum a posteriori hyper-parameters, by L-BFGS-B from each start.

    The likelihood alone (R&W section 5.4.1) is flat with little data, and its maximum is then often
    a function without noise.

    Args:
        kernel: one of `KERNELS`.
        inputs: (batch, inputs).
        targets: (batch, outputs) without their mean, none of them constant.
        starts: initial points; the best result is returned.
    """
    unit = np.append(np.log(column_spreads(inputs)), 0.0)
    bounds = np.log([*[LENGTH_BOUNDS] * inputs.shape[1], NOISE_BOUNDS]) + unit[:, None]

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = log_likelihood(theta, kernel, inputs, targets)
        prior, slope = log_prior(theta - unit)
        return -value - prior, -gradient - slope

    ends = [
        optimize.minimize(
            loss,
            np.clip(np.log([*start.length_scales, start.noise]), bounds[:, 0], bounds[:, 1]),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": ITERATIONS},
        )
        for start in starts
    ]
    best = np.exp(min(ends, key=lambda end: float(end.fun)).x)
    return HyperParameters(best[:-1], float(best[-1]))


def cholesky(matrix: FloatArray) -> FloatArray:
    """Return the lower Cholesky factor in column-major order (R&W algorithm 2.1, line 2).

    Raises:
        np.linalg.LinAlgError: if the matrix is not positive definite.
    """
    factor, info = lapack.dpotrf(matrix, lower=1, clean=1)
    if info:
        raise np.linalg.LinAlgError(f"row {info} of a covariance is not positive definite")
    lower: FloatArray = factor
    return lower


class FactorRows(NamedTuple):
    """Rows of a growing factor."""

    factor: FloatArray  # (size * (size + 1) / 2,) lower triangle of L, row by row
    whitened: FloatArray  # (size, columns) Z


class GrowingFactor:
    """Growing Cholesky factor L of R + eta I, and Z = L^-1 Y.

    A new row costs one triangular solve, O(n^2), instead of a factorisation, O(n^3).

    Args:
        columns: number of columns of Y.
    """

    def __init__(self, columns: int) -> None:
        # Column-major, so that LAPACK reads the part in use without a copy.
        self._factor = np.zeros((0, 0), order="F")
        self._whitened = np.zeros((0, columns))
        self.size = 0

    @property
    def whitened(self) -> FloatArray:
        """Whitened targets Z (size, columns)."""
        return self._whitened[: self.size]

    @property
    def diagonal(self) -> FloatArray:
        """Diagonal of L, (size,)."""
        return np.diagonal(self._factor)[: self.size]

    def solve(self, right: FloatArray) -> FloatArray:
        """Return L^-1 times (size, k); overwrites its argument."""
        if not self.size or not right.shape[1]:
            return right
        solved, info = lapack.dtrtrs(self._factor[:, : self.size], right, lower=1, overwrite_b=1)
        assert info == 0, info  # the noise keeps the diagonal positive
        left: FloatArray = solved
        return left

    def append(self, cross: FloatArray, block: FloatArray, values: FloatArray) -> None:
        """Append rows of R + eta I and of Y.

        Args:
            cross: (size, new) correlations of old with new points.
            block: (new, new) correlations of the new points, with eta on the diagonal.
            values: (new, columns) rows of Y.
        """
        old, new = cross.shape
        corner = self.solve(cross)
        lower = cholesky(block - corner.T @ corner)
        self._reserve(old + new)
        self._factor[old : old + new, :old] = corner.T
        self._factor[old : old + new, old : old + new] = lower
        rest = values - corner.T @ self.whitened
        self._whitened[old : old + new] = lapack.dtrtrs(lower, rest, lower=1)[0]
        self.size = old + new

    @property
    def rows(self) -> FactorRows:
        """Copy of the rows in use."""
        used = self._factor[: self.size, : self.size]
        return FactorRows(used[np.tril_indices(self.size)], self.whitened.copy())

    def restore(self, rows: FactorRows) -> None:
        """Restore `rows`."""
        size = len(rows.whitened)
        self.size = 0
        self._reserve(size)
        self._factor[:size, :size][np.tril_indices(size)] = rows.factor
        self._whitened[:size] = rows.whitened
        self.size = size

    def _reserve(self, rows: int) -> None:
        if rows <= len(self._factor):
            return
        more = max(rows, 2 * len(self._factor))
        factor = np.zeros((more, more), order="F")
        factor[: self.size, : self.size] = self._factor[: self.size, : self.size]
        whitened = np.zeros((more, self._whitened.shape[1]))
        whitened[: self.size] = self.whitened
        self._factor, self._whitened = factor, whitened


def select_points(
    inputs: FloatArray, correlation: FloatArray, keep: int, novelty: float
) -> IntArray:
    """Select (keep,) points, returned in their order.

    Of equal inputs the newest comes first. Points are taken greedily by the largest variance given
    those taken (the subset selection of Rasmussen & Williams 2006, with the criterion of Fine &
    Scheinberg 2001), down to a variance of `novelty`; the rest is filled with the newest of the
    other points.

    Args:
        inputs: (points, inputs), the oldest first.
        correlation: (points, points) without noise.
        keep: number of points to select.
        novelty: fraction of the prior variance below which a point is redundant.
    """
    points = len(inputs)
    _, newest = np.unique(inputs[::-1], axis=0, return_index=True)
    candidates = np.sort(points - 1 - newest)[::-1]
    among = np.asfortranarray(correlation[np.ix_(candidates, candidates)])
    # A pivoted Cholesky factorisation yields the greedy order.
    _, order, rank, _ = lapack.dpstrf(among, tol=novelty, lower=1)
    taken = candidates[order[:rank] - 1][:keep]
    others = np.setdiff1d(np.arange(points), taken)
    return np.sort(np.concatenate([taken, others[len(others) - (keep - len(taken)) :]]))
