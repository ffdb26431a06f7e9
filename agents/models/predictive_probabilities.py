"""What a model held of something that then happened: the numbers that scores are made of.

Of numbered states a model says it by the probability of each outcome. Of vectors it states a mean
and a spread, and is judged by where the truth lies in the normal distribution that these are: in
the region that holds 90% of it, beyond that, or beyond 99.9%. The region is a box: all numbers of
the next vector, and the reward, must lie within. Whether the episode ends is judged besides, by
its probability.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray

from ..core.features import TileCoding
from ..core.normal import chance_of_as_far
from ..core.records import flatten, restore
from ..core.transitions import Transitions, check_transitions
from .protocol import Outcomes, Prediction
from .vector_memory import check_vectors

LEVELS = (0.1, 0.001)
"""What is stated to lie outside the two regions."""

TILES, MOST_TILED = 8, 3
"""Vectors of up to so many numbers are told apart by tiles, so many in each direction."""

EQUAL = 1e-5
"""Numbers of a vector that are nearer are equal: single precision is no surprise."""


class Belief(NamedTuple):
    """What a model held of a real outcome before it learned from it."""

    probability: float  # 0 for what it held to be less likely than something new
    entropy: float  # of the prediction, in nats
    behind: float  # by how many outcomes the pair is known


class Beliefs(Protocol):
    """How a kind of model is judged, and which pairs are told apart."""

    shape: tuple[int, int]  # places and actions that are told apart

    def pairs(self, observations: Any, actions: Any) -> IntArray:
        """(batch,) the number of each pair, place * actions + action."""

    def check(self, transitions: Transitions) -> Transitions:
        """The transitions, if the model may learn from them.

        Raises:
            TypeError, ValueError: if it may not.
        """

    def held(self, row: Transitions) -> Belief:
        """What the model holds of a real transition, a batch of one."""

    def note(self, row: Transitions) -> None:
        """The model has learned from it."""

    def get_state(self) -> dict[str, Any]:
        """Arrays that `set_state` takes back."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""


class RowBeliefs:
    """Of a model of numbered states, which are the places.

    Args:
        model: one that gives a "distribution".
        num_states: how many states.
        num_actions: how many actions.
    """

    def __init__(self, model: Any, num_states: int, num_actions: int) -> None:
        self.model, self.shape = model, (num_states, num_actions)

    def pairs(self, observations: IntArray, actions: IntArray) -> IntArray:
        """(batch,) of states and actions."""
        return np.asarray(observations) * self.shape[1] + np.asarray(actions)

    def check(self, transitions: Transitions) -> Transitions:
        """The transitions, if they are inside the table.

        Raises:
            TypeError, ValueError: if they are not.
        """
        check_transitions(transitions, *self.shape)
        return transitions

    def held(self, row: Transitions) -> Belief:
        """By the model's distribution; equal outcomes are added up."""
        count = float(self.model.predict(row.observation, row.action).visits[0])
        believed: Outcomes = self.model.distribution(int(row.observation[0]), int(row.action[0]))
        outcomes, which = np.unique(
            believed.next_observation * 2 + believed.terminated, return_inverse=True
        )
        chances = np.bincount(which, weights=believed.probability).astype(np.float64)
        happened = outcomes == row.next_observation[0] * 2 + row.terminated[0]
        return _belief(float(chances[happened].sum()), _entropy(chances), count)

    def note(self, row: Transitions) -> None:
        """The model itself counts visits."""

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""


class VectorBeliefs:
    """Of a model of vectors, whose places are tiles of their box, or one for all vectors.

    Actions that are vectors themselves are not told apart.

    Args:
        model: one that says its "uncertainty", with `size`, `num_actions` and, where there are
            bounds, `low` and `high`; with `actions` where these are vectors.

    Attributes:
        visits: (places * actions,) outcomes of each pair.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._actions = getattr(model, "actions", model.num_actions)
        self._tiles = _tiles(model)
        places = 1 if self._tiles is None else self._tiles.num_features
        self.shape = places, max(1, model.num_actions)
        self.visits = np.zeros(places * self.shape[1], dtype=np.int64)

    def pairs(self, observations: FloatArray, actions: Any) -> IntArray:
        """(batch,) of tiles and numbered actions."""
        places = np.zeros(len(observations), dtype=np.int64)
        if self._tiles is not None:
            places = self._tiles.active(observations)[:, 0]
        return places * self.shape[1] + np.asarray(actions) if self.model.num_actions else places

    def check(self, transitions: Transitions) -> Transitions:
        """The transitions, if they are between vectors of this size.

        Raises:
            TypeError, ValueError: if they are not.
        """
        return check_vectors(transitions, self.model.size, self._actions)

    def held(self, row: Transitions) -> Belief:
        """By the spread that the model states."""
        stated: Prediction = self.model.predict(row.observation, row.action)
        region = _region(stated, row)
        end = float(stated.terminated[0])
        probability = float(REGIONS[region]) * (end if row.terminated[0] else 1.0 - end)
        entropy = _entropy(REGIONS) + _entropy(np.array([end, 1.0 - end]))
        (pair,) = self.pairs(row.observation, row.action)
        return _belief(probability, entropy, float(self.visits[pair]))

    def note(self, row: Transitions) -> None:
        """One outcome more."""
        self.visits[self.pairs(row.observation, row.action)] += 1

    def get_state(self) -> dict[str, Any]:
        """The visits."""
        return flatten(_Visits(self.visits))

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another model.
        """
        (self.visits,) = restore(_Visits(self.visits), state)


class _Visits(NamedTuple):
    visits: IntArray  # (places * actions,)


REGIONS = -np.diff((1.0, *LEVELS, 0.0))
"""(3,) how likely the truth is in the inner region, between the two, and beyond."""


def _region(stated: Prediction, row: Transitions) -> int:
    """In which of the `REGIONS` a real transition lies."""
    if stated.next_spread is None or stated.reward_spread is None:
        raise ValueError("a prediction without spreads, of a model that declares 'uncertainty'")
    errors = np.append(
        row.next_observation[0] - stated.next_observation[0], row.reward[0] - stated.reward[0]
    )
    spreads = np.append(stated.next_spread[0], stated.reward_spread[0])
    chance = chance_of_as_far(errors / np.maximum(spreads, EQUAL))
    return sum(chance < level for level in LEVELS)


def _tiles(model: Any) -> TileCoding | None:
    size = int(model.size)
    low, high = (
        np.broadcast_to(np.asarray(getattr(model, name, edge), dtype=np.float64), (size,))
        for name, edge in (("low", -np.inf), ("high", np.inf))
    )
    if size > MOST_TILED or not (np.isfinite(high - low).all() and (low < high).all()):
        return None
    return TileCoding(low, high, tiles=TILES, tilings=1)


def _belief(probability: float, entropy: float, behind: float) -> Belief:
    """The belief; by Laplace's rule something new has a chance of 1 / (count + 2)."""
    is_new = probability * (behind + 1.0) < 1.0
    return Belief(0.0 if is_new else probability, entropy, behind)


def _entropy(chances: FloatArray) -> float:
    some = chances[chances > 0.0]
    return float(-(some * np.log(some)).sum())
