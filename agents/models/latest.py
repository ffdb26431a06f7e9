"""The latest outcome of each pair: the model of the Dyna-Q box, right in a deterministic world."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced

from ..core.kernels import believe, draw, expect, follow, observe, rule
from ..values.table import target
from .protocol import Outcomes
from .table import TableModel
from .visited_pairs import SeenPairs, draw_pair, note_pair


class LatestTable(NamedTuple):
    """Changed in place. Before its first try a pair leads back to its state and pays nothing."""

    seen: SeenPairs
    next_state: IntArray  # (states * actions,)
    reward: FloatArray  # (states * actions,)
    terminated: BoolArray  # (states * actions,)
    visits: IntArray  # (states * actions,)

    @classmethod
    def begin(cls, num_states: int, num_actions: int, include_untried: bool) -> LatestTable:
        """Nothing seen yet."""
        pairs = num_states * num_actions
        return cls(
            SeenPairs.begin(num_states, num_actions, include_untried),
            np.repeat(np.arange(num_states), num_actions),
            np.zeros(pairs),
            np.zeros(pairs, dtype=np.bool_),
            np.zeros(pairs, dtype=np.int64),
        )


class LatestOutcome(TableModel[LatestTable]):
    """Remembers what each pair led to last (Sutton & Barto 2018, section 8.2, p. 164)."""

    promises = frozenset(
        {
            "exact_when_deterministic",
            "batch_as_rows",
            "samples_only_seen",
            "samples_all_seen",
            "adapts",
        }
    )

    def _begin(self, include_untried: bool) -> LatestTable:
        return LatestTable.begin(self.num_states, self.num_actions, include_untried)

    def distribution(self, observation: int, action: int) -> Outcomes:
        """The latest outcome, with certainty."""
        return latest_outcomes(self.table, self.pair(observation, action))


def latest_outcomes(table: Any, pair: int) -> Outcomes:
    """What a record remembers of a pair, with certainty."""
    return Outcomes(
        table.next_state[[pair]], np.ones(1), table.reward[[pair]], table.terminated[[pair]]
    )


@rule(observe, LatestTable)
@compiled
def observe_latest(table, num_actions, state, action, reward, next_state, terminated):
    """Remember a transition in place of the last one of its pair."""
    pair = state * num_actions + action
    note_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
    table.next_state[pair] = next_state
    table.reward[pair] = reward
    table.terminated[pair] = terminated
    table.visits[pair] += 1


@rule(believe, LatestTable)
@compiled
def believe_latest(table, num_actions, pair, next_state, terminated):
    """The latest outcome is held for certain."""
    is_latest = table.next_state[pair] == next_state and table.terminated[pair] == terminated
    return 1.0 if is_latest else 0.0, 0.0, float(table.visits[pair])


@rule(follow, LatestTable)
@spliced
def follow_latest(table, num_actions, pair, rng):
    """A pair leads to what it led to last."""
    return table.reward[pair], table.next_state[pair], table.terminated[pair], rng


@rule(expect, LatestTable)
@compiled
def expect_latest(table, num_actions, pair, q, gamma):
    """What the latest outcome is worth."""
    return target(
        q,
        np.uint64(num_actions),
        table.reward[pair],
        table.next_state[pair],
        table.terminated[pair],
        gamma,
    )


@rule(draw, LatestTable)
@spliced
def draw_latest(table, num_actions, rng):
    """Draw a pair, and what follows it."""
    pair, rng = draw_pair(table.seen, num_actions, rng)
    reward, next_state, terminated, rng = follow_latest(table, num_actions, pair, rng)
    return pair, reward, next_state, terminated, rng
