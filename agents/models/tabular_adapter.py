"""Adapter of models of vectors to discrete states, for tables of action values."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..core.encoders import Vectors
from ..core.normal import grid_probabilities
from ..core.records import Stateful, check_indices
from ..core.rng import load, sample_columns, state_words, store
from ..core.transitions import Transitions, check_integers, first_outside, outside_table
from .protocol import Outcomes, Prediction
from .regression import RegressionModel
from .table import VisitedPairs, add_pair, sample_pair

MIN_PROBABILITY = 1e-12
"""Outcomes of a smaller probability are left out of a distribution."""

MIN_SPREAD = 1e-9
"""Smallest standard deviation of coordinates."""


class TabularAdapter(Stateful):
    """Model of vectors that learns from and samples the rows of a table.

    Search control is that of the box (Sutton & Barto 2018, p. 164): a visited state at random, then
    a tried action. The inner model simulates the outcome; its vector is mapped to the nearest row
    that was seen.

    For one-hot vectors an expectation model learns the probability of each row. The row is then
    drawn by it, and the model equals the maximum-likelihood table.

    Args:
        model: model of the vectors of these rows.
        vectors: encoder of a space with rows.
        include_untried: allow draws of untried actions of visited states; they lead back to their
            state with reward 0 (footnote on p. 168).

    Raises:
        ValueError: if the model is for vectors of another size, or the space has no rows.
    """

    observes = "discrete"
    state_fields: ClassVar = {
        "model": "model.",
        "seen": "seen.",
        "visits": "visits",
        "exists": "exists",
    }

    def __init__(
        self, model: RegressionModel, vectors: Vectors, *, include_untried: bool = False
    ) -> None:
        if vectors.rows is None or model.size != vectors.size:
            raise ValueError(
                f"a model of vectors of {model.size} numbers for {vectors.space}; expected a space "
                f"with rows, whose vectors have {vectors.size}"
            )
        self.model, self.vectors = model, vectors
        self.num_states, self.num_actions = vectors.rows.size, model.num_actions
        self.seen = VisitedPairs.begin(self.num_states, self.num_actions, include_untried)
        self.visits = np.zeros(self.num_states * self.num_actions, dtype=np.int64)
        self.exists = np.zeros(self.num_states, dtype=np.bool_)
        self._draws_rows = vectors.is_one_hot and "expectation" in model.capabilities

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities of the inner model; "expectation" is dropped if rows are drawn."""
        inside = self.model.capabilities | {"distribution", "visits"}
        return inside - {"expectation"} if self._draws_rows else inside

    @property
    def is_empty(self) -> bool:
        """True before the first update."""
        return bool(self.seen.states[0] == 0)

    def update(self, transitions: Transitions) -> None:
        """Update the model with real transitions.

        Raises:
            TypeError, ValueError: if one is outside the table or its reward is not finite; the
                model is then unchanged.
        """
        check_integers(transitions)
        wrong = first_outside(transitions, self.num_states, self.num_actions)
        if wrong >= 0:
            raise outside_table(transitions, wrong, self.num_states, self.num_actions)
        self.model.update(
            transitions._replace(
                observation=self.vectors.of_rows(transitions.observation),
                next_observation=self.vectors.of_rows(transitions.next_observation),
            )
        )
        _record_batch(self.seen, self.visits, self.exists, transitions, self.num_actions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions, with all randomness from `rng`.

        Raises:
            RuntimeError: before the first update.
        """
        if self.is_empty:
            raise RuntimeError("the model has seen no transition yet; update it before sampling")
        pairs = _sample_pairs(self.seen, n, self.num_actions, state_words(rng))
        states, actions = np.divmod(pairs, self.num_actions)
        simulated = self.model.sample_transitions(self.vectors.of_rows(states), actions, rng)
        rows = self._rows(simulated.next_observation, rng)
        untried = self.visits[pairs] == 0
        return Transitions(
            states,
            actions,
            np.where(untried, 0.0, simulated.reward),
            np.where(untried, states, rows),
            simulated.terminated & ~untried,
        )

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return the inner model's predictions, with the nearest row of each vector.

        Before the first update every pair leads back to its own row, as in a table. `next_spread`
        refers to the coordinates of the vector.

        Args:
            observations: (batch,) rows of the table.
            actions: (batch,) from 0.

        Raises:
            ValueError: if one is outside the table.
        """
        predicted = self._predictions(observations, actions)
        rows, actions = np.asarray(observations), np.asarray(actions)
        following = rows.copy() if self.is_empty else self._nearest(predicted.next_observation)
        return predicted._replace(
            next_observation=following, visits=self.visits[rows * self.num_actions + actions]
        )

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the probability of each seen row as next state of a pair, terminal and not.

        For one-hot vectors it is the predicted mean. For coordinates it is the probability that a
        draw is nearest to the row, from independent normal distributions with the model's mean and
        standard deviation (an approximation if the model draws from Student's t or a mixture). An
        expectation model of coordinates has the row nearest to the mean with probability 1. All
        outcomes of a pair have the same mean reward.

        Raises:
            ValueError: if the pair is outside the table.
        """
        predicted = self._predictions(np.array([observation]), np.array([action]))
        if self.is_empty:
            return Outcomes.unknown(observation)
        known = np.flatnonzero(self.exists)
        end = predicted.terminated[0]
        probabilities = np.outer(self._row_probabilities(predicted, known), (1.0 - end, end))
        which, ended = np.nonzero(probabilities > MIN_PROBABILITY)
        likely = probabilities[which, ended]
        return Outcomes(
            known[which],
            likely / likely.sum(),
            np.full(which.size, predicted.reward[0]),
            ended.astype(np.bool_),
        )

    def _predictions(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return the inner model's predictions for the vectors of rows inside the table."""
        rows, actions = np.asarray(observations), np.asarray(actions)
        for name, numbers, size in (
            ("observation", rows, self.num_states),
            ("action", actions, self.num_actions),
        ):
            wrong = numbers[(numbers < 0) | (numbers >= size)]
            if wrong.size:
                raise ValueError(f"{name} {wrong[0]}; expected 0 to {size - 1}")
        return self.model.predict(self.vectors.of_rows(rows), actions)

    # -- mapping vectors to rows -----------------------------------------------------------------

    def _rows(self, vectors: FloatArray, rng: np.random.Generator) -> IntArray:
        if not self._draws_rows:
            return self._nearest(vectors)
        rows = np.flatnonzero(self.exists)
        means = np.maximum(vectors[:, rows], 0.0)
        found = rows[sample_columns(means, rng)]
        has_means = (means > 0).any(axis=1)
        drawn_or_nearest: IntArray = np.where(has_means, found, self._nearest(vectors))
        return drawn_or_nearest

    def _row_probabilities(self, predicted: Prediction, known: IntArray) -> FloatArray:
        """Return the (rows,) probability of each seen row for the prediction of one pair."""
        mean, spread = predicted.next_observation, predicted.next_spread
        grid = self.vectors.rows
        assert grid is not None  # checked by the constructor
        probabilities = np.zeros(self.num_states)
        if self.vectors.is_one_hot:
            probabilities = np.maximum(mean[0], 0.0)
        elif spread is not None and "expectation" not in self.model.capabilities:
            deviations = np.maximum(spread[0], MIN_SPREAD)
            probabilities = grid_probabilities(mean[0] - grid.start, deviations, grid.shape)
        if not probabilities[known].sum() > MIN_PROBABILITY:
            probabilities[self._nearest(mean)] = 1.0
        found: FloatArray = probabilities[known] / probabilities[known].sum()
        return found

    def _nearest(self, vectors: FloatArray) -> IntArray:
        """Return the nearest rows that were seen; ties go to the first."""
        if self.vectors.is_one_hot:
            known = np.where(self.exists, vectors, -np.inf)
            likeliest: IntArray = known.argmax(axis=1).astype(np.int64)
            return likeliest
        grid = self.vectors.rows
        assert grid is not None  # checked by the constructor
        places = np.rint(vectors - grid.start).astype(np.int64)
        inside = np.clip(places, 0, np.array(grid.shape) - 1)
        rows: IntArray = np.ravel_multi_index(tuple(inside.T), grid.shape).astype(np.int64)
        lost = np.flatnonzero(~self.exists[rows])
        if lost.size:
            known = np.flatnonzero(self.exists)
            there = self.vectors.of_rows(known)
            for row in lost:
                rows[row] = known[((there - vectors[row]) ** 2).sum(axis=1).argmin()]
        return rows

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check the restored indices."""
        seen = restored["seen"]
        check_indices("model", seen.indices(self.num_states, self.num_actions))


@compiled
def _record_batch(seen, visits, exists: BoolArray, transitions, num_actions):
    """Record the pairs and rows of a valid batch."""
    for i in range(transitions.action.size):
        state, action = transitions.observation[i], transitions.action[i]
        pair = state * num_actions + action
        add_pair(seen, num_actions, state, action, visits[pair] == 0)
        visits[pair] += 1
        exists[state] = True
        exists[transitions.next_observation[i]] = True


@compiled_with_arrays
def _sample_pairs(seen, n, num_actions, words):
    """Return n pairs drawn by the search control of the box."""
    pairs = np.empty(n, dtype=np.int64)
    rng = load(words)
    for i in range(n):
        pair, rng = sample_pair(seen, np.uint64(num_actions), rng)
        pairs[i] = np.int64(pair)
    store(words, rng)
    return pairs
