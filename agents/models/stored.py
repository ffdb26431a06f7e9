"""Stored experience: the transitions themselves are the model."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced

from ..core.kernels import draw, observe, rule
from ..core.records import with_room
from ..core.rng import high_below, next_word
from .protocol import Outcomes
from .table import TableModel
from .visited_pairs import SeenPairs, note_pair

_FIRST_ROOM = 64


class StoredTable(NamedTuple):
    """Changed in place. An untried pair may hold a place, which its first real try takes."""

    seen: SeenPairs
    pair: IntArray  # (room,)
    reward: FloatArray  # (room,)
    next_state: IntArray  # (room,)
    terminated: BoolArray  # (room,)
    reserved: IntArray  # (states * actions,) the place an untried pair holds, -1 without
    visits: IntArray  # (states * actions,)
    used: IntArray  # (1,) places in use

    @classmethod
    def begin(
        cls, num_states: int, num_actions: int, include_untried: bool, room: int
    ) -> StoredTable:
        """Nothing stored yet."""
        pairs = num_states * num_actions
        return cls(
            SeenPairs.begin(num_states, num_actions, include_untried),
            np.zeros(room, dtype=np.int64),
            np.zeros(room),
            np.zeros(room, dtype=np.int64),
            np.zeros(room, dtype=np.bool_),
            np.full(pairs, -1, dtype=np.int64),
            np.zeros(pairs, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )


class StoredExperience(TableModel[StoredTable]):
    """Keeps every transition and draws among them, each as likely as the others.

    Experience replay (Lin 1992); as a model: van Hasselt, Hessel and Aslanides 2019. Unlike the
    other table models it draws a pair as often as it was tried.
    """

    promises = frozenset(
        {
            "exact_when_deterministic",
            "represents_chance",
            "order_does_not_matter",
            "batch_as_rows",
            "samples_only_seen",
            "samples_all_seen",
        }
    )
    growing: ClassVar[tuple[str, ...]] = ("pair", "reward", "next_state", "terminated")

    def _begin(self, include_untried: bool) -> StoredTable:
        return StoredTable.begin(self.num_states, self.num_actions, include_untried, _FIRST_ROOM)

    def reserve(self, transitions: int) -> None:
        """Make room for so many further transitions."""
        # Besides, each pair may hold a place before its first try.
        room = int(self.table.used[0]) + transitions + self.num_states * self.num_actions
        self.table = with_room(self.table, self.growing, room)

    def _indices(self, table: StoredTable) -> list[tuple[IntArray, int, int]]:
        used = int(table.used[0])
        return [
            *super()._indices(table),
            (table.used, 0, table.pair.size + 1),
            (table.pair, 0, self.num_states * self.num_actions),
            (table.reserved, -1, used),
        ]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What is stored of a pair, by its frequency."""
        return stored_outcomes(self.table, observation, self.pair(observation, action))


def stored_outcomes(table: Any, observation: int, pair: int) -> Outcomes:
    """What a record stores of a pair of this observation, by its frequency."""
    stored = np.flatnonzero(table.pair[: int(table.used[0])] == pair)
    if not stored.size:
        return Outcomes.unknown(observation)
    return Outcomes(
        table.next_state[stored],
        np.full(stored.size, 1 / stored.size),
        table.reward[stored],
        table.terminated[stored],
    )


@rule(observe, StoredTable)
@compiled
def observe_stored(table, num_actions, state, action, reward, next_state, terminated):
    """Store a transition; gives its place."""
    first = state * num_actions
    pair = first + action
    is_new = note_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
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
    """Write a transition into a place."""
    table.pair[place] = pair
    table.reward[place] = reward
    table.next_state[place] = next_state
    table.terminated[place] = terminated


@rule(draw, StoredTable)
@spliced
def draw_stored(table, num_actions, rng):
    """Draw one of the stored transitions."""
    word, rng = next_word(rng)
    place = high_below(word, table.used[0])
    return (
        np.uint64(table.pair[place]),
        table.reward[place],
        table.next_state[place],
        table.terminated[place],
        rng,
    )
