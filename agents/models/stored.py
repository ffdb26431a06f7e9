"""Stored experience as a model: every transition, or those of a sliding window."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_count

from ..core.kernels import rules
from ..core.records import with_capacity
from ..core.rng import high_below, next_word
from .protocol import Outcomes
from .table import INITIAL_CAPACITY, TABLE_PROMISES, TableModel, VisitedPairs, add_pair, remove_pair

GROWING: tuple[str, ...] = ("pair", "reward", "next_state", "terminated")
"""Columns of the record that grow with experience."""


class StoredExperience(TableModel):
    """Experience replay as a model: stores every transition and samples them uniformly.

    Suited to any observations, also vectors, since nothing is fitted.

    Experience replay (Lin 1992); as a model: van Hasselt, Hessel and Aslanides 2019. Unlike the
    other table models it samples a pair in proportion to its visits.
    """

    promises = TABLE_PROMISES | {"represents_chance", "order_does_not_matter"}
    growing_fields = GROWING

    def _begin(self, include_untried: bool) -> Any:
        return StoredTable.begin(
            self.num_states, self.num_actions, include_untried, INITIAL_CAPACITY
        )

    def reserve(self, transitions: int) -> None:
        """Reserve capacity for this number of further transitions."""
        # In addition each pair may reserve a slot before its first try.
        capacity = int(self.table.used[0]) + transitions + self.num_states * self.num_actions
        self.table = with_capacity(self.table, GROWING, capacity)

    def _indices(self, table: Any) -> list[tuple[IntArray, int, int]]:
        used = int(table.used[0])
        return [
            *super()._indices(table),
            (table.used, 0, table.pair.size + 1),
            (table.pair, 0, self.num_states * self.num_actions),
            (table.reserved, -1, used),
        ]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the stored outcomes of a pair with their relative frequencies."""
        table, pair = self.table, self.pair(observation, action)
        stored = np.flatnonzero(table.pair[: int(table.used[0])] == pair)
        if not stored.size:
            return Outcomes.unknown(observation)
        return Outcomes(
            table.next_state[stored],
            np.full(stored.size, 1 / stored.size),
            table.reward[stored],
            table.terminated[stored],
        )


