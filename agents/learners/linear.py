"""Online linear regression: least mean squares and recursive least squares.

All outputs share their inputs; a weight matrix W (inputs, outputs) predicts x W. There is no bias:
add a constant input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.records import checked_state
from .protocol import Estimate, checked_batch, checked_rows, checked_size, sample_normal


class LinearLearner(ABC):
    """Base class of learners that predict x W; subclasses define the update and the variances.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.

    Attributes:
        weights: (inputs, outputs) W.
    """

    parts: ClassVar[tuple[str, ...]] = ("weights",)
    """Names of the float64 attributes that make up the state."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        self.num_inputs = checked_size("num_inputs", num_inputs)
        self.num_outputs = checked_size("num_outputs", num_outputs)
        self.weights = np.zeros((self.num_inputs, self.num_outputs))

    @abstractmethod
    def variances(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the variances of `Estimate` for checked inputs, possibly still to be broadcast."""

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """Return the predictive mean and variances of inputs (batch, inputs).

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        rows = checked_rows("inputs", inputs, self.num_inputs)
        mean = rows @ self.weights
        epistemic, noise = (
            np.broadcast_to(each, mean.shape).copy() for each in self.variances(rows)
        )
        return Estimate(mean, epistemic, noise)

    def predict_mean(self, inputs: npt.ArrayLike) -> FloatArray:
        """Return the (batch, outputs) mean, at a lower cost than with variances.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        mean: FloatArray = checked_rows("inputs", inputs, self.num_inputs) @ self.weights
        return mean

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Sample (batch, outputs) normal targets independently.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        return sample_normal(self.predict(inputs), rng)

    def get_state(self) -> dict[str, Any]:
        """Return the state arrays."""
        return {name: getattr(self, name).copy() for name in self.parts}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is the state of another kind of learner; this one is then unchanged.
        """
        for name, array in checked_state(state, self.get_state()).items():
            setattr(self, name, array)


def squared_length(rows: FloatArray, spread: FloatArray) -> FloatArray:
    """Return (batch, 1) x' P x of each row x, never negative."""
    lengths: FloatArray = np.einsum("bi,bi->b", rows @ spread, rows)[:, None]
    return np.maximum(lengths, 0.0)


def take_arrays(own: dict[str, Any], state: dict[str, Any]) -> list[Any]:
    """Return copies of a state's values, in the order of the own state; see `checked_state`."""
    return list(checked_state(state, own).values())


class LinearLeastMeanSquares(LinearLearner):
    """Least mean squares (Widrow and Hoff 1960), optionally normalised and averaging.

    Normalised steps are W += step x e / |x|^2: the step size is the fraction of each error that is
    removed. Others are W += step x e, which diverges for a step size above 2 / |x|^2.

    With `averaging` the step size of an input is 1 / n at its n-th nonzero example until that falls
    below `step_size` (Sutton & Barto 2018, section 2.5): for one-hot inputs the weights are first
    sample means, then exponentially recency-weighted ones.

    It has no epistemic variance; `noise` is the moving average of its squared errors.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        step_size: in (0, 1] if normalised, otherwise above 0.
        normalised: divide steps by |x|^2.
        averaging: start with step sizes 1 / n; needs `normalised`.

    Attributes:
        weights: (inputs, outputs).
        counts: (inputs,) number of examples with a nonzero input.

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
                is then unchanged.
        """
        batch = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        weights, noise, counts = self.weights.copy(), self.noise.copy(), self.counts.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for x, y in zip(*batch, strict=True):
                places = np.flatnonzero(x)  # features are sparse
                counts[places] += 1
                self._learn(weights, noise, places, counts[places], x[places], y)
        if not (np.isfinite(weights).all() and np.isfinite(noise).all()):
            raise ValueError(f"step_size={self.step_size}: the weights diverge; use a smaller one")
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

    def variances(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return 0 (1, 1), and the (outputs,) moving average of the squared errors."""
        return np.zeros((1, 1)), self.noise


class RecursiveLeastSquares(LinearLearner):
    """Recursive least squares: the least-squares weights after each example.

    With P = (sum x x' + I / prior_variance)^-1 it is the rank-one update of Plackett (1950); see
    Haykin 2002, "Adaptive Filter Theory". With a forgetting factor below 1 the weight of an example
    is multiplied by it at each later one.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        prior_variance: prior variance of each weight; its inverse is the ridge penalty.
        forgetting: in (0, 1]; 1 forgets nothing.

    Attributes:
        weights: (inputs, outputs).
        spread: (inputs, inputs) P; the weights' covariance is noise * P.

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
        self.squares = np.zeros(self.num_outputs)  # squared residuals, weighted as the examples
        self.count = np.zeros(1)  # weighted number of examples minus degrees of freedom

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch, example by example.

        Raises:
            TypeError: if it is not of real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then unchanged.
        """
        batch = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        for x, y in zip(*batch, strict=True):
            self._learn(x, y)

    def _learn(self, x: FloatArray, y: FloatArray) -> None:
        places = np.flatnonzero(x)  # features are sparse
        toward = self.spread[:, places] @ x[places]
        forgetting = self._forgetting()
        share = x[places] @ toward[places]
        # Rank-one update of P and W (Plackett 1950; Haykin 2002)
        gain = toward / (forgetting + share)
        error = y - x[places] @ self.weights[places]
        self.weights += np.outer(gain, error)
        self.spread -= np.outer(gain, toward)
        if forgetting < 1:
            self.spread /= forgetting
        # The sum of error^2 / (1 + share) is the residual sum of squares of the best fit.
        self.squares *= forgetting
        self.squares += error**2 * forgetting / (forgetting + share)
        self.count *= forgetting
        self.count += forgetting / (forgetting + share)

    def _forgetting(self) -> float:
        if self.forgetting == 1:
            return 1.0
        # Without new data in a direction P would grow without bound: forget only while it is, on
        # average, not larger than initially.
        is_small = np.trace(self.spread) <= self.num_inputs * self.prior_variance
        return self.forgetting if is_small else 1.0

    @property
    def noise(self) -> FloatArray:
        """Residual variance (outputs,), corrected for the degrees of freedom."""
        return self.squares / np.maximum(self.count, 1.0)

    def variances(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the (batch, outputs) variance of x W, and that (outputs,) of the residuals."""
        return squared_length(rows, self.spread) * self.noise, self.noise
