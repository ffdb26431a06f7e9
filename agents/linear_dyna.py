"""Linear Dyna: planning with an expectation model of the features, for state values.

Sutton, Szepesvári, Geramifard and Bowling 2008, "Dyna-style planning with linear function
approximation and prioritized sweeping". State values are linear, v(s) = theta . x(s). The model is
F (features, features) and b (features,), one pair for each action in control: F x is the expected
next feature vector, b . x the expected reward. After the end of an episode the features are 0, so
the model needs no more to know of it.

Because it updates state values, planning with expectations is right whatever the chances (see
`dynamaze.agents.models.RegressionModel`): if it converges, then to theta = b + gamma F' theta, and
in policy evaluation with a model by least squares that is the LSTD solution (their section 3).

Differences from the paper:

1. The model may be learned by recursive least squares besides least mean squares.
2. An entry of the queue keeps the larger of its priorities; entries below `threshold` are not made.
3. A pop of MG does an update for each feature that leads to the popped one. Here each of these
   counts as one of the planning steps, so that equal numbers are equal work.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.messages import checked_number, did_you_mean

from .feature_queue import FeatureQueue
from .learners.linear import take_arrays
from .learners.protocol import checked_rows
from .transitions import FloatArray

SWEEPS = ("random", "pwma", "mg")
"""Which feature is updated next: any, or by prioritised sweeping without predecessors of a pair of
features (Peng and Williams 1993, Moore and Atkeson 1993) or after McMahan and Gordon (2005)."""

MODELS = ("least_mean_squares", "recursive_least_squares")


class FeatureTransitions(NamedTuple):
    """Transitions between feature vectors; after the end they are 0."""

    features: FloatArray  # (batch, n)
    reward: FloatArray  # (batch,)
    next_features: FloatArray  # (batch, n)


class LinearDyna:
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

    Attributes:
        theta: (n,) weights of the values.
        reward: (n,) b.
        matrix: (n, n) F; a column is what its feature leads to.

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
    ) -> None:
        self.num_features = int(checked_number("num_features", num_features, 1, whole=True))
        self.step_size = checked_number("step_size", step_size, 0, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.planning_steps = int(checked_number("planning_steps", planning_steps, 0, whole=True))
        self.sweep = _known("sweep", sweep, SWEEPS)
        self.model = _known("model", model, MODELS)
        self.planning_step_size = (
            None
            if planning_step_size is None
            else checked_number("planning_step_size", planning_step_size, 0, above=True)
        )
        self.theta = np.zeros(self.num_features)
        self.reward = np.zeros(self.num_features)
        self.matrix = np.zeros((self.num_features, self.num_features))
        variance = checked_number("prior_variance", prior_variance, 0, above=True)
        self.spread = np.eye(self.num_features) * variance
        self.queue = FeatureQueue(
            self.num_features, checked_number("threshold", threshold, 0, above=True)
        )

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
            self._learn(x, paid, y)
            self._queue(x, error)
            self.plan(self.planning_steps, rng)

    def _learn(self, x: FloatArray, reward: float, y: FloatArray) -> None:
        if self.model == "least_mean_squares":
            gain = self.step_size * x
        else:
            toward = self.spread @ x
            gain = toward / (1 + x @ toward)
            self.spread -= np.outer(gain, toward)
        self.matrix += np.outer(y - self.matrix @ x, gain)
        self.reward += (reward - self.reward @ x) * gain

    def _queue(self, x: FloatArray, error: float) -> None:
        if self.sweep == "pwma":
            for feature in np.flatnonzero(x):
                self._hand_on(int(feature), error * x[feature])
        elif self.sweep == "mg":
            for feature in np.flatnonzero(x):
                self.queue.push(int(feature), abs(error * x[feature]))

    # -- planning ------------------------------------------------------------------------------

    def plan(self, steps: int, rng: np.random.Generator) -> int:
        """Do so many planning updates, or as many as the queue has; says how many."""
        if self.sweep == "random":
            for feature in rng.integers(self.num_features, size=steps):
                self._back_up(int(feature))
            return steps
        done = 0
        while done < steps:
            feature = self.queue.pop()
            if feature is None:
                break
            if self.sweep == "pwma":
                self._hand_on(feature, self._back_up(feature))
                done += 1
                continue
            for leading in np.flatnonzero(self.matrix[feature]):
                self.queue.push(int(leading), abs(self._back_up(int(leading))))
                done += 1
        return done

    def _hand_on(self, feature: int, change: float) -> None:
        """Queue the features that lead to one whose value was found wrong."""
        priorities = np.abs(self.matrix[feature] * change)
        for leading in np.flatnonzero(priorities):
            self.queue.push(int(leading), float(priorities[leading]))

    def _back_up(self, feature: int) -> float:
        """Update theta at a unit basis vector by the model; gives the error that was found."""
        target = self.reward[feature] + self.gamma * self.matrix[:, feature] @ self.theta
        error = float(target - self.theta[feature])
        step = self.step_size if self.planning_step_size is None else self.planning_step_size
        self.theta[feature] += step * error
        return error

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
        """Values, model and queue."""
        return {**{name: getattr(self, name).copy() for name in _PARTS}, "queue": self._entries()}

    def _entries(self) -> FloatArray:
        return self.queue.priorities.copy()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for arrays of another shape, or none.
        """
        own = {**{name: getattr(self, name) for name in _PARTS}, "queue": self._entries()}
        *parts, entries = take_arrays(own, state)
        self.theta, self.reward, self.matrix, self.spread = parts
        self.queue.set_priorities(entries)


_PARTS = ("theta", "reward", "matrix", "spread")


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


def _known(name: str, value: str, names: tuple[str, ...]) -> str:
    if value not in names:
        raise ValueError(
            f"{name}={value!r}; expected one of {list(names)}{did_you_mean(value, names)}"
        )
    return value
