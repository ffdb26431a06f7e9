"""What is worth what follows a plan: state values, learned or given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ...core.actions import Actions
from ...core.features import SparseFeatures
from ...core.transitions import Transitions
from ...models.vector_memory import check_vectors


class TiledStateValues:
    """State values that are linear in sparse features: v(s) = v_0 + w . x(s).

    Learned by one-step temporal differences (Sutton & Barto 2018, section 9.3, with the step of
    section 9.6), and by planning towards what the best of some actions is worth.

    Args:
        features: of the vectors, such as `TileCoding`.
        actions: what the actions are; their values are not learned.
        size: d.
        learning_rate: the share of each error that is removed, in (0, 1].
        gamma: discount, in [0, 1].
        initial_value: v_0. Above what can be earned, it sends the agent where it never was.

    Attributes:
        weights: (features,).

    Raises:
        ValueError: for a number outside its range.
    """

    observes = "vectors"

    def __init__(
        self,
        features: SparseFeatures,
        actions: Actions,
        *,
        size: int,
        learning_rate: float,
        gamma: float,
        initial_value: float = 0.0,
    ) -> None:
        self.features, self.actions, self.size = features, actions, size
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.initial_value = checked_number("initial_value", initial_value)
        self.weights = np.zeros(features.num_features)

    def values(self, observations: FloatArray) -> FloatArray:
        """(batch,) values of (batch, d) vectors."""
        active = self.features.active(observations)
        found: FloatArray = self.initial_value + self.weights[active].sum(axis=1)
        return found

    def update(self, transitions: Transitions) -> None:
        """Temporal differences of each transition, in their order.

        Raises:
            TypeError, ValueError: for NaN or infinity, another shape, or an action that there is
                not; then none is learned.
        """
        batch = check_vectors(transitions, self.size, self.actions)
        for place in range(len(batch.reward)):
            one = slice(place, place + 1)
            following = self.values(batch.next_observation[one])[0]
            discount = 0.0 if batch.terminated[place] else self.gamma
            self.move(batch.observation[one], batch.reward[one] + discount * following)

    def move(self, observations: FloatArray, targets: FloatArray) -> None:
        """Move the values of (batch, d) vectors towards (batch,) targets, in their order."""
        for active, target in zip(self.features.active(observations), targets, strict=True):
            error = target - self.initial_value - self.weights[active].sum()
            self.weights[active] += self.learning_rate / len(active) * error

    def get_state(self) -> dict[str, Any]:
        """The weights."""
        return {"weights": self.weights.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take weights of the same shape.

        Raises:
            ValueError: if the shape differs.
        """
        if state["weights"].shape != self.weights.shape:
            raise ValueError(
                f"weights of shape {state['weights'].shape}; expected {self.weights.shape}"
            )
        self.weights[...] = state["weights"]


class GivenValues:
    """State values that are known: a function's, or zero.

    Args:
        function: (batch, d) vectors -> (batch,) values; None for zero.
        gamma: discount, in [0, 1].

    Raises:
        ValueError: for a discount outside its range.
    """

    observes = "vectors"

    def __init__(self, function: Callable[[Any], Any] | None, *, gamma: float) -> None:
        self.function = function
        self.gamma = checked_number("gamma", gamma, 0, 1)

    def values(self, observations: FloatArray) -> FloatArray:
        """(batch,) values.

        Raises:
            ValueError: if the function gives another shape, NaN or infinity.
        """
        if self.function is None:
            return np.zeros(len(observations))
        found: FloatArray = np.asarray(self.function(observations), dtype=np.float64)
        if found.shape != (len(observations),) or not np.isfinite(found).all():
            raise ValueError(
                f"values of shape {found.shape} from {self.function!r}; expected "
                f"({len(observations)},) finite numbers"
            )
        return found

    def update(self, transitions: Transitions) -> None:
        """There is nothing to learn."""

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""
