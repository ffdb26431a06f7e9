"""State values at the end of a plan: learned by tile coding, or given by a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ...core.encoders import Actions
from ...core.features import SparseFeatures
from ...core.records import Stateful
from ...core.transitions import Transitions
from ...core.vectors import check_vectors


class TiledStateValues(Stateful):
    """State values that are linear in sparse features: v(s) = v_0 + w . x(s).

    Learned by one-step temporal differences (Sutton & Barto 2018, section 9.3, with the step size
    of section 9.6), and by planning towards the best of some actions.

    Args:
        features: of the vectors, such as `TileCoding`.
        actions: kind of the actions, for checks; their values are not learned.
        size: d, length of the vectors.
        learning_rate: fraction of each error that is removed, in (0, 1].
        gamma: discount factor, in [0, 1].
        initial_value: v_0. Above the attainable returns it makes the agent explore unvisited
            states.

    Attributes:
        weights: (features,).

    Raises:
        ValueError: for a number outside its range.
    """

    observes = "vectors"
    state_fields: ClassVar = {"weights": "weights"}

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
        """Return the (batch,) values of (batch, d) vectors."""
        active = self.features.active(observations)
        found: FloatArray = self.initial_value + self.weights[active].sum(axis=1)
        return found

    def update(self, transitions: Transitions) -> None:
        """Update by temporal differences of each transition, in their order.

        Raises:
            TypeError, ValueError: for NaN, infinity, a wrong shape or an invalid action; then none
                is learned.
        """
        batch = check_vectors(transitions, self.size, self.actions)
        for place in range(len(batch.reward)):
            one = slice(place, place + 1)
            following = self.values(batch.next_observation[one])[0]
            # target r + gamma v(s'), 0 after a terminal transition
            discount = 0.0 if batch.terminated[place] else self.gamma
            self.update_towards(batch.observation[one], batch.reward[one] + discount * following)

    def update_towards(self, observations: FloatArray, targets: FloatArray) -> None:
        """Update the values of (batch, d) vectors towards (batch,) targets, in their order."""
        for active, target in zip(self.features.active(observations), targets, strict=True):
            error = target - self.initial_value - self.weights[active].sum()
            # section 9.6: with binary features, |x|^2 is the number of active ones
            self.weights[active] += self.learning_rate / len(active) * error


class FunctionStateValues(Stateful):
    """State values of a function, or zero.

    Args:
        function: (batch, d) vectors -> (batch,) values; None for zero.
        gamma: discount factor, in [0, 1].

    Raises:
        ValueError: for a discount factor outside its range.
    """

    observes = "vectors"

    def __init__(self, function: Callable[[Any], Any] | None, *, gamma: float) -> None:
        self.function = function
        self.gamma = checked_number("gamma", gamma, 0, 1)

    def values(self, observations: FloatArray) -> FloatArray:
        """Return the (batch,) values.

        Raises:
            ValueError: if the function returns another shape, NaN or infinity.
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
        """Do nothing; there is nothing to learn."""
