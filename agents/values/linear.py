"""Linear action values, learned by semi-gradient Q-learning."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.validation import checked_number

from ..core.encoders import Vectors
from ..core.features import Features, Identity, SparseFeatures, TileCoding
from ..core.records import Stateful
from ..core.spaces import Spaces, count_actions
from ..core.transitions import Transitions
from ..core.vectors import check_vectors

MAX_TILED = 4
"""Largest dimension of a tiled box."""


class LinearValues(Stateful):
    """Linear action values Q(s, a) = w_a . x(s), with one block of weights for each action.

    Suited to a few continuous numbers as observations.

    Semi-gradient Q-learning (Sutton & Barto 2018, sections 10.1 and 11.1). The step size is the
    learning rate divided by |x|^2 (section 9.6), for tile coding by the number of tilings: the rate
    is then the fraction of each error that is removed, as in a table.

    Args:
        features: feature map of the vectors; updates are cheap for sparse ones (tile coding).
        num_actions: number of actions.
        learning_rate: in (0, 1].
        gamma: discount, in [0, 1].
        initial_value: initial action value. Above the attainable values it makes the agent try
            everything (optimistic initial values, section 2.6).
        size: dimension d of the vectors; None takes it from `features.low`.

    Attributes:
        weights: (actions, features).

    Raises:
        ValueError: for a number outside its range.
    """

    observes = "vectors"

    promises = frozenset({"converges", "batch_as_rows"})
    """Promises that `dynamaze.agents.checks` tests, some of its `VALUES_PROMISES`."""
    state_fields: ClassVar = {"weights": "weights"}

    def __init__(
        self,
        features: Features,
        num_actions: int,
        *,
        learning_rate: float,
        gamma: float,
        initial_value: float = 0.0,
        size: int | None = None,
    ) -> None:
        self.features, self.num_actions = features, num_actions
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.initial_value = checked_number("initial_value", initial_value)
        low: Any = getattr(features, "low", None)
        if size is None and low is None:
            raise ValueError(
                f"size=None with {type(features).__name__}; expected the dimension of the vectors"
            )
        self.size = int(low.size) if size is None else size
        self.weights = np.zeros((num_actions, features.num_features))

    def values(self, observations: FloatArray) -> FloatArray:
        """Return the (batch, actions) values of (batch, d) vectors."""
        if isinstance(self.features, SparseFeatures):
            values: FloatArray = sparse_values(self.weights, self.features.active(observations))
        else:
            values = self.features(observations) @ self.weights.T
        return values + self.initial_value

    def update(self, transitions: Transitions) -> None:
        """Apply one update for each transition, in their order.

        Raises:
            TypeError, ValueError: for NaN or infinity, another shape, an action out of range, or
                diverging values; the values are then unchanged.
        """
        checked = check_vectors(transitions, self.size, self.num_actions)
        weights = self.weights.copy()
        columns = (checked.action, checked.reward - self._shift(checked), checked.terminated)
        if isinstance(self.features, SparseFeatures):
            now = self.features.active(checked.observation)
            then = self.features.active(checked.next_observation)
            sparse_updates(weights, now, then, *columns, self.learning_rate, self.gamma)
        else:
            x, y = self.features(checked.observation), self.features(checked.next_observation)
            dense_updates(weights, x, y, *columns, self.learning_rate, self.gamma)
        if not np.isfinite(weights).all():
            raise ValueError("the action values diverge; use a smaller learning_rate or gamma")
        self.weights = weights

    def _shift(self, transitions: Transitions) -> FloatArray:
        """Return the contribution of the initial value to Q(S, A) minus that to the target.

        The weights represent the difference from the initial value, so that it is exact with any
        features.
        """
        discount = np.where(transitions.terminated, 0.0, self.gamma)
        return self.initial_value * (1 - discount)


@compiled_with_arrays
def sparse_values(weights, active):
    """Return the (batch, actions) sums of the weights of the active features."""
    values = np.zeros((len(active), len(weights)))
    for row in range(len(active)):
        for action in range(len(weights)):
            values[row, action] = _total(weights, action, active, row)
    return values


@compiled
def _total(weights, action, active, row):
    total = 0.0
    for place in range(active.shape[1]):
        total += weights[action, active[row, place]]
    return total


@compiled
def sparse_updates(weights, now, then, actions, rewards, terminated, learning_rate, gamma):
    """Apply semi-gradient Q-learning to each transition in order, with active features."""
    count = now.shape[1]
    for row in range(len(actions)):
        best = _total(weights, 0, then, row)
        for action in range(1, len(weights)):
            best = max(best, _total(weights, action, then, row))
        discount = 0.0 if terminated[row] else gamma
        own = _total(weights, actions[row], now, row)
        # w_A += alpha [R + gamma max_a Q(S', a) - Q(S, A)] x(S), with |x|^2 = count
        step = learning_rate / count * (rewards[row] + discount * best - own)
        for place in range(count):
            weights[actions[row], now[row, place]] += step


@compiled
def dense_updates(weights, now, then, actions, rewards, terminated, learning_rate, gamma):
    """Apply semi-gradient Q-learning to each transition in order, with dense features."""
    for row in range(len(actions)):
        best = _product(weights, 0, then, row)
        for action in range(1, len(weights)):
            best = max(best, _product(weights, action, then, row))
        discount = 0.0 if terminated[row] else gamma
        chosen = actions[row]
        error = rewards[row] + discount * best - _product(weights, chosen, now, row)
        # |x|^2 normalises the step (section 9.6).
        length = 0.0
        for place in range(now.shape[1]):
            length += now[row, place] ** 2
        if length > 0.0:
            for place in range(now.shape[1]):
                weights[chosen, place] += learning_rate / length * error * now[row, place]


@compiled
def _product(weights, action, features, row):
    total = 0.0
    for place in range(features.shape[1]):
        total += weights[action, place] * features[row, place]
    return total


# -- by name -----------------------------------------------------------------------------------


def tile_coding_values(
    spaces: Spaces, seed: np.random.SeedSequence, **numbers: float
) -> LinearValues:
    """Return linear values on the tile coding of an environment's observations.

    Args:
        spaces: the spaces of the environment.
        seed: not used.
        **numbers: learning rate, discount and initial value.

    Raises:
        TypeError: for observations that cannot be tiled.
    """
    vectors = Vectors(spaces.observation)
    num_actions, _ = count_actions(spaces.action)
    return LinearValues(tiles(vectors), num_actions, size=vectors.size, **numbers)


def tiles(vectors: Vectors) -> Features:
    """Return the tile coding of an environment's vectors; one-hot vectors are used directly.

    Raises:
        TypeError: for a box without bounds, or of too many dimensions.
    """
    if vectors.is_one_hot:
        return Identity(vectors.size)
    if not vectors.is_bounded or vectors.size > MAX_TILED:
        raise TypeError(
            f"observation space {vectors.space}; tile coding needs bounds and at most {MAX_TILED} "
            'numbers; values="network" has no such limit'
        )
    # A coordinate with a single value still needs a box of positive width.
    high = np.where(vectors.high > vectors.low, vectors.high, vectors.low + 1)
    return TileCoding(vectors.low, high)  # of 8 tiles and tilings, as in section 10.1
