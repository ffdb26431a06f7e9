"""Predictive probabilities of observed outcomes, from which scores are computed.

A model of discrete states gives the probability of each outcome. A model of vectors gives a mean
and a standard deviation; the observed outcome is classified by the central region of that normal
distribution in which it lies: the inner 90%, up to 99.9%, or outside. The region is a box: all
coordinates of the next vector, and the reward, must lie within. Termination is judged by its
predicted probability.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray

from ..core.features import TileCoding
from ..core.normal import tail_probability
from ..core.records import flatten, restore
from ..core.transitions import Transitions, check_transitions
from ..core.vectors import check_vectors
from .protocol import Outcomes, Prediction

OUTSIDE_PROBABILITIES = (0.1, 0.001)
"""Probabilities of lying outside the inner and the outer region."""

TILES, MAX_TILED = 8, 3
"""Vectors of up to `MAX_TILED` dimensions are binned by tiles, `TILES` along each axis."""

EQUAL = 1e-5
"""Smallest standard deviation: differences within single precision are not errors."""


class OutcomeProbability(NamedTuple):
    """Predictive probability of a real outcome before the model learned from it."""

    probability: float  # 0 if it is below that of an unseen outcome
    entropy: float  # of the predictive distribution, in nats
    num_outcomes: float  # outcomes of the pair so far


class OutcomeScorer(Protocol):
    """Scorer of one kind of model: predictive probabilities, and the bins of its pairs."""

    shape: tuple[int, int]  # number of bins and of actions

    def pairs(self, observations: Any, actions: Any) -> IntArray:
        """Return the (batch,) number of each pair, bin * actions + action."""

    def check(self, transitions: Transitions) -> Transitions:
        """Return the transitions if they are valid for the model.

        Raises:
            TypeError, ValueError: if they are not.
        """

    def outcome_probability(self, row: Transitions) -> OutcomeProbability:
        """Return the model's predictive probability of a real transition, a batch of one."""

    def record(self, row: Transitions) -> None:
        """Record that the model has learned from the transition."""

    def get_state(self) -> dict[str, Any]:
        """Return the state for `set_state`."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`."""


