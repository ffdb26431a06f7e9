"""Base class of the table models, and the visited pairs from which search control draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.validation import check_entries

from ..core.kernels import sample_outcome, sample_transition, update_model, visited_pairs
from ..core.records import Stateful, check_indices
from ..core.rng import high_below, load, low_below, next_word, state_words, store
from ..core.transitions import Transitions, check_integers, first_outside, outside_table
from .protocol import Outcomes, Prediction

TABLE_PROMISES = frozenset(
    {"exact_when_deterministic", "batch_as_rows", "samples_only_seen", "samples_all_seen"}
)
"""Promises that all tables keep, of `dynamaze.agents.checks`."""

INITIAL_CAPACITY = 64
"""Rows of a growing column before the first update."""


class TableModel(ABC, Stateful):
    """Model of discrete states and actions, its state in a compiled record.

    Args:
        num_states: number of states.
        num_actions: number of actions in each.
        include_untried: allow draws of untried actions of visited states; they lead back to their
            state with reward 0 (Sutton & Barto 2018, footnote on p. 168).

    Attributes:
        table: the record. It has at least the fields `seen` (`VisitedPairs`), `visits` of each
            pair, (states * actions,), and `next_state`, the next states of the outcomes.
    """

    state_fields: ClassVar = {"table": ""}

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"sample", "predict", "distribution", "visits", "compiled"}
    )

    promises: ClassVar[frozenset[str]] = frozenset()
    """Promises that `dynamaze.agents.checks` tests, some of its `PROMISES`."""

    def __init__(self, num_states: int, num_actions: int, *, include_untried: bool = False) -> None:
        check_entries(
            f"num_states={num_states}, num_actions={num_actions}", num_states, num_actions
        )
        self.num_states = num_states
        self.num_actions = num_actions
        self.table: Any = self._begin(include_untried)

    @abstractmethod
    def _begin(self, include_untried: bool) -> Any:
        """Return the record before the first update."""

    def update(self, transitions: Transitions) -> None:
        """Update the model with real transitions, in their order.

        Raises:
            TypeError: if states or actions are not integers.
            ValueError: if one is outside the table or its reward is not finite; the model is then
                unchanged.
        """
        update_table(self, transitions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions, with all randomness from `rng`.

        Raises:
            RuntimeError: before the first update.
        """
        return sample_table(self, n, rng)

    @abstractmethod
    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the possible outcomes of a pair and their probabilities."""

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return the mean reward, most likely next state and termination probability of each pair.

        Args:
            observations: (batch,) rows of the table.
            actions: (batch,) from 0.

        Raises:
            ValueError: if one is outside the table.
        """
        rows = [
            (
                outcomes.probability @ outcomes.reward,
                _most_likely(outcomes),
                outcomes.probability @ outcomes.terminated,
                self.table.visits[self.pair(*pair)],
            )
            for pair in zip(observations, actions, strict=True)
            for outcomes in (self.distribution(*pair),)
        ]
        reward, following, terminated, visits = zip(*rows, strict=True) if rows else ((),) * 4
        return Prediction(
            np.array(reward, dtype=np.float64),
            np.array(following, dtype=np.int64),
            np.array(terminated, dtype=np.float64),
            np.array(visits, dtype=np.int64),
        )

    def pair(self, observation: int, action: int) -> int:
        """Return the number of a pair, observation * num_actions + action.

        Raises:
            ValueError: if one is outside the table.
        """
        if not 0 <= observation < self.num_states:
            raise ValueError(f"observation {observation}; expected 0 to {self.num_states - 1}")
        if not 0 <= action < self.num_actions:
            raise ValueError(f"action {action}; expected 0 to {self.num_actions - 1}")
        return int(observation) * self.num_actions + int(action)

    @property
    def is_empty(self) -> bool:
        """True before the first update."""
        return bool(self.table.seen.states[0] == 0)

    def reserve(self, transitions: int) -> None:
        """Reserve capacity for further transitions, as compiled code cannot grow a record.

        Tables of a fixed size need none.
        """

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check the indices of a restored record: compiled code does not.

        Raises:
            ValueError: for an index out of range.
        """
        check_indices("model", self._indices(restored["table"]))

    def _indices(self, table: Any) -> list[tuple[IntArray, int, int]]:
        """Return arrays of indices, each with its lower bound and its exclusive upper bound."""
        return [
            *table.seen.indices(self.num_states, self.num_actions),
            (table.next_state, 0, self.num_states),
        ]


def update_table(model: Any, transitions: Transitions) -> None:
    """Update a compiled model by the rule of its record.

    Args:
        model: one with `table`, `num_states`, `num_actions` and `reserve`.
        transitions: real transitions, in their order.

    Raises:
        TypeError, ValueError: as `TableModel.update`.
    """
    check_integers(transitions)
    model.reserve(transitions.action.size)
    wrong = update_batch(model.table, model.num_states, model.num_actions, transitions)
    if wrong >= 0:
        raise outside_table(transitions, wrong, model.num_states, model.num_actions)


def sample_table(model: Any, n: int, rng: np.random.Generator) -> Transitions:
    """Sample n transitions of a compiled model by the rule of its record.

    Args:
        model: one with `table`, `num_actions` and `is_empty`.
        n: number of transitions.
        rng: source of all randomness.

    Raises:
        RuntimeError: before the first update.
    """
    if model.is_empty:
        raise RuntimeError("the model has seen no transition yet; update it before sampling")
    return Transitions(*sample_batch(model.table, n, model.num_actions, state_words(rng)))


def _most_likely(outcomes: Outcomes) -> int:
    states, which = np.unique(outcomes.next_observation, return_inverse=True)
    return int(states[np.bincount(which, weights=outcomes.probability).argmax()])


@compiled
def update_batch(table, num_states, num_actions, transitions):
    """Apply the rule of `update_model` to each transition, in order.

    An invalid transition leaves the record unchanged; returns its index, or -1.
    """
    wrong = first_outside(transitions, num_states, num_actions)
    if wrong >= 0:
        return wrong
    for i in range(transitions.action.size):
        update_model(
            table,
            num_actions,
            transitions.observation[i],
            transitions.action[i],
            transitions.reward[i],
            transitions.next_observation[i],
            transitions.terminated[i],
        )
    return -1


@compiled_with_arrays
def sample_batch(table, n, num_actions, words):
    """Apply the rule of `sample_transition` n times; returns the arrays of `Transitions`."""
    states = np.empty(n, dtype=np.int64)
    actions = np.empty(n, dtype=np.int64)
    rewards = np.empty(n)
    next_states = np.empty(n, dtype=np.int64)
    terminated = np.empty(n, dtype=np.bool_)
    columns = np.uint64(num_actions)
    rng = load(words)
    for i in range(n):
        pair, rewards[i], next_states[i], terminated[i], rng = sample_transition(
            table, columns, rng
        )
        states[i] = pair // columns
        actions[i] = pair % columns
    store(words, rng)
    return states, actions, rewards, next_states, terminated


# -- search control ------------------------------------------------------------------------------

# Uniform search control (Sutton & Barto 2018, the box on p. 164) draws a visited state at random
# and then an action tried there. With `include_untried`, as for Dyna-Q+ (footnote on p. 168), all
# actions of a visited state may be drawn.


class VisitedPairs(NamedTuple):
    """Record, changed in place; a pair's number is state * num_actions + action."""

    # Lists with their length in front: the innermost loop of planning then needs two arrays only.
    states: IntArray  # (states + 1,) number of visited states, then these in order
    pairs: IntArray  # (states * (actions + 1),) for each state the number of pairs, then these
    include_untried: bool

    @classmethod
    def begin(cls, num_states: int, num_actions: int, include_untried: bool) -> VisitedPairs:
        """Return an empty record."""
        return cls(
            np.zeros(num_states + 1, dtype=np.int64),
            np.zeros(num_states * (num_actions + 1), dtype=np.int64),
            include_untried,
        )

    def indices(self, num_states: int, num_actions: int) -> list[tuple[IntArray, int, int]]:
        """Return the arrays of indices, each with its lower and its exclusive upper bound."""
        rows = self.pairs.reshape(num_states, num_actions + 1)
        return [
            (self.states[:1], 0, num_states + 1),
            (self.states[1:], 0, num_states),
            (rows[:, 0], 0, num_actions + 1),
            (rows[:, 1:], 0, num_states * num_actions),
        ]


