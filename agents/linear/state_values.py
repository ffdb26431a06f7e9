"""Parts of Linear Dyna for control: state values, expectation model, and planning with both."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.features import Features
from ..core.records import part_of, prefixed
from ..core.transitions import Transitions
from ..core.vectors import check_vectors
from ..learners.linear import take_arrays
from ..models.vector_memory import VectorMemory
from ..planning.base import Planning, checked_steps
from .expectation_model import LinearExpectation
from .sweeping import FeatureSweeping


class FeatureModel:
    """Linear expectation model of features as an agent's model, learned from vectors.

    It also stores the visited vectors, for search control.

    Args:
        features: feature map of the vectors.
        num_actions: number of actions.
        size: d, length of the vectors.
        model_rate: step size, in (0, 1].

    Raises:
        ValueError: for a number outside its range, or too many features.
    """

    observes = "vectors"
    capabilities: ClassVar[frozenset[str]] = frozenset({"expectation"})

    def __init__(
        self, features: Features, num_actions: int, *, size: int, model_rate: float
    ) -> None:
        self.features, self.size, self.num_actions = features, size, num_actions
        self.model_rate = checked_number("model_rate", model_rate, 0, 1, above=True)
        self.linear = LinearExpectation(features.num_features, num_actions)
        self.memory = VectorMemory(size, num_actions)

    def update(self, transitions: Transitions) -> None:
        """Learn from real transitions, in their order.

        Raises:
            TypeError, ValueError: for NaN, infinity, a wrong shape or an invalid action; then none
                is learned.
        """
        batch = check_vectors(transitions, self.size, self.num_actions)
        now, then = self.encode(batch)
        for x, action, reward, y in zip(now, batch.action, batch.reward, then, strict=True):
            counts = self.linear.counts[action, np.flatnonzero(x)] + 1
            # 1 / n at the n-th visit of a feature, until model_rate is larger
            step = np.maximum(self.model_rate, 1 / counts) / _squared_norm(x)
            self.linear.learn(x, int(action), float(reward), y, step)
        self.memory.add(batch)

    def encode(self, transitions: Transitions) -> tuple[FloatArray, FloatArray]:
        """Return (batch, n) features before and after; 0 after a terminal transition."""
        then = self.features(transitions.next_observation)
        return self.features(transitions.observation), then * ~transitions.terminated[:, None]

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Refuse to sample: an expected next state need not be a possible one.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a linear expectation model cannot be sampled; LinearDyna plans with it")

    def get_state(self) -> dict[str, Any]:
        """Return the model's arrays and the visited vectors."""
        return {**self.linear.get_state(), **prefixed("memory", self.memory.get_state())}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`.

        Raises:
            ValueError: for missing arrays, or arrays of another shape.
        """
        self.memory.set_state(part_of("memory", state))
        self.linear.set_state(state)


class StateValues:
    """Linear state values v(s) = theta . x(s), and action values by one-step lookahead in a model.

    Args:
        model: the expectation model.
        sweeping: search control.
        learning_rate: step size of temporal differences, in (0, 1].
        planning_rate: step size of planning updates, in (0, 1].
        gamma: discount factor, in [0, 1].

    Attributes:
        theta: (n,) weights.
        changes: (n,) errors of real experience since the last planning.

    Raises:
        ValueError: for a number outside its range.
    """

    observes = "vectors"

    def __init__(
        self,
        model: FeatureModel,
        sweeping: FeatureSweeping,
        *,
        learning_rate: float,
        planning_rate: float,
        gamma: float,
    ) -> None:
        self.model, self.sweeping = model, sweeping
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.planning_rate = checked_number("planning_rate", planning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.theta = np.zeros(model.features.num_features)
        self.changes = np.zeros(model.features.num_features)

    def values(self, observations: FloatArray) -> FloatArray:
        """Return the (batch, actions) one-step lookahead values."""
        rows = [
            self.model.linear.lookahead(x, self.theta, self.gamma)
            for x in self.model.features(observations)
        ]
        return np.array(rows).reshape(len(rows), self.model.num_actions)

    def update(self, transitions: Transitions) -> None:
        """Update by temporal differences of each transition, in their order.

        Raises:
            TypeError, ValueError: for NaN, infinity, a wrong shape or an invalid action; then none
                is learned.
        """
        batch = check_vectors(transitions, self.model.size, self.model.num_actions)
        now, then = self.model.encode(batch)
        for x, reward, y in zip(now, batch.reward, then, strict=True):
            # TD error: delta = r + gamma theta . x' - theta . x
            error = reward + self.gamma * (y @ self.theta) - x @ self.theta
            self.theta += self.learning_rate * error / _squared_norm(x) * x
            larger = np.abs(error * x) > np.abs(self.changes)
            self.changes[larger] = (error * x)[larger]

    def plan(self, steps: int, rng: np.random.Generator) -> int:
        """Queue the changes of real experience, and make planning updates; return their number."""
        linear = self.model.linear
        self.sweeping.queue_errors(linear, self.changes)
        self.changes[:] = 0.0
        return self.sweeping.plan(
            self.theta,
            linear,
            steps,
            gamma=self.gamma,
            step_size=self.planning_rate,
            among=np.flatnonzero(linear.counts.any(axis=0)),
            rng=rng,
        )

    def back_up(self, observations: FloatArray) -> None:
        """Update the values of (batch, d) vectors, in their order, towards the best action's."""
        for x in self.model.features(observations):
            best = self.model.linear.lookahead(x, self.theta, self.gamma).max()
            self.theta += self.planning_rate * (best - x @ self.theta) / _squared_norm(x) * x

    def get_state(self) -> dict[str, Any]:
        """Return weights, changes and queue."""
        return {name: part.copy() for name, part in self._parts().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`.

        Raises:
            ValueError: for missing arrays, or arrays of another shape.
        """
        self.theta, self.changes, *queue = take_arrays(self._parts(), state)
        self.sweeping.priorities, self.sweeping.owed = queue

    def _parts(self) -> dict[str, FloatArray]:
        return {"theta": self.theta, "changes": self.changes, **self.sweeping.parts}


class FeaturePlanning(Planning):
    """Planner with updates after each real step, of single features or of visited states.

    Args:
        planning_steps: number of updates, at least 0.
        of_states: whether complete states are updated.

    Raises:
        ValueError: if the number is negative.
    """

    needs = frozenset({"expectation"})

    def __init__(self, planning_steps: int, *, of_states: bool) -> None:
        self.planning_steps, self.of_states = checked_steps(planning_steps), of_states

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Update the state values on their model."""
        if not self.planning_steps:
            return
        if self.of_states:
            values.back_up(model.memory.draw(self.planning_steps, rng).observation)
        else:
            values.plan(self.planning_steps, rng)


def _squared_norm(x: FloatArray) -> float:
    """Return |x|^2; 1 for a vector of zeros, from which nothing is learned."""
    return float(x @ x) or 1.0
