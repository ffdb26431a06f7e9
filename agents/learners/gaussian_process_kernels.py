"""Kernels, and how likely they make the targets.

The covariance of output j is s_j^2 (R + eta I): a correlation R with a length scale for each input
(automatic relevance determination, Rasmussen & Williams 2006) and a share of noise
eta, both shared by all outputs, and a variance s_j^2 of each output's own, at its likeliest value
in closed form (the concentrated likelihood of kriging; Jones, Schonlau & Welch 1998).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import

from .units import spread_of

lapack = optional_import("scipy.linalg.lapack", extra="models", purpose="GaussianProcess")
optimize = optional_import("scipy.optimize", extra="models", purpose="GaussianProcess")

PSEUDO = 1.0
"""How many targets one spread off, far from all others, count beside the data in s_j^2.

Without them a constant target would leave no doubt anywhere.
"""
LENGTH_BOUNDS = (1e-2, 1e3)  # in spreads of the input
NOISE_BOUNDS = (1e-6, 1e2)  # as a share of the signal's variance
LENGTH_PRIOR = (1.0, 2.0)
"""A length scale in spreads of the input before data: its median, and its logarithm's spread."""
NOISE_PRIOR = (0.1, 2.0)
"""The same of the noise's share."""
ITERATIONS = 50


class HyperParameters(NamedTuple):
    """What the outputs share."""

    length_scales: FloatArray  # (inputs,) how far one must go for another value
    noise: float  # eta: the noise's variance as a share of the signal's


def squared_exponential(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R and its slope w at squared distances; dR/dlog l_i = w D_i (R&W section 4.2)."""
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


def signal_variance(
    quadratic: FloatArray, spread: FloatArray, noise: float, n: int, fitted: float
) -> FloatArray:
    """(outputs,) s_j^2, given y' (R + eta I)^-1 y for each output.

    What was fitted to the targets uses them up, as weights do in linear regression: they count as
    so many fewer (but at least half of them), or with few of them it would be too small.

    Args:
        quadratic: (outputs,).
        spread: (outputs,) of the targets.
        noise: eta.
        n: how many targets an output has.
        fitted: how many hyper-parameters for each output.
    """
    count = max(n + PSEUDO - fitted, (n + PSEUDO) / 2)
    variance: FloatArray = (quadratic + PSEUDO * spread**2 / (1 + noise)) / count
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


def log_prior(theta: FloatArray) -> tuple[float, FloatArray]:
    """The logarithm of the hyper-parameters' prior density, but for a constant, and its gradient.

    Args:
        theta: (inputs + 1,) logarithms of the length scales in spreads, and of the noise's share.
    """
    median, spread = np.array([*[LENGTH_PRIOR] * (len(theta) - 1), NOISE_PRIOR]).T
    away = (theta - np.log(median)) / spread
    return float(-0.5 * away @ away), -away / spread


def tuned(
    kernel: str,
    inputs: FloatArray,
    targets: FloatArray,
    starts: list[HyperParameters],
) -> HyperParameters:
    """The likeliest hyper-parameters given data and their priors, by L-BFGS-B from each start.

    The likelihood alone (R&W section 5.4.1) is flat where data is scarce, and its top is then too
    often a function without noise.

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
    """The lower Cholesky factor, in columns' order (R&W algorithm 2.1, line 2).

    Raises:
        np.linalg.LinAlgError: if the matrix is not positive definite.
    """
    factor, info = lapack.dpotrf(matrix, lower=1, clean=1)
    if info:
        raise np.linalg.LinAlgError(f"row {info} of a covariance is not positive definite")
    lower: FloatArray = factor
    return lower