class StoredTable(NamedTuple):
    """Record, changed in place; an untried pair may reserve a slot for its first transition."""

    seen: VisitedPairs
    pair: IntArray  # (capacity,)
    reward: FloatArray  # (capacity,)
    next_state: IntArray  # (capacity,)
    terminated: BoolArray  # (capacity,)
    reserved: IntArray  # (states * actions,) slot reserved by an untried pair, or -1
    visits: IntArray  # (states * actions,)
    used: IntArray  # (1,) slots in use

    @classmethod
    def begin(
        cls, num_states: int, num_actions: int, include_untried: bool, capacity: int
    ) -> StoredTable:
        """Return an empty record."""
        pairs = num_states * num_actions
        return cls(
            VisitedPairs.begin(num_states, num_actions, include_untried),
            np.zeros(capacity, dtype=np.int64),
            np.zeros(capacity),
            np.zeros(capacity, dtype=np.int64),
            np.zeros(capacity, dtype=np.bool_),
            np.full(pairs, -1, dtype=np.int64),
            np.zeros(pairs, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )


@compiled
def update_stored(table, num_actions, state, action, reward, next_state, terminated):
    """Store a transition; returns its slot."""
    first = state * num_actions
    pair = first + action
    is_new = add_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
    if is_new and table.seen.include_untried:
        for other in range(first, first + num_actions):
            table.reserved[other] = _store(table, other, 0.0, state, False)
    place = table.reserved[pair]
    if place >= 0:
        put_transition(table, place, pair, reward, next_state, terminated)
        table.reserved[pair] = -1
    else:
        place = _store(table, pair, reward, next_state, terminated)
    table.visits[pair] += 1
    return place


@compiled
def _store(table, pair, reward, next_state, terminated):
    place = table.used[0]
    table.used[0] += 1
    put_transition(table, place, pair, reward, next_state, terminated)
    return place


@compiled
def put_transition(table, place, pair, reward, next_state, terminated):
    """Write a transition into a slot."""
    table.pair[place] = pair
    table.reward[place] = reward
    table.next_state[place] = next_state
    table.terminated[place] = terminated


@compiled
def sample_stored(table, num_actions, rng):
    """Sample one of the stored transitions uniformly."""
    word, rng = next_word(rng)
    place = high_below(word, table.used[0])
    return (
        np.uint64(table.pair[place]),
        table.reward[place],
        table.next_state[place],
        table.terminated[place],
        rng,
    )


rules(StoredTable, update_model=update_stored, sample_transition=sample_stored)


class ForgettingExperience(StoredExperience):
    """Experience replay with a sliding window over the last transitions.

    Suited to environments that change, where old experience misleads.

    A buffer of limited size (Lin 1992; effect of its size: Zhang and Sutton 2017, "A deeper look at
    experience replay").

    Args:
        num_states: number of states.
        num_actions: number of actions in each.
        include_untried: allow draws of untried actions of remembered states.
        window: number of transitions that are kept, at least 1.

    Raises:
        ValueError: for a window that is not a positive integer.
    """

    promises = TABLE_PROMISES | {"represents_chance"}
    growing_fields = ()

    def __init__(
        self,
        num_states: int,
        num_actions: int,
        *,
        include_untried: bool = False,
        window: int = 1000,
    ) -> None:
        self.window = checked_count("window", window)
        super().__init__(num_states, num_actions, include_untried=include_untried)

    def _begin(self, include_untried: bool) -> Any:
        capacity = self.window + self.num_states * self.num_actions
        stored = StoredTable.begin(self.num_states, self.num_actions, include_untried, capacity)
        return WindowTable(
            *stored,
            np.full(self.window, -1, dtype=np.int64),
            np.full(capacity, -1, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )

    def reserve(self, transitions: int) -> None:
        """Do nothing: the record has a fixed size."""

    def _indices(self, table: Any) -> list[tuple[IntArray, int, int]]:
        return [
            *super()._indices(table),
            (table.place, -1, int(table.used[0])),
            (table.slot, -1, self.window),
            (table.clock, 0, 2**62),
        ]


class WindowTable(NamedTuple):
    """Record, changed in place: a `StoredTable` and the slots of the last real steps."""

    seen: VisitedPairs
    pair: IntArray  # (capacity,)
    reward: FloatArray  # (capacity,)
    next_state: IntArray  # (capacity,)
    terminated: BoolArray  # (capacity,)
    reserved: IntArray  # (states * actions,) slot reserved by an untried pair, or -1
    visits: IntArray  # (states * actions,) among the last steps
    used: IntArray  # (1,) slots in use
    place: IntArray  # (window,) ring buffer of the slots of the last steps; -1 is empty
    slot: IntArray  # (capacity,) the ring index of each slot, -1 if reserved
    clock: IntArray  # (1,) real steps so far


@compiled
def update_window(table, num_actions, state, action, reward, next_state, terminated):
    """Forget the transition that leaves the window, then store this one."""
    slot = table.clock[0] % table.place.size
    if table.place[slot] >= 0:
        _forget_one(table, num_actions, table.place[slot])
        table.place[slot] = -1
    place = update_stored(table, num_actions, state, action, reward, next_state, terminated)
    table.place[slot] = place
    table.slot[place] = slot
    table.clock[0] += 1


@compiled
def _forget_one(table, num_actions, place):
    """Free a slot, or reserve it for its pair, which is untried again."""
    pair = table.pair[place]
    table.visits[pair] -= 1
    if table.visits[pair] > 0:
        _free(table, place)
        return
    if table.seen.include_untried:
        put_transition(table, place, pair, 0.0, pair // num_actions, False)
        table.slot[place] = -1
        table.reserved[pair] = place
    else:
        _free(table, place)
    if remove_pair(table.seen, num_actions, pair, table.visits):
        first = pair - pair % num_actions
        for other in range(first, first + num_actions):
            if table.reserved[other] >= 0:
                _free(table, table.reserved[other])
                table.reserved[other] = -1


@compiled
def _free(table, place):
    """Free a slot by moving the last slot into it."""
    last = table.used[0] - 1
    if last < 0:  # only in a state that was edited by hand
        return
    table.used[0] = last
    if place != last:
        put_transition(
            table,
            place,
            table.pair[last],
            table.reward[last],
            table.next_state[last],
            table.terminated[last],
        )
        table.slot[place] = table.slot[last]
        if table.slot[last] >= 0:
            table.place[table.slot[last]] = place
        else:
            table.reserved[table.pair[last]] = place
    table.slot[last] = -1


rules(WindowTable, update_model=update_window, sample_transition=sample_stored)
