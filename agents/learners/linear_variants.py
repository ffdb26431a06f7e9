"""Bayesian linear regression, and a learner that keeps one model for each action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.records import part_of, prefixed
from .linear import LinearLearner, squared_length
from .protocol import Estimate, Learner, checked_batch, checked_rows, checked_size, sample_normal


class BayesianLinear(LinearLearner):
    """Online Bayesian linear regression with a conjugate prior: the exact posterior.

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
        """Learn from a batch, in blocks.

        Raises:
            TypeError: if it is not of real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then unchanged.
        """
        x, y = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        for first in range(0, len(x), self.num_inputs):  # larger blocks cost more
            block = slice(first, first + self.num_inputs)
            self._learn(x[block], y[block])

    def _learn(self, x: FloatArray, y: FloatArray) -> None:
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

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Sample (batch, outputs) targets from the predictive distribution independently."""
        estimate = self.predict(inputs)
        if self.noise is not None:
            return sample_normal(estimate, rng)
        # Student's t: a normal distribution whose variance is drawn from the inverse gamma
        ratio = (self.shape - 1) / rng.standard_gamma(self.shape, size=estimate.mean.shape)
        return sample_normal(
            estimate._replace(epistemic=estimate.epistemic * ratio, noise=estimate.noise * ratio),
            rng,
        )


class PerAction:
    """One learner for each action, selected by one-hot inputs at the end.

    For linear learners, whose inputs would otherwise only add up: one block of weights for each
    action at the cost of one.

    Args:
        make: factory of an action's learner, called with (inputs, outputs).
        num_inputs: number of inputs without the action.
        num_actions: number of actions.
        num_outputs: number of outputs.

    Attributes:
        learners: one for each action.
    """

    def __init__(
        self,
        make: Callable[[int, int], Learner],
        num_inputs: int,
        num_actions: int,
        num_outputs: int,
    ) -> None:
        self.num_actions = checked_size("num_actions", num_actions)
        self.num_inputs = checked_size("num_inputs", num_inputs) + self.num_actions
        self.num_outputs = checked_size("num_outputs", num_outputs)
        self.learners = [make(num_inputs, num_outputs) for _ in range(self.num_actions)]

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Update each action's learner with its examples.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity, another shape or no action; all are then unchanged.
        """
        x, y = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        actions = self._actions(x)
        before: dict[int, dict[str, Any]] = {}
        try:
            for action in np.unique(actions):
                mine = actions == action
                before[action] = self.learners[action].get_state() if not mine.all() else {}
                self.learners[action].update(x[mine, : -self.num_actions], y[mine])
        except ValueError:
            for action, state in before.items():
                if state:
                    self.learners[action].set_state(state)
            raise

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """Return the predictions of each row's learner."""
        x = checked_rows("inputs", inputs, self.num_inputs)
        actions = self._actions(x)
        result = Estimate(*(np.zeros((len(x), self.num_outputs)) for _ in Estimate._fields))
        for action in np.unique(actions):
            mine = actions == action
            estimate = self.learners[action].predict(x[mine, : -self.num_actions])
            for column, part in zip(result, estimate, strict=True):
                column[mine] = part
        return result

    def predict_mean(self, inputs: npt.ArrayLike) -> FloatArray:
        """Return the (batch, outputs) mean, at a lower cost than with variances."""
        return self._each(inputs, predict_mean)

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Sample (batch, outputs) targets from each row's learner."""
        return self._each(inputs, lambda learner, x: learner.draw(x, rng))

    def _each(
        self, inputs: npt.ArrayLike, method: Callable[[Learner, FloatArray], FloatArray]
    ) -> FloatArray:
        x = checked_rows("inputs", inputs, self.num_inputs)
        actions = self._actions(x)
        results = np.zeros((len(x), self.num_outputs))
        for action in np.unique(actions):
            mine = actions == action
            results[mine] = method(self.learners[action], x[mine, : -self.num_actions])
        return results

    def get_state(self) -> dict[str, Any]:
        """Return the learners' states, prefixed by the number of the action."""
        state: dict[str, Any] = {}
        for action, learner in enumerate(self.learners):
            state |= prefixed(str(action), learner.get_state())
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is not such a state; all learners are then unchanged.
        """
        before = [learner.get_state() for learner in self.learners]
        try:
            for action, learner in enumerate(self.learners):
                learner.set_state(part_of(str(action), state))
        except (KeyError, ValueError):  # user-defined learners may raise the former
            for learner, old in zip(self.learners, before, strict=True):
                learner.set_state(old)
            raise

    def _actions(self, x: FloatArray) -> npt.NDArray[np.int64]:
        one_hot = x[:, -self.num_actions :]
        if not ((one_hot == 0) | (one_hot == 1)).all() or not (one_hot.sum(axis=1) == 1).all():
            raise ValueError(
                f"the last {self.num_actions} inputs are not an action; expected a one-hot row"
            )
        actions: npt.NDArray[np.int64] = one_hot.argmax(axis=1)
        return actions


def predict_mean(learner: Learner, inputs: FloatArray) -> FloatArray:
    """Return the (batch, outputs) mean of a learner, by its `predict_mean` if it has one."""
    method = getattr(learner, "predict_mean", None)
    mean: FloatArray = learner.predict(inputs).mean if method is None else method(inputs)
    return mean
