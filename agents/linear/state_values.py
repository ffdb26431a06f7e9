"""Linear state values, the expectation model of their features, and planning with both.

The parts of `dynamaze.agents.linear.dyna`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.features import Features
from ..core.state import part_of
from ..core.transitions import Transitions
from ..learners.linear import take_arrays
from ..models.vector_memory import VectorMemory, check_vectors
from ..planning.base import Planning, checked_steps
from .expectation_model import LinearExpectation
from .feature_sweeping import FeatureSweeping


class FeatureModel:
    """A linear expectation model as an agent's model: it learns from vectors, by features.

    It also remembers what was seen, for search control.

    Args:
        features: of the vectors.
        num_actions: how many actions.
        size: d.
        model_rate: in (0, 1].

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
            TypeError, ValueError: for NaN or infinity, another shape, or an action that there is
                not; then none is learned.
        """
        batch = check_vectors(transitions, self.size, self.num_actions)
        now, then = self.in_features(batch)
        for x, action, reward, y in zip(now, batch.action, batch.reward, then, strict=True):
            counts = self.linear.counts[action, np.flatnonzero(x)] + 1
            step = np.maximum(self.model_rate, 1 / counts) / _length(x)
            self.linear.learn(x, int(action), float(reward), y, step)
        self.memory.add(batch)

    def in_features(self, transitions: Transitions) -> tuple[FloatArray, FloatArray]:
        """(batch, n) features before and after; 0 after the end."""
        then = self.features(transitions.next_observation)
        return self.features(transitions.observation), then * ~transitions.terminated[:, None]

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """What follows on average need never happen, so there is nothing to draw.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a linear expectation model has no samples; LinearDyna plans with it")

    def get_state(self) -> dict[str, Any]:
        """The model's arrays, and what was seen."""
        memory = {f"memory.{name}": part for name, part in self.memory.get_state().items()}
        return {**self.linear.get_state(), **memory}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for arrays of another shape, or none.
        """
        linear = {name: part for name, part in state.items() if not name.startswith("memory.")}
        self.memory.set_state(part_of("memory", state))
        self.linear.set_state(linear)


class StateValues:
    """Linear state values, v(s) = theta . x(s), and by a model what actions are worth.

    Args:
        model: what follows.
        sweeping: which features planning updates.
        learning_rate: of temporal differences, in (0, 1].
        planning_rate: of planning updates, in (0, 1].
        gamma: discount, in [0, 1].

    Attributes:
        theta: (n,) weights.
        changes: (n,) the errors of real experience since planning last saw them.

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
        """(batch, actions) what each action is worth, one step ahead."""
        rows = [
            self.model.linear.ahead(x, self.theta, self.gamma)
            for x in self.model.features(observations)
        ]
        return np.array(rows).reshape(len(rows), self.model.num_actions)

    def update(self, transitions: Transitions) -> None:
        """Temporal differences of each transition, in their order.

        Raises:
            TypeError, ValueError: for NaN or infinity, another shape, or an action that there is
                not; then none is learned.
        """
        batch = check_vectors(transitions, self.model.size, self.model.num_actions)
        now, then = self.model.in_features(batch)
        for x, reward, y in zip(now, batch.reward, then, strict=True):
            error = reward + self.gamma * (y @ self.theta) - x @ self.theta
            self.theta += self.learning_rate * error / _length(x) * x
            larger = np.abs(error * x) > np.abs(self.changes)
            self.changes[larger] = (error * x)[larger]

    def plan(self, steps: int, rng: np.random.Generator) -> int:
        """Queue what real experience has changed, and do so many updates; says how many."""
        linear = self.model.linear
        self.sweeping.note(linear, self.changes)
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
        """Update the values of (batch, d) vectors, in their order, to the best action's worth."""
        for x in self.model.features(observations):
            best = self.model.linear.ahead(x, self.theta, self.gamma).max()
            self.theta += self.planning_rate * (best - x @ self.theta) / _length(x) * x

    def get_state(self) -> dict[str, Any]:
        """Weights, changes and the queue."""
        return {name: part.copy() for name, part in self._parts().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for arrays of another shape, or none.
        """
        self.theta, self.changes, *queue = take_arrays(self._parts(), state)
        self.sweeping.priorities, self.sweeping.owed = queue

    def _parts(self) -> dict[str, FloatArray]:
        return {"theta": self.theta, "changes": self.changes, **self.sweeping.parts}


class FeaturePlanning(Planning):
    """So many updates after each real step, of single features or of states that were seen.

    Args:
        planning_steps: how many, at least 0.
        of_states: whether of states.

    Raises:
        ValueError: if it is negative.
    """

    needs = frozenset({"expectation"})

    def __init__(self, planning_steps: int, *, of_states: bool) -> None:
        self.planning_steps, self.of_states = checked_steps(planning_steps), of_states

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Let the state values plan on their model."""
        if not self.planning_steps:
            return
        if self.of_states:
            values.back_up(model.memory.draw(self.planning_steps, rng).observation)
        else:
            values.plan(self.planning_steps, rng)


def _length(x: FloatArray) -> float:
    """|x|^2, or 1 of a vector of zeros, from which nothing can be learned anyway."""
    return float(x @ x) or 1.0