class DiscreteScorer:
    """Scorer of models of discrete states; each state is a bin.

    Args:
        model: one that declares "distribution".
        num_states: number of states.
        num_actions: number of actions.
    """

    def __init__(self, model: Any, num_states: int, num_actions: int) -> None:
        self.model, self.shape = model, (num_states, num_actions)

    def pairs(self, observations: IntArray, actions: IntArray) -> IntArray:
        """Return the (batch,) pairs of states and actions."""
        return np.asarray(observations) * self.shape[1] + np.asarray(actions)

    def check(self, transitions: Transitions) -> Transitions:
        """Return the transitions if they are inside the table.

        Raises:
            TypeError, ValueError: if they are not.
        """
        check_transitions(transitions, *self.shape)
        return transitions

    def outcome_probability(self, row: Transitions) -> OutcomeProbability:
        """Return the probability by the model's distribution; equal outcomes are added up."""
        count = float(self.model.predict(row.observation, row.action).visits[0])
        predicted: Outcomes = self.model.distribution(int(row.observation[0]), int(row.action[0]))
        outcomes, which = np.unique(
            predicted.next_observation * 2 + predicted.terminated, return_inverse=True
        )
        probabilities = np.bincount(which, weights=predicted.probability).astype(np.float64)
        happened = outcomes == row.next_observation[0] * 2 + row.terminated[0]
        return _thresholded(float(probabilities[happened].sum()), _entropy(probabilities), count)

    def record(self, row: Transitions) -> None:
        """Do nothing: the model itself counts visits."""

    def get_state(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Ignore the state."""


class VectorScorer:
    """Scorer of models of vectors; the bins are tiles of their box, or a single one.

    Continuous actions are not distinguished.

    Args:
        model: one that declares "uncertainty", with `size`, `num_actions`, optional bounds `low`
            and `high`, and `actions` if these are continuous.

    Attributes:
        visits: (bins * actions,) number of outcomes of each pair.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._actions = getattr(model, "actions", model.num_actions)
        self._tiles = _tiles(model)
        bins = 1 if self._tiles is None else self._tiles.num_features
        self.shape = bins, max(1, model.num_actions)
        self.visits = np.zeros(bins * self.shape[1], dtype=np.int64)

    def pairs(self, observations: FloatArray, actions: Any) -> IntArray:
        """Return the (batch,) pairs of tiles and discrete actions."""
        bins = np.zeros(len(observations), dtype=np.int64)
        if self._tiles is not None:
            bins = self._tiles.active(observations)[:, 0]
        return bins * self.shape[1] + np.asarray(actions) if self.model.num_actions else bins

    def check(self, transitions: Transitions) -> Transitions:
        """Return the transitions if their vectors have the right size.

        Raises:
            TypeError, ValueError: if they are not.
        """
        return check_vectors(transitions, self.model.size, self._actions)

    def outcome_probability(self, row: Transitions) -> OutcomeProbability:
        """Return the probability by the model's mean and standard deviation."""
        predicted: Prediction = self.model.predict(row.observation, row.action)
        region = _region(predicted, row)
        end = float(predicted.terminated[0])
        probability = float(REGIONS[region]) * (end if row.terminated[0] else 1.0 - end)
        entropy = _entropy(REGIONS) + _entropy(np.array([end, 1.0 - end]))
        (pair,) = self.pairs(row.observation, row.action)
        return _thresholded(probability, entropy, float(self.visits[pair]))

    def record(self, row: Transitions) -> None:
        """Count a visit of the pair."""
        self.visits[self.pairs(row.observation, row.action)] += 1

    def get_state(self) -> dict[str, Any]:
        """Return the visits."""
        return flatten(_Visits(self.visits))

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is the state of another model.
        """
        (self.visits,) = restore(_Visits(self.visits), state)


class _Visits(NamedTuple):
    visits: IntArray  # (bins * actions,)


REGIONS = -np.diff((1.0, *OUTSIDE_PROBABILITIES, 0.0))
"""Predicted probabilities (3,) of the inner region, the ring around it, and the outside."""


def _region(predicted: Prediction, row: Transitions) -> int:
    """Return the index of the region of `REGIONS` that contains a real transition."""
    if predicted.next_spread is None or predicted.reward_spread is None:
        raise ValueError("a prediction without spreads by a model that declares 'uncertainty'")
    errors = np.append(
        row.next_observation[0] - predicted.next_observation[0], row.reward[0] - predicted.reward[0]
    )
    spreads = np.append(predicted.next_spread[0], predicted.reward_spread[0])
    probability = tail_probability(errors / np.maximum(spreads, EQUAL))
    return sum(probability < level for level in OUTSIDE_PROBABILITIES)


def _tiles(model: Any) -> TileCoding | None:
    size = int(model.size)
    low, high = (
        np.broadcast_to(np.asarray(getattr(model, name, edge), dtype=np.float64), (size,))
        for name, edge in (("low", -np.inf), ("high", np.inf))
    )
    if size > MAX_TILED or not (np.isfinite(high - low).all() and (low < high).all()):
        return None
    return TileCoding(low, high, tiles=TILES, tilings=1)


def _thresholded(probability: float, entropy: float, count: float) -> OutcomeProbability:
    """Return the outcome's probability, set to 0 if it is below that of an unseen outcome."""
    # Laplace's rule: an unseen outcome has probability 1 / (count + 2).
    is_new = probability * (count + 1.0) < 1.0
    return OutcomeProbability(0.0 if is_new else probability, entropy, count)


def _entropy(probabilities: FloatArray) -> float:
    some = probabilities[probabilities > 0.0]
    return float(-(some * np.log(some)).sum())