@compiled
def add_pair(seen, num_actions, state, action, is_first_try):
    """Record a tried pair; returns True if its state is new."""
    row = state * (num_actions + 1)
    is_new = seen.pairs[row] == 0
    if is_new:
        seen.states[0] += 1
        seen.states[seen.states[0]] = state
        if seen.include_untried:
            for other in range(num_actions):
                _append_pair(seen, row, state * num_actions + other)
    if is_first_try and not seen.include_untried:
        _append_pair(seen, row, state * num_actions + action)
    return is_new


@compiled
def _append_pair(seen, row, pair):
    seen.pairs[row] += 1
    seen.pairs[row + seen.pairs[row]] = pair


@compiled
def remove_pair(seen, num_actions, pair, visits):
    """Remove a pair without visits; returns True if its state was removed with it.

    With `include_untried` the pair stays listed, as an untried one, while another action of its
    state has visits.
    """
    state = pair // num_actions
    row = state * (num_actions + 1)
    if seen.include_untried:
        for other in range(state * num_actions, (state + 1) * num_actions):
            if visits[other] > 0:
                return False
        seen.pairs[row] = 0
    else:
        _remove_number(seen.pairs, row, pair)
    if seen.pairs[row] > 0:
        return False
    _remove_number(seen.states, 0, state)
    return True


@compiled
def _remove_number(numbers, row, number):
    """Remove a number from the list whose length is stored at `row`."""
    # Order does not matter: the last number fills the gap.
    last = row + numbers[row]
    for place in range(row + 1, last + 1):
        if numbers[place] == number:
            numbers[place] = numbers[last]
            numbers[row] -= 1
            break


@compiled
def sample_pair(seen, num_actions, rng):
    """Sample a visited state uniformly, then one of its listed pairs uniformly."""
    # One word serves both draws: its upper half the state, its lower half the action.
    one = np.uint64(1)
    word, rng = next_word(rng)
    state = np.uint64(seen.states[one + high_below(word, seen.states[0])])
    row = state * (num_actions + one)
    return np.uint64(seen.pairs[row + one + low_below(word, seen.pairs[row])]), rng


@compiled
def sample_visited(model, num_actions, rng):
    """Sample a visited pair, then an outcome: the rule of `sample_transition` of most tables."""
    pair, rng = sample_pair(visited_pairs(model), num_actions, rng)
    reward, next_state, terminated, rng = sample_outcome(model, num_actions, pair, rng)
    return pair, reward, next_state, terminated, rng
