"""Online linear regression: least mean squares, recursive least squares, and Bayesian.

All outputs share their inputs; a weight matrix W (inputs, outputs) predicts x W. There is no bias:
add a constant input.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from .protocol import BaseLearner, Estimate, checked_rows, sample_normal


class LinearLearner(BaseLearner):
    """Base class of learners that predict x W; subclasses define the update and the variances.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.

    Attributes:
        weights: (inputs, outputs) W.
    """

    state_fields: ClassVar = {"weights": "weights"}

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__(num_inputs, num_outputs)
        self.weights = np.zeros((self.num_inputs, self.num_outputs))

    @abstractmethod
    def variances(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the variances of `Estimate` for checked inputs, possibly still to be broadcast."""

    def _estimate(self, rows: FloatArray) -> Estimate:
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


def squared_length(rows: FloatArray, spread: FloatArray) -> FloatArray:
    """Return (batch, 1) x' P x of each row x, never negative."""
    lengths: FloatArray = np.einsum("bi,bi->b", rows @ spread, rows)[:, None]
    return np.maximum(lengths, 0.0)


def least_squares_gain(
    spread: FloatArray, places: npt.NDArray[np.int64], x: FloatArray, forgetting: float = 1.0
) -> tuple[FloatArray, float]:
    """Update P of recursive least squares with an example, by a rank-one update (Plackett 1950).

    Args:
        spread: (inputs, inputs) P, changed in place.
        places: the nonzero inputs.
        x: their values.
        forgetting: weight of the earlier examples, in (0, 1].

    Returns:
        The gain (inputs,), by which the example's error changes the weights; and x' P x before.
    """
    toward = spread[:, places] @ x
    share = float(x @ toward[places])
    # Gain k = P x / (forgetting + x' P x); P <- (P - k x' P) / forgetting (Haykin 2002)
    gain: FloatArray = toward / (forgetting + share)
    spread -= np.outer(gain, toward)
    if forgetting < 1:
        spread /= forgetting
    return gain, share


class LinearLeastMeanSquares(LinearLearner):
    """Least mean squares (Widrow and Hoff 1960), optionally normalised and averaging.

    Suited to many features and little time: a step costs as much as a prediction.

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

    state_fields: ClassVar = {"weights": "weights", "noise": "noise", "counts": "counts"}

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

    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        """Learn from each example, in their order.

        Raises:
            ValueError: where the steps diverge; the learner is then unchanged.
        """
        weights, noise, counts = self.weights.copy(), self.noise.copy(), self.counts.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for x, y in zip(rows, targets, strict=True):
                places = np.flatnonzero(x)  # features are sparse
                counts[places] += 1
                self._take_step(weights, noise, places, counts[places], x[places], y)
        if not (np.isfinite(weights).all() and np.isfinite(noise).all()):
            raise ValueError(f"step_size={self.step_size}: the weights diverge; use a smaller one")
        self.weights, self.noise, self.counts = weights, noise, counts

    def _take_step(
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

    Suited to a few hundred features, of which it makes the most in few steps.

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

    state_fields: ClassVar = {
        "weights": "weights",
        "spread": "spread",
        "squares": "squares",
        "count": "count",
    }

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

    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        for x, y in zip(rows, targets, strict=True):
            self._learn_example(x, y)

    def _learn_example(self, x: FloatArray, y: FloatArray) -> None:
        places = np.flatnonzero(x)  # features are sparse
        forgetting = self._forgetting()
        gain, share = least_squares_gain(self.spread, places, x[places], forgetting)
        error = y - x[places] @ self.weights[places]
        self.weights += np.outer(gain, error)
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


class BayesianLinear(LinearLearner):
    """Online Bayesian linear regression with a conjugate prior: the exact posterior.

    Suited to a few hundred features where the uncertainty of the weights matters, too.

    Each output is y = x w + noise. If the variance s2 of the noise is given, w is normal; otherwise
    (w, s2) of each output are normal-inverse-gamma: s2 ~ InvGamma(shape, scale) and w | s2 ~
    N(mean, s2 spread). Bishop 2006, section 3.3 and equations 3.50-3.51; Murphy 2012, equation 7.76
    and those before it. The predictive distribution is then Student's t; its variance is split into
    that of x w (epistemic) and that of the noise (aleatoric).

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        prior_variance: prior variance of each weight, in units of s2 unless the noise is given.
        noise: known variance of the targets; None learns it.
        prior_shape: shape of the inverse gamma, above 1 so that its mean exists; each example
            adds 1/2.
        prior_noise: mean of the inverse gamma: the prior variance of the noise.

    Attributes:
        weights: (inputs, outputs) posterior mean.
        spread: (inputs, inputs) posterior covariance, in units of s2 if it is learned.
        shape: (1,) shape of the inverse gamma.
        scale: (outputs,) scale of the inverse gamma.

    Raises:
        ValueError: for a number outside its range.
    """

    state_fields: ClassVar = {
        "weights": "weights",
        "spread": "spread",
        "shape": "shape",
        "scale": "scale",
    }

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        *,
        prior_variance: float = 1e2,
        noise: float | None = None,
        prior_shape: float = 2.0,
        prior_noise: float = 1e-3,
    ) -> None:
        super().__init__(num_inputs, num_outputs)
        self.prior_variance = checked_number("prior_variance", prior_variance, 0, above=True)
        self.noise = None if noise is None else checked_number("noise", noise, 0, above=True)
        shape = checked_number("prior_shape", prior_shape, 1, above=True)
        first = checked_number("prior_noise", prior_noise, 0, above=True)
        self.spread = np.eye(self.num_inputs) * self.prior_variance
        self.shape = np.full(1, shape)
        self.scale = np.full(self.num_outputs, first * (shape - 1))

    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        for first in range(0, len(rows), self.num_inputs):  # larger blocks cost more
            block = slice(first, first + self.num_inputs)
            self._learn_block(rows[block], targets[block])

    def _learn_block(self, x: FloatArray, y: FloatArray) -> None:
        """Update the posterior by Woodbury's identity, in the examples' (batch, batch) space."""
        places = np.flatnonzero(x.any(axis=0))  # features are sparse
        toward = self.spread[:, places] @ x[:, places].T  # (inputs, batch)
        own = np.eye(len(x)) * (1.0 if self.noise is None else self.noise)
        error = y - x[:, places] @ self.weights[places]
        # With the targets' covariance root root' the update is a sum of squares.
        root = np.linalg.cholesky(x[:, places] @ toward[places] + own)
        halves = np.linalg.solve(root, np.column_stack((error, toward.T)))
        whitened, less = halves[:, : self.num_outputs], halves[:, self.num_outputs :]
        self.weights += less.T @ whitened
        self.spread -= less.T @ less
        if self.noise is None:
            self.shape += len(x) / 2
            self.scale += np.einsum("bo,bo->o", whitened, whitened) / 2

    def variances(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the (batch, outputs) variance of x w, and that (outputs,) of the noise."""
        lengths = squared_length(rows, self.spread)
        if self.noise is not None:
            return lengths, np.full(self.num_outputs, self.noise)
        expected = self.scale / (self.shape - 1)
        return lengths * expected, expected

    def _sample(self, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
        estimate = self._estimate(rows)
        if self.noise is not None:
            return sample_normal(estimate, rng)
        # Student's t: a normal distribution whose variance is drawn from the inverse gamma
        ratio = (self.shape - 1) / rng.standard_gamma(self.shape, size=estimate.mean.shape)
        return sample_normal(
            estimate._replace(epistemic=estimate.epistemic * ratio, noise=estimate.noise * ratio),
            rng,
        )
