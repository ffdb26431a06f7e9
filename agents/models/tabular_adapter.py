"""Models of vectors in worlds with numbered states: for action values in a table."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..core.encoders import Vectors
from ..core.normal import grid_chances
from ..core.records import flatten, restore
from ..core.rng import load, state_words, store
from ..core.state import part_of
from ..core.transitions import Transitions, check_integers, first_outside, outside_table
from .protocol import Outcomes, Prediction
from .regression import RegressionModel
from .visited_pairs import SeenPairs, draw_pair, note_pair

NO_CHANCE = 1e-12
"""What is less likely is left out of a distribution."""

NO_SPREAD = 1e-9
"""A smaller standard deviation of coordinates is none."""


class OnRows:
    """A model of vectors that learns from and gives the rows of a table.

    Search control is that of the box (Sutton & Barto 2018, p. 164): a state at random from those
    visited, then an action from those tried there. The model inside imagines what follows; the
    vector that it imagines becomes the nearest row that exists, that is, one that was seen.

    One case is better than the nearest: of a one-hot vector, what an expectation model learns is
    the probability of each row. Then the row is drawn by it, and an expectation model is, exactly,
    the maximum-likelihood table.

    Args:
        model: of the vectors of these rows.
        vectors: the encoder of a space that has rows.
        include_untried: whether untried actions of visited states may be drawn; they lead back to
            their state and pay nothing (footnote on p. 168).

    Raises:
        ValueError: if the model is for vectors of another size, or the space has no rows.
    """

    observes = "rows"

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
        self.seen = SeenPairs.begin(self.num_states, self.num_actions, include_untried)
        self.visits = np.zeros(self.num_states * self.num_actions, dtype=np.int64)
        self.exists = np.zeros(self.num_states, dtype=np.bool_)
        self._draws_rows = vectors.is_one_hot and "expectation" in model.capabilities

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model inside can do; where rows are drawn, they are no expectations."""
        inside = self.model.capabilities | {"distribution", "visits"}
        return inside - {"expectation"} if self._draws_rows else inside

    @property
    def is_empty(self) -> bool:
        """Whether nothing was seen yet."""
        return bool(self.seen.states[0] == 0)

    def update(self, transitions: Transitions) -> None:
        """Learn from real transitions.

        Raises:
            TypeError, ValueError: if one is outside the table or its reward is not finite; then
                none is learned.
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
        _note_batch(self.seen, self.visits, self.exists, transitions, self.num_actions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Draw n simulated transitions, all randomness from `rng`.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        if self.is_empty:
            raise RuntimeError("the model has seen no transition yet; update it before sampling")
        pairs = _draw_pairs(self.seen, n, self.num_actions, state_words(rng))
        states, actions = np.divmod(pairs, self.num_actions)
        imagined = self.model.imagine(self.vectors.of_rows(states), actions, rng)
        rows = self._rows(imagined.next_observation, rng)
        untried = self.visits[pairs] == 0
        return Transitions(
            states,
            actions,
            np.where(untried, 0.0, imagined.reward),
            np.where(untried, states, rows),
            imagined.terminated & ~untried,
        )

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """What the model inside believes, its vector as the nearest row.

        Of an action that was never tried where nothing was seen at all, nothing is believed to
        happen, as of a table. `next_spread` is of the vector's numbers.

        Args:
            observations: (batch,) rows of the table.
            actions: (batch,) from 0.

        Raises:
            ValueError: if one is outside the table.
        """
        believed = self._believed(observations, actions)
        rows, actions = np.asarray(observations), np.asarray(actions)
        following = rows.copy() if self.is_empty else self._nearest(believed.next_observation)
        return believed._replace(
            next_observation=following, visits=self.visits[rows * self.num_actions + actions]
        )

    def distribution(self, observation: int, action: int) -> Outcomes:
        """How likely each row that was seen follows a pair, with the end and without.

        Of one-hot vectors it is the mean, which is the probability of each row. Of coordinates it
        is how likely a draw is nearest to the row: of the normal distribution with the model's
        mean and spread, each number on its own, which a model may draw from only nearly (Student's
        t, a mixture). An expectation model of coordinates is certain of the row nearest to the
        mean. All outcomes of a pair have the same mean reward.

        Raises:
            ValueError: if the pair is outside the table.
        """
        believed = self._believed(np.array([observation]), np.array([action]))
        if self.is_empty:
            return Outcomes.unknown(observation)
        known = np.flatnonzero(self.exists)
        end = believed.terminated[0]
        chances = np.outer(self._chances(believed, known), (1.0 - end, end))
        which, ended = np.nonzero(chances > NO_CHANCE)
        likely = chances[which, ended]
        return Outcomes(
            known[which],
            likely / likely.sum(),
            np.full(which.size, believed.reward[0]),
            ended.astype(np.bool_),
        )

    def _believed(self, observations: IntArray, actions: IntArray) -> Prediction:
        """What the model inside believes of the vectors of rows, if these are inside the table."""
        rows, actions = np.asarray(observations), np.asarray(actions)
        for name, numbers, size in (
            ("observation", rows, self.num_states),
            ("action", actions, self.num_actions),
        ):
            wrong = numbers[(numbers < 0) | (numbers >= size)]
            if wrong.size:
                raise ValueError(f"{name} {wrong[0]}; expected 0 to {size - 1}")
        return self.model.predict(self.vectors.of_rows(rows), actions)

    # -- from vectors to rows ------------------------------------------------------------------

    def _rows(self, vectors: FloatArray, rng: np.random.Generator) -> IntArray:
        if not self._draws_rows:
            return self._nearest(vectors)
        rows = np.flatnonzero(self.exists)
        weights = np.cumsum(np.maximum(vectors[:, rows], 0.0), axis=1)
        total = weights[:, -1]
        drawn = (weights <= (rng.random(len(vectors)) * total)[:, None]).sum(axis=1)
        found: IntArray = rows[np.minimum(drawn, len(rows) - 1)]
        drawn_or_nearest: IntArray = np.where(total > 0, found, self._nearest(vectors))
        return drawn_or_nearest

    def _chances(self, believed: Prediction, known: IntArray) -> FloatArray:
        """(rows,) how likely each of the rows that were seen is, for a prediction of one pair."""
        mean, spread = believed.next_observation, believed.next_spread
        grid = self.vectors.rows
        assert grid is not None  # settled when it was made
        chances = np.zeros(self.num_states)
        if self.vectors.is_one_hot:
            chances = np.maximum(mean[0], 0.0)
        elif spread is not None and "expectation" not in self.model.capabilities:
            deviations = np.maximum(spread[0], NO_SPREAD)
            chances = grid_chances(mean[0] - grid.start, deviations, grid.shape)
        if not chances[known].sum() > NO_CHANCE:
            chances[self._nearest(mean)] = 1.0
        found: FloatArray = chances[known] / chances[known].sum()
        return found

    def _nearest(self, vectors: FloatArray) -> IntArray:
        """The nearest rows that were seen; of equally near ones the first."""
        if self.vectors.is_one_hot:
            known = np.where(self.exists, vectors, -np.inf)
            likeliest: IntArray = known.argmax(axis=1).astype(np.int64)
            return likeliest
        grid = self.vectors.rows
        assert grid is not None  # settled when it was made
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

    # -- files ---------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The model's state and what was seen."""
        inside = {f"model.{name}": value for name, value in self.model.get_state().items()}
        return {**inside, **flatten(_Noted(self.seen, self.visits, self.exists))}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another model, or leads outside the table.
        """
        seen, visits, exists = restore(_Noted(self.seen, self.visits, self.exists), state)
        rows = seen.pairs.reshape(self.num_states, self.num_actions + 1)
        for numbers, high in (
            (seen.states[:1], self.num_states + 1),
            (seen.states[1:], self.num_states),
            (rows[:, 0], self.num_actions + 1),
            (rows[:, 1:], self.num_states * self.num_actions),
        ):
            if not 0 <= numbers.min() <= numbers.max() < high:
                raise ValueError(
                    f"an index from {numbers.min()} to {numbers.max()} in the model's state; "
                    f"expected 0 to {high - 1}"
                )
        self.model.set_state(part_of("model", state))
        self.seen, self.visits, self.exists = seen, visits, exists


class _Noted(NamedTuple):
    """What is kept beside the model inside."""

    seen: SeenPairs
    visits: IntArray  # (states * actions,)
    exists: BoolArray  # (states,)


@compiled
def _note_batch(seen, visits, exists: BoolArray, transitions, num_actions):
    """Note the pairs of a batch, which is inside the table, and the rows that were seen."""
    for i in range(transitions.action.size):
        state, action = transitions.observation[i], transitions.action[i]
        pair = state * num_actions + action
        note_pair(seen, num_actions, state, action, visits[pair] == 0)
        visits[pair] += 1
        exists[state] = True
        exists[transitions.next_observation[i]] = True


@compiled_with_arrays
def _draw_pairs(seen, n, num_actions, words):
    """N numbers of pairs by the box's search control."""
    pairs = np.empty(n, dtype=np.int64)
    rng = load(words)
    for i in range(n):
        pair, rng = draw_pair(seen, np.uint64(num_actions), rng)
        pairs[i] = np.int64(pair)
    store(words, rng)
    return pairs
