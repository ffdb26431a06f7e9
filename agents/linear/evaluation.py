"""Linear Dyna for policy evaluation.

Sutton, Szepesvári, Geramifard and Bowling 2008, "Dyna-style planning with linear function
approximation and prioritized sweeping". State values are linear, v(s) = theta . x(s); the model is
a `LinearExpectation` with one action. For control see `dynamaze.agents.linear.dyna`.

If planning converges, then to theta = b + gamma F' theta; with a least-squares model that is the
LSTD solution (section 3 of the paper).

Differences from the paper:

1. The model may be learned by recursive least squares besides least mean squares.
2. An entry of the queue keeps the larger of its priorities; those below `threshold` are not queued.
3. A pop of MG updates all features that lead to the popped one. With `count="updates"` each of
   these counts as one planning step, and a pop's updates beyond the budget are subtracted from the
   next one, so that equal numbers are equal work. With `count="pops"` a pop is a step.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_count, checked_number

from ..core.records import Stateful
from ..learners.protocol import checked_rows
from .expectation_model import LinearExpectation
from .sweeping import FeatureSweeping


class LinearEvaluation(Stateful):
    """Policy evaluation by temporal differences, with planning on a linear model.

    Args:
        num_features: n.
        step_size: step size of temporal differences and of the model, above 0; it may be changed
            at any time.
        gamma: discount factor, in [0, 1].
        planning_steps: number of updates after each real step.
        sweep: "random": of random unit basis vectors (algorithm 1); "pwma": prioritised, where
            each update queues the features that lead to the updated one (algorithm 2); "mg": the
            changed feature is popped, and all that lead to it are updated (algorithm 3).
        model: "least_mean_squares" (the paper's) or "recursive_least_squares".
        planning_step_size: step size of planning updates; None: that of `step_size`. 1 is right
            for an exact model (updates of unit vectors are then those of value iteration).
        prior_variance: of the model's least squares; its inverse is the ridge.
        threshold: lowest priority that is queued.
        count: unit of planning steps of "mg": "updates" or "pops".

    Attributes:
        theta: (n,) weights of the values.
        model: the linear model; its single action is the evaluated policy's.
        sweeping: search control.

    Raises:
        ValueError: for a number outside its range or an unknown name.
    """

    state_fields: ClassVar = {"theta": "theta", "sweeping": "", "model": "model."}

    def __init__(
        self,
        num_features: int,
        *,
        step_size: float = 0.1,
        gamma: float = 1.0,
        planning_steps: int = 10,
        sweep: str = "pwma",
        model: str = "least_mean_squares",
        planning_step_size: float | None = None,
        prior_variance: float = 1e4,
        threshold: float = 1e-8,
        count: str = "updates",
    ) -> None:
        self.num_features = checked_count("num_features", num_features)
        self.step_size = checked_number("step_size", step_size, 0, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.planning_steps = checked_count("planning_steps", planning_steps, 0)
        self.sweeping = FeatureSweeping(self.num_features, sweep, threshold, count=count)
        self.model = LinearExpectation(
            self.num_features, 1, kind=model, prior_variance=prior_variance
        )
        self.planning_step_size = (
            None
            if planning_step_size is None
            else checked_number("planning_step_size", planning_step_size, 0, above=True)
        )
        self.theta = np.zeros(self.num_features)
        self._features = np.arange(self.num_features)

    @property
    def reward(self) -> FloatArray:
        """Return b, (n,), as a view."""
        reward: FloatArray = self.model.rewards[0]
        return reward

    @property
    def matrix(self) -> FloatArray:
        """Return F, (n, n), as a view; column i is the expected successor of feature i."""
        matrix: FloatArray = self.model.leads[0].T
        return matrix

    def values(self, features: FloatArray) -> FloatArray:
        """Return the (batch,) values of (batch, n) feature vectors."""
        values: FloatArray = checked_rows("features", features, self.num_features) @ self.theta
        return values

    # -- real experience -----------------------------------------------------------------------

    def update(self, transitions: FeatureTransitions, rng: np.random.Generator) -> None:
        """Learn from real transitions, in their order, and plan after each.

        Raises:
            TypeError, ValueError: for NaN, infinity or a wrong shape; then none is learned.
        """
        now = checked_rows("features", transitions.features, self.num_features)
        then = checked_rows("next features", transitions.next_features, self.num_features)
        reward = checked_rows("rewards", np.asarray(transitions.reward)[:, None], 1)[:, 0]
        if not len(now) == len(then) == len(reward):
            raise ValueError(f"{len(now)}, {len(reward)} and {len(then)} rows; expected the same")
        for x, r, y in zip(now, reward, then, strict=True):
            # TD error: delta = r + gamma theta . x' - theta . x
            error = r + self.gamma * y @ self.theta - x @ self.theta
            self.theta += self.step_size * error * x
            self.model.learn(x, 0, float(r), y, self.step_size)
            self.sweeping.queue_errors(self.model, error * x)
            self.plan(self.planning_steps, rng)

    def plan(self, steps: int, rng: np.random.Generator) -> int:
        """Make at most `steps` planning updates, fewer if the queue is empty; return the count."""
        return self.sweeping.plan(
            self.theta,
            self.model,
            steps,
            gamma=self.gamma,
            step_size=(
                self.step_size if self.planning_step_size is None else self.planning_step_size
            ),
            among=self._features,
            rng=rng,
        )

    def fixed_point(self) -> FloatArray:
        """Return the (n,) theta to which planning with the present model would converge.

        Raises:
            numpy.linalg.LinAlgError: if there is no unique solution.
        """
        # theta = b + gamma F' theta
        matrix = np.eye(self.num_features) - self.gamma * self.matrix.T
        theta: FloatArray = np.linalg.solve(matrix, self.reward).astype(np.float64)
        return theta


class FeatureTransitions(NamedTuple):
    """Batch of transitions between feature vectors; those of terminal states are 0."""

    features: FloatArray  # (batch, n)
    reward: FloatArray  # (batch,)
    next_features: FloatArray  # (batch, n)


def least_squares_values(
    transitions: FeatureTransitions, gamma: float, *, ridge: float = 0.0
) -> FloatArray:
    """Return the (n,) LSTD solution of a batch (Bradtke and Barto 1996; Boyan 2002).

    Args:
        transitions: the batch.
        gamma: discount factor.
        ridge: added to the diagonal of X'X; with 1 / `prior_variance` of a least-squares model
            the result is the fixed point of planning with that model.

    Raises:
        numpy.linalg.LinAlgError: if there is no unique solution.
    """
    now, reward, then = transitions
    # A theta = X'r with A = X'(X - gamma X')
    matrix = now.T @ (now - gamma * then) + ridge * np.eye(now.shape[1])
    theta: FloatArray = np.linalg.solve(matrix, now.T @ reward).astype(np.float64)
    return theta
