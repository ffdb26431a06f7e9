"""Kernels, and how likely they make the targets.

The covariance of output j is s_j^2 (R + eta I): a correlation R with a length scale for each input
(automatic relevance determination, Rasmussen & Williams 2006, section 5.1) and a share of noise
eta, both shared by all outputs, and a variance s_j^2 of each output's own, at its likeliest value
in closed form (the concentrated likelihood of kriging; Jones, Schonlau & Welch 1998, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dynamaze.messages import optional_import

from .protocol import FloatArray
from .units import spread_of

lapack = optional_import("scipy.linalg.lapack", extra="models", purpose="GaussianProcess")
optimize = optional_import("scipy.optimize", extra="models", purpose="GaussianProcess")

PSEUDO = 1.0
"""How many targets one spread off, far from all others, count beside the data in s_j^2.

Without them a constant target would leave no doubt anywhere.
"""
LENGTH_BOUNDS = (1e-2, 1e3)  # in spreads of the input
NOISE_BOUNDS = (1e-6, 1e2)  # as a share of the signal's variance
ITERATIONS = 50


class HyperParameters(NamedTuple):
    """What the outputs share."""

    length_scales: FloatArray  # (inputs,) how far one must go for another value
    noise: float  # eta: the noise's variance as a share of the signal's


def squared_exponential(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R and its slope w at squared distances; dR/dlog l_i = w D_i (R&W equations 4.9 and 5.1)."""
    correlation = -0.5 * squared
    np.exp(correlation, out=correlation)
    return correlation, correlation


def matern52(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The Matern kernel with nu = 5/2 (R&W equation 4.17), likewise."""
    root = np.sqrt(5 * squared)
    falling = np.exp(-root)
    return (1 + root + root**2 / 3) * falling, 5 / 3 * (1 + root) * falling


KERNELS: dict[str, Callable[[FloatArray], tuple[FloatArray, FloatArray]]] = {
    "squared_exponential": squared_exponential,
    "matern52": matern52,
}


def squared_distances(left: FloatArray, right: FloatArray) -> FloatArray:
    """(left, right) squared distances of rows; rounding never makes one negative."""
    # One product of longer rows: |a|^2 * 1 + 1 * |b|^2 - 2 ab.
    first = np.column_stack([left, (left**2).sum(axis=1), np.ones(len(left))])
    second = np.column_stack([-2 * right, np.ones(len(right)), (right**2).sum(axis=1)])
    distances: FloatArray = first @ second.T
    return np.maximum(distances, 0.0, out=distances)


def signal_variance(quadratic: FloatArray, spread: FloatArray, noise: float, n: int) -> FloatArray:
    """(outputs,) the likeliest s_j^2, given y' (R + eta I)^-1 y for each output."""
    variance: FloatArray = (quadratic + PSEUDO * spread**2 / (1 + noise)) / (n + PSEUDO)
    return variance


def log_likelihood(
    theta: FloatArray, kernel: str, inputs: FloatArray, targets: FloatArray
) -> tuple[float, FloatArray]:
    """The concentrated log marginal likelihood and its gradient (R&W equations 5.8 and 5.9).

    Args:
        theta: (inputs + 1,) logarithms of the length scales and of the noise's share.
        kernel: one of `KERNELS`.
        inputs: (batch, inputs).
        targets: (batch, outputs) without their mean, none of them constant.
    """
    n, outputs = targets.shape
    noise = float(np.exp(theta[-1]))
    scaled = inputs / np.exp(theta[:-1])
    correlation, slope = KERNELS[kernel](squared_distances(scaled, scaled))
    factor = cholesky(correlation + noise * np.eye(n))
    # Not dpotri: its many small parallel parts take 100 times as long on a machine that is shared.
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


def tuned(
    kernel: str,
    inputs: FloatArray,
    targets: FloatArray,
    starts: list[HyperParameters],
) -> HyperParameters:
    """The likeliest hyper-parameters (R&W section 5.4.1), by L-BFGS-B from each start.

    Args:
        kernel: one of `KERNELS`.
        inputs: (batch, inputs).
        targets: (batch, outputs) without their mean, none of them constant.
        starts: where to begin; the best end is taken.
    """
    unit = np.append(np.log(spread_of(inputs)), 0.0)
    bounds = np.log([*[LENGTH_BOUNDS] * inputs.shape[1], NOISE_BOUNDS]) + unit[:, None]

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = log_likelihood(theta, kernel, inputs, targets)
        return -value, -gradient

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
    """The lower Cholesky factor, in columns' order (R&W algorithm 2.1, line 2).

    Raises:
        np.linalg.LinAlgError: if the matrix is not positive definite.
    """
    factor, info = lapack.dpotrf(matrix, lower=1, clean=1)
    if info:
        raise np.linalg.LinAlgError(f"row {info} of a covariance is not positive definite")
    lower: FloatArray = factor
    return lower
