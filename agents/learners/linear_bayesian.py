"""Bayesian linear regression in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from .linear_base import LinearLearner, squared_length
from .protocol import checked_batch, normal_draw


class BayesianLinear(LinearLearner):
    """Bayesian linear regression with its conjugate prior: the exact posterior, incrementally.

    Each output y = x w + noise. Where the noise's variance s2 is given, w is normal; where it is
    not, (w, s2) of each output are normal-inverse-gamma: s2 ~ InvGamma(shape, scale) and
    w | s2 ~ N(mean, s2 spread). Bishop 2006, section 3.3 and equations 3.50-3.51; Murphy 2012,
    equation 7.76 and those before it. The predictive distribution is then Student's t, whose
    variance is split into that of x w (epistemic) and that of the noise (aleatoric).

    Args:
        num_inputs: numbers that go in.
        num_outputs: numbers that come out.
        prior_variance: of each weight before the first example: divided by s2, or, where the noise
            is known, as it is.
        noise: the variance of the targets where it is known; None learns it.
        prior_shape: the inverse gamma's shape, above 1 so that a mean exists; examples count 1/2.
        prior_noise: the mean of the inverse gamma: the noise's variance before the first example.

    Attributes:
        weights: (inputs, outputs) their posterior mean.
        spread: (inputs, inputs) their covariance, divided by s2 where it is not known.
        shape: (1,) the inverse gamma's.
        scale: (outputs,) the inverse gamma's.

    Raises:
        ValueError: for a number outside its range.
    """

    parts = ("weights", "spread", "shape", "scale")

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

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch, all of it at once.

        Raises:
            TypeError: if it is not of real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then as it was.
        """
        x, y = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        for first in range(0, len(x), self.num_inputs):  # larger blocks would only cost more
            block = slice(first, first + self.num_inputs)
            self._learn(x[block], y[block])

    def _learn(self, x: FloatArray, y: FloatArray) -> None:
        """The posterior by Woodbury's identity, in the (batch, batch) space of the examples."""
        places = np.flatnonzero(x.any(axis=0))  # features are mostly 0
        toward = self.spread[:, places] @ x[:, places].T  # (inputs, batch)
        own = np.eye(len(x)) * (1.0 if self.noise is None else self.noise)
        error = y - x[:, places] @ self.weights[places]
        # The targets' covariance is root root'; with its inverse everything is a sum of squares.
        root = np.linalg.cholesky(x[:, places] @ toward[places] + own)
        halves = np.linalg.solve(root, np.column_stack((error, toward.T)))
        whitened, less = halves[:, : self.num_outputs], halves[:, self.num_outputs :]
        self.weights += less.T @ whitened
        self.spread -= less.T @ less
        if self.noise is None:
            self.shape += len(x) / 2
            self.scale += np.einsum("bo,bo->o", whitened, whitened) / 2

    def doubt(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(batch, outputs) variance of x w, and (outputs,) of the noise, or its posterior mean."""
        lengths = squared_length(rows, self.spread)
        if self.noise is not None:
            return lengths, np.full(self.num_outputs, self.noise)
        expected = self.scale / (self.shape - 1)
        return lengths * expected, expected

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """(batch, outputs) one draw from the predictive distribution, each number on its own."""
        estimate = self.predict(inputs)
        if self.noise is not None:
            return normal_draw(estimate, rng)
        # Student's t: a normal whose variance is itself drawn, from the inverse gamma.
        ratio = (self.shape - 1) / rng.standard_gamma(self.shape, size=estimate.mean.shape)
        return normal_draw(
            estimate._replace(epistemic=estimate.epistemic * ratio, noise=estimate.noise * ratio),
            rng,
        )
