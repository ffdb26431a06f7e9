"""Stored experience with a window: the last transitions are the model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ..core.kernels import draw, observe, rule
from .protocol import Outcomes
from .stored import (
    StoredTable,
    draw_stored,
    observe_stored,
    put_transition,
    stored_outcomes,
)
from .table import TableModel
from .visited_pairs import SeenPairs, drop_pair


class WindowTable(NamedTuple):
    """Changed in place. A `StoredTable` and which place each of the last steps holds."""

    seen: SeenPairs
    pair: IntArray  # (room,)
    reward: FloatArray  # (room,)
    next_state: IntArray  # (room,)
    terminated: BoolArray  # (room,)
    reserved: IntArray  # (states * actions,) the place an untried pair holds, -1 without
    visits: IntArray  # (states * actions,) among the last steps
    used: IntArray  # (1,) places in use
    place: IntArray  # (window,) the place of each of the last steps, -1 before; a ring
    slot: IntArray  # (room,) which of these a place belongs to, -1 for an untried pair's
    clock: IntArray  # (1,) real steps so far


class ForgettingExperience(TableModel[WindowTable]):
    """Keeps the last transitions and draws among them, each as likely as the others.

    Experience replay from a buffer of limited size (Lin 1992; how its size matters: Zhang and
    Sutton 2017, "A deeper look at experience replay").

    Args:
        num_states: how many states.
        num_actions: how many actions in each.
        include_untried: whether untried actions of remembered states may be drawn.
        window: how many transitions are kept, at least 1.

    Raises:
        ValueError: for a window that is no positive whole number.
    """

    promises = frozenset(
        {
            "exact_when_deterministic",
            "represents_chance",
            "batch_as_rows",
            "samples_only_seen",
            "samples_all_seen",
        }
    )

    def __init__(
        self,
        num_states: int,
        num_actions: int,
        *,
        include_untried: bool = False,
        window: int = 1000,
    ) -> None:
        self.window = int(checked_number("window", window, 1, whole=True))
        super().__init__(num_states, num_actions, include_untried=include_untried)

    def _begin(self, include_untried: bool) -> WindowTable:
        room = self.window + self.num_states * self.num_actions
        stored = StoredTable.begin(self.num_states, self.num_actions, include_untried, room)
        return WindowTable(
            *stored,
            np.full(self.window, -1, dtype=np.int64),
            np.full(room, -1, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )

    def _indices(self, table: WindowTable) -> list[tuple[IntArray, int, int]]:
        used = int(table.used[0])
        return [
            *super()._indices(table),
            (table.used, 0, table.pair.size + 1),
            (table.pair, 0, self.num_states * self.num_actions),
            (table.reserved, -1, used),
            (table.place, -1, used),
            (table.slot, -1, self.window),
            (table.clock, 0, 2**62),
        ]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What is kept of a pair, by its frequency."""
        return stored_outcomes(self.table, observation, self.pair(observation, action))


@rule(observe, WindowTable)
@compiled
def observe_window(table, num_actions, state, action, reward, next_state, terminated):
    """Forget the transition that leaves the window, then store this one."""
    slot = table.clock[0] % table.place.size
    if table.place[slot] >= 0:
        _forget_one(table, num_actions, table.place[slot])
        table.place[slot] = -1
    place = observe_stored(table, num_actions, state, action, reward, next_state, terminated)
    table.place[slot] = place
    table.slot[place] = slot
    table.clock[0] += 1


@compiled
def _forget_one(table, num_actions, place):
    """Give up a place, or leave it to its pair, untried again, where these may be drawn."""
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
    if drop_pair(table.seen, num_actions, pair, table.visits):
        first = pair - pair % num_actions
        for other in range(first, first + num_actions):
            if table.reserved[other] >= 0:
                _free(table, table.reserved[other])
                table.reserved[other] = -1


@compiled
def _free(table, place):
    """The last place moves into this one."""
    last = table.used[0] - 1
    if last < 0:  # only where a state was put together by hand
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


rule(draw, WindowTable)(draw_stored)
