"""Linear Dyna for policy evaluation: what a way to behave is worth, by planning with features.

Sutton, Szepesvári, Geramifard and Bowling 2008, "Dyna-style planning with linear function
approximation and prioritized sweeping". State values are linear, v(s) = theta . x(s); the model is
a `LinearExpectation` with one action. For control see `dynamaze.agents.linear.dyna`.

If planning converges, then to theta = b + gamma F' theta, and with a model by least squares that is
the LSTD solution (their section 3).

Differences from the paper:

1. The model may be learned by recursive least squares besides least mean squares.
2. An entry of the queue keeps the larger of its priorities; entries below `threshold` are not made.
3. A pop of MG updates all features that lead to the popped one. With `count="updates"` each of
   these counts as one of the planning steps, and what a pop does beyond them is taken off later, so
   that equal numbers are equal work. With `count="pops"` a pop is a step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..learners.linear import take_arrays
from ..learners.protocol import checked_rows
from .expectation_model import LinearExpectation
from .feature_sweeping import FeatureSweeping


class FeatureTransitions(NamedTuple):
    """Transitions between feature vectors; after the end they are 0."""

    features: FloatArray  # (batch, n)
    reward: FloatArray  # (batch,)
    next_features: FloatArray  # (batch, n)


class LinearEvaluation:
    """Policy evaluation by temporal differences, with planning on a linear model.

    Args:
        num_features: n.
        step_size: of temporal differences and of the model, above 0; it may be set again at any
            time.
        gamma: discount, in [0, 1].
        planning_steps: how many updates follow each real step.
        sweep: "random": of unit basis vectors drawn at random (algorithm 1); "pwma": prioritised,
            each update hands its change on to the features that lead to it (algorithm 2); "mg":
            the changed feature is popped, and all that lead to it are updated (algorithm 3).
        model: "least_mean_squares" (the paper's) or "recursive_least_squares".
        planning_step_size: of the planning updates; None for `step_size`. 1 is right where the
            model is (its updates of unit vectors are then those of value iteration).
        prior_variance: of the model's least squares: 1 / it is the ridge.
        threshold: priorities below it are not queued.
        count: what a planning step of "mg" is: "updates" or "pops".

    Attributes:
        theta: (n,) weights of the values.
        model: its one action is whatever is done.
        sweeping: which features are updated.

    Raises:
        ValueError: for a number outside its range or an unknown name.
    """

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
        self.num_features = int(checked_number("num_features", num_features, 1, whole=True))
        self.step_size = checked_number("step_size", step_size, 0, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.planning_steps = int(checked_number("planning_steps", planning_steps, 0, whole=True))
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
        """(n,) b, as a view."""
        reward: FloatArray = self.model.rewards[0]
        return reward

    @property
    def matrix(self) -> FloatArray:
        """(n, n) F, as a view; a column is what its feature leads to."""
        matrix: FloatArray = self.model.leads[0].T
        return matrix

    def values(self, features: FloatArray) -> FloatArray:
        """(batch,) values of (batch, n) feature vectors."""
        values: FloatArray = checked_rows("features", features, self.num_features) @ self.theta
        return values

    # -- real experience -----------------------------------------------------------------------

    def update(self, transitions: FeatureTransitions, rng: np.random.Generator) -> None:
        """Learn from real transitions, in their order, and plan after each.

        Raises:
            TypeError, ValueError: for NaN or infinity or another shape; then none is learned.
        """
        now = checked_rows("features", transitions.features, self.num_features)
        then = checked_rows("next features", transitions.next_features, self.num_features)
        reward = checked_rows("rewards", np.asarray(transitions.reward)[:, None], 1)[:, 0]
        if not len(now) == len(then) == len(reward):
            raise ValueError(f"{len(now)}, {len(reward)} and {len(then)} rows; expected as many")
        for x, paid, y in zip(now, reward, then, strict=True):
            error = paid + self.gamma * y @ self.theta - x @ self.theta
            self.theta += self.step_size * error * x
            self.model.learn(x, 0, float(paid), y, self.step_size)
            self.sweeping.note(self.model, error * x)
            self.plan(self.planning_steps, rng)

    def plan(self, steps: int, rng: np.random.Generator) -> int:
        """Do so many planning updates, or as many as the queue has; says how many."""
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
        """(n,) the theta to which planning with the present model would converge.

        Raises:
            numpy.linalg.LinAlgError: if there is no single one.
        """
        own = np.eye(self.num_features) - self.gamma * self.matrix.T
        theta: FloatArray = np.linalg.solve(own, self.reward).astype(np.float64)
        return theta

    # -- files ---------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Values, queue and model."""
        own = {name: part.copy() for name, part in self._parts().items()}
        return {**own, **{f"model.{name}": part for name, part in self.model.get_state().items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for arrays of another shape, or none.
        """
        model = {name: part for name, part in state.items() if name.startswith("model.")}
        mine = {name: part for name, part in state.items() if name not in model}
        theta, priorities, owed = take_arrays(self._parts(), mine)
        self.model.set_state({name.removeprefix("model."): part for name, part in model.items()})
        self.theta, self.sweeping.priorities, self.sweeping.owed = theta, priorities, owed

    def _parts(self) -> dict[str, FloatArray]:
        return {"theta": self.theta, **self.sweeping.parts}


def least_squares_values(
    transitions: FeatureTransitions, gamma: float, *, ridge: float = 0.0
) -> FloatArray:
    """(n,) the LSTD solution of a batch (Bradtke and Barto 1996; Boyan 2002).

    Args:
        transitions: the batch.
        gamma: discount.
        ridge: added to the diagonal of the features' own products; the ridge of a model by least
            squares, 1 / `prior_variance`, gives the fixed point of that model.

    Raises:
        numpy.linalg.LinAlgError: if there is no single solution.
    """
    now, reward, then = transitions
    matrix = now.T @ (now - gamma * then) + ridge * np.eye(now.shape[1])
    theta: FloatArray = np.linalg.solve(matrix, now.T @ reward).astype(np.float64)
    return theta
