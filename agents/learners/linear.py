"""Linear regression that learns as it goes: least mean squares and recursive least squares.

All outputs share their inputs; a weight matrix W (inputs, outputs) predicts x W. There is no bias:
let an input be 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from .linear_base import LinearLearner, squared_length, take_arrays
from .protocol import checked_batch

__all__ = ["LinearLeastMeanSquares", "RecursiveLeastSquares", "take_arrays"]


class LinearLeastMeanSquares(LinearLearner):
    """Least mean squares: a step down the gradient of each example's squared error.

    Widrow and Hoff 1960; W += step x e / |x|^2 where it is normalised, so that the step size is
    the share of each error that is removed: 1 fits the latest example exactly. Not normalised it is
    W += step x e, which diverges for a step size above 2 / |x|^2.

    With `averaging` an input's own step size is 1 / n at its n-th example that is not 0, until that
    falls below `step_size` (Sutton & Barto 2018, section 2.5): of one-hot inputs the weights are
    then means of all examples at first, and means in which the older count less later.

    It has no idea of what it does not know: `epistemic` is 0, and `noise` is the moving average of
    the squared errors that it made.

    Args:
        num_inputs: numbers that go in.
        num_outputs: numbers that come out.
        step_size: in (0, 1] where normalised, otherwise above 0.
        normalised: whether steps are divided by |x|^2.
        averaging: whether step sizes begin with 1 / n; needs `normalised`.

    Attributes:
        weights: (inputs, outputs).
        counts: (inputs,) how many examples had this input other than 0.

    Raises:
        ValueError: for a number outside its range.
    """

    parts = ("weights", "noise", "counts")

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        *,
        step_size: float = 0.1,
        normalised: bool = True,
        averaging: bool = True,
    ) -> None:
        if averaging and not normalised:
            raise ValueError("averaging=True with normalised=False; expected normalised steps")
        super().__init__(num_inputs, num_outputs)
        high = 1.0 if normalised else np.inf
        self.step_size = checked_number("step_size", step_size, 0, high, above=True)
        self.normalised, self.averaging = normalised, averaging
        self.noise = np.zeros(self.num_outputs)
        self.counts = np.zeros(self.num_inputs)

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch, example by example.

        Raises:
            TypeError: if it is not of real numbers.
            ValueError: for NaN, infinity or another shape, or where the steps diverge; the learner
                is then as it was.
        """
        batch = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        weights, noise, counts = self.weights.copy(), self.noise.copy(), self.counts.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for x, y in zip(*batch, strict=True):
                places = np.flatnonzero(x)  # features are mostly 0
                counts[places] += 1
                self._learn(weights, noise, places, counts[places], x[places], y)
        if not (np.isfinite(weights).all() and np.isfinite(noise).all()):
            raise ValueError(f"step_size={self.step_size}: the weights diverge; take a smaller one")
        self.weights, self.noise, self.counts = weights, noise, counts

    def _learn(
        self,
        weights: FloatArray,
        noise: FloatArray,
        places: npt.NDArray[np.int64],
        counts: FloatArray,
        x: FloatArray,
        y: FloatArray,
    ) -> None:
        error = y - x @ weights[places]
        noise += self.step_size * (error**2 - noise)
        step: Any = self.step_size
        if self.averaging:
            step = np.maximum(step, 1 / counts)
        length = x @ x if self.normalised else 1.0
        if length > 0:
            weights[places] += np.outer(step / length * x, error)

    def doubt(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """None (1, 1) of the function, and (outputs,) the errors' moving average."""
        return np.zeros((1, 1)), self.noise


class RecursiveLeastSquares(LinearLearner):
    """Recursive least squares: the weights that fit all examples best, after each one.

    With P = (sum x x' + I / prior_variance)^-1 it is the rank-one update of Plackett (1950); see
    Haykin 2002, "Adaptive Filter Theory". With a forgetting factor below 1 an example's
    weight is multiplied by it with each later one. Then P would grow without bound in directions
    that are no longer seen, so it forgets only while P is, on average, not larger than at first.

    Args:
        num_inputs: numbers that go in.
        num_outputs: numbers that come out.
        prior_variance: of each weight before the first example; 1 / it is the ridge.
        forgetting: in (0, 1]; 1 forgets nothing.

    Attributes:
        weights: (inputs, outputs).
        spread: (inputs, inputs) P; noise times it is the weights' covariance.

    Raises:
        ValueError: for a number outside its range.
    """

    parts = ("weights", "spread", "squares", "count")

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        *,
        prior_variance: float = 1e4,
        forgetting: float = 1.0,
    ) -> None:
        super().__init__(num_inputs, num_outputs)
        self.prior_variance = checked_number("prior_variance", prior_variance, 0, above=True)
        self.forgetting = checked_number("forgetting", forgetting, 0, 1, above=True)
        self.spread = np.eye(self.num_inputs) * self.prior_variance
        self.squares = np.zeros(self.num_outputs)  # of the residuals, weighted as the examples
        self.count = np.zeros(1)  # of the examples, weighted; less what the weights used up

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch, example by example.

        Raises:
            TypeError: if it is not of real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then as it was.
        """
        batch = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        for x, y in zip(*batch, strict=True):
            self._learn(x, y)

    def _learn(self, x: FloatArray, y: FloatArray) -> None:
        places = np.flatnonzero(x)  # features are mostly 0
        toward = self.spread[:, places] @ x[places]
        forgetting = self._forgetting()
        share = x[places] @ toward[places]
        gain = toward / (forgetting + share)
        error = y - x[places] @ self.weights[places]
        self.weights += np.outer(gain, error)
        self.spread -= np.outer(gain, toward)
        if forgetting < 1:
            self.spread /= forgetting
        # error^2 / (1 + share) sums up to the residual sum of squares of the best fit.
        self.squares *= forgetting
        self.squares += error**2 * forgetting / (forgetting + share)
        self.count *= forgetting
        self.count += forgetting / (forgetting + share)

    def _forgetting(self) -> float:
        if self.forgetting == 1:
            return 1.0
        is_small = np.trace(self.spread) <= self.num_inputs * self.prior_variance
        return self.forgetting if is_small else 1.0

    @property
    def noise(self) -> FloatArray:
        """(outputs,) the residuals' variance, without what the fit itself has used up."""
        return self.squares / np.maximum(self.count, 1.0)

    def doubt(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(batch, outputs) variance of x W, and (outputs,) of the residuals."""
        return squared_length(rows, self.spread) * self.noise, self.noise
