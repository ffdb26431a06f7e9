"""Online exact Gaussian process regression (Rasmussen & Williams 2006).

Differences from the book:

1. All outputs share one correlation and so one Cholesky factor (algorithm 2.1); each has its own
   variance, in closed form.
2. New points extend the factor by a triangular solve instead of a new factorisation.
3. At most `budget` points are kept: a full memory is reduced to the most informative three
   quarters (`select_points`), so that time and memory stay bounded.
4. Hyper-parameters are tuned whenever the number of points seen has doubled, from 16 on, on at most
   `tune_points` of those kept, evenly spaced in time: maximum likelihood (section 5.4.1) with a
   wide prior. They are then treated as known, except for their degrees of freedom. Both widen the
   predicted intervals of few points, which are else too short.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.threads import one_blas_thread
from dynamaze.common.validation import checked_choice, checked_count, checked_number

from .gaussian_process_kernels import (
    KERNELS,
    NOISE_BOUNDS,
    FactorRows,
    GrowingFactor,
    HyperParameters,
    select_points,
    signal_variance,
    squared_distances,
    tune_hyperparameters,
)
from .protocol import LARGEST, BaseLearner, Estimate, column_spreads

TUNE_FROM = 16
"""Smallest number of points for tuning."""

NOVELTY = 1e-2
"""Fraction of the prior variance below which a point is redundant."""

SMALL = 1000
"""Largest budget that runs on one thread; beyond it more threads may help."""

_ROWS = 256  # rows predicted at a time, so that their correlations fit the cache


class GaussianProcess(BaseLearner):
    """Gaussian process for several outputs.

    Suited to few, costly real steps in a continuous environment; its time grows with the points
    kept.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        kernel: "squared_exponential" (smooth) or "matern52" (less so).
        length_scales: (inputs,) or one number; None for the standard deviation of the inputs.
            Tuning starts from them.
        noise: variance of the noise as a share of the signal's, in [1e-6, 100].
        tune: tune the hyper-parameters as data grows.
        budget: largest number of points kept.
        tune_points: largest number of points used in tuning.

    Raises:
        ValueError: for a number outside its range or an unknown kernel.
        ImportError: if SciPy is missing.
    """

    state_fields: ClassVar = {
        "_inputs": "inputs",
        "_targets": "targets",
        "factor_rows": "",
        "length_scales": "length_scales",
        "noise": "noise",
        "offset": "offset",
        "spread": "spread",
        "seen": "seen",
        "_refresh_at": "refresh_at",
        "_fitted": "fitted",
    }
    growing_fields = ("_inputs", "_targets", *FactorRows._fields)

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        *,
        kernel: str = "squared_exponential",
        length_scales: npt.ArrayLike | None = None,
        noise: float = 1e-2,
        tune: bool = True,
        budget: int = 1000,
        tune_points: int = 256,
    ) -> None:
        super().__init__(num_inputs, num_outputs)
        self.kernel = checked_choice("kernel", kernel, KERNELS)
        self.tune = tune
        self.budget = checked_count("budget", budget, 4)
        self.tune_points = checked_count("tune_points", tune_points, TUNE_FROM)
        self.noise = checked_number("noise", noise, *NOISE_BOUNDS)
        self._fixed = _lengths(length_scales, self.num_inputs)
        self.length_scales = np.ones(self.num_inputs) if self._fixed is None else self._fixed
        self.offset = np.zeros(self.num_outputs)
        self.spread = np.ones(self.num_outputs)
        self.seen = 0
        self._inputs = np.zeros((0, self.num_inputs))
        self._targets = np.zeros((0, self.num_outputs))
        self._factor = GrowingFactor(self.num_outputs)
        self._refresh_at = 1
        self._fitted = 0.0  # number of hyper-parameters for each output

    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        with self._threads():
            while len(rows):
                take = min(len(rows), self.budget - self.points)
                self._append(rows[:take], targets[:take])
                rows, targets = rows[take:], targets[take:]
                if self.seen >= self._refresh_at:
                    self._refresh()
                if self.points == self.budget:
                    self._thin()

    def _estimate(self, rows: FloatArray) -> Estimate:
        """Return the predictive mean and variances (R&W algorithm 2.1)."""
        mean = np.empty((len(rows), self.num_outputs))
        unexplained = np.empty((len(rows), 1))
        with self._threads():
            for first in range(0, len(rows), _ROWS):
                part = slice(first, first + _ROWS)
                cross = self._correlation(rows[part], self._inputs)
                solved = self._factor.solve(cross.T).T
                # Mean k' (R + eta I)^-1 y = (L^-1 k)' (L^-1 y) (algorithm 2.1, line 4)
                mean[part] = self.offset + solved @ self._factor.whitened
                # Posterior variance 1 - |L^-1 k|^2 (algorithm 2.1, line 6)
                unexplained[part, 0] = 1 - np.einsum("ij,ij->i", solved, solved)
        variance = self.signal_variance
        noise = np.broadcast_to(variance * self.noise, mean.shape).copy()
        return Estimate(mean, np.maximum(unexplained, 0.0) * variance, noise)

    @property
    def points(self) -> int:
        """Number of points kept."""
        return self._factor.size

    @property
    def signal_variance(self) -> FloatArray:
        """Prior variance (outputs,) of the function."""
        quadratic = (self._factor.whitened**2).sum(axis=0)
        return signal_variance(quadratic, self.spread, self.noise, self.points, self._fitted)

    def log_marginal_likelihood(self) -> float:
        """Return the log marginal likelihood of the kept, centred targets (R&W equation 2.30)."""
        variance, n = self.signal_variance, self.points
        misfit = ((self._factor.whitened**2).sum(axis=0) / variance).sum()
        sizes = n * np.log(2 * np.pi * variance).sum()
        sizes += 2 * self.num_outputs * np.log(self._factor.diagonal).sum()
        return float(-0.5 * (misfit + sizes))

    @property
    def factor_rows(self) -> FactorRows:
        """Rows of the Cholesky factor and the whitened targets."""
        return self._factor.rows

    @factor_rows.setter
    def factor_rows(self, rows: FactorRows) -> None:
        self._factor.restore(rows)

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check that all arrays are of the same number of points."""
        rows = restored["factor_rows"]
        points = len(rows.whitened)
        if len(rows.factor) != points * (points + 1) // 2 or not points == len(
            restored["_inputs"]
        ) == len(restored["_targets"]):
            raise ValueError(
                f"{len(restored['_inputs'])} inputs, {len(restored['_targets'])} targets and "
                f"{len(rows.factor)} numbers of a factor; expected those of {points} points"
            )

    def _threads(self) -> AbstractContextManager[Any]:
        return one_blas_thread() if self.budget <= SMALL else nullcontext()

    def _correlation(self, left: FloatArray, right: FloatArray) -> FloatArray:
        # Centred, because far from the origin squared distances lose precision.
        centre = right.mean(axis=0) if len(right) else 0.0
        left, right = (left - centre) / self.length_scales, (right - centre) / self.length_scales
        return KERNELS[self.kernel](squared_distances(left, right))[0]

    def _append(self, rows: FloatArray, values: FloatArray) -> None:
        cross = self._correlation(self._inputs, rows)
        block = self._correlation(rows, rows) + self.noise * np.eye(len(rows))
        self._factor.append(cross, block, values - self.offset)
        self._inputs = np.concatenate([self._inputs, rows])
        self._targets = np.concatenate([self._targets, values])
        self.seen += len(rows)

    def _refresh(self) -> None:
        """Update units, and tuned hyper-parameters, for all kept points."""
        self.offset = self._targets.mean(axis=0)
        self.spread = column_spreads(self._targets)
        if self._fixed is None and (self.points < TUNE_FROM or not self.tune):
            self.length_scales = column_spreads(self._inputs)
        if self.tune and self.points >= TUNE_FROM:
            self._tune()
        self._refresh_at = 2 * self.seen
        self._keep(np.arange(self.points))

    def _tune(self) -> None:
        places = np.linspace(0, self.points - 1, min(self.points, self.tune_points)).astype(int)
        inputs, targets = self._inputs[places], self._targets[places]
        varying = np.ptp(targets, axis=0) > 0
        if not varying.any():
            return
        unit = column_spreads(inputs)
        starts = [
            HyperParameters(self.length_scales, self.noise),
            HyperParameters(unit, 1e-2),
            HyperParameters(4 * unit, 1e-1),  # may reach another local maximum
        ]
        with one_blas_thread():
            self.length_scales, self.noise = tune_hyperparameters(
                self.kernel,
                inputs - inputs.mean(axis=0),
                targets[:, varying] - targets[:, varying].mean(axis=0),
                starts,
            )
        self._fitted = (self.num_inputs + 1) / int(varying.sum())

    def _thin(self) -> None:
        correlation = self._correlation(self._inputs, self._inputs)
        self._keep(select_points(self._inputs, correlation, self.budget * 3 // 4, NOVELTY))

    def _keep(self, places: npt.NDArray[np.int64]) -> None:
        rows, values, seen = self._inputs[places], self._targets[places], self.seen
        self._inputs, self._targets = self._inputs[:0], self._targets[:0]
        self._factor.size = 0
        self._append(rows, values)
        self.seen = seen


def _lengths(length_scales: npt.ArrayLike | None, num_inputs: int) -> FloatArray | None:
    if length_scales is None:
        return None
    lengths = np.asarray(length_scales, dtype=np.float64)
    if (
        lengths.shape not in ((), (num_inputs,))
        or not ((lengths >= 1 / LARGEST) & (lengths <= LARGEST)).all()
    ):
        raise ValueError(
            f"length_scales={length_scales!r}; expected {num_inputs} numbers above 0, or one"
        )
    return np.broadcast_to(lengths, (num_inputs,)).copy()
