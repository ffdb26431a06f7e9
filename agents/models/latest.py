"""The latest outcome of each pair: the model of the Dyna-Q box, right in a deterministic world."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.compiled import compiled, spliced

from ..dispatch import draw, observe, rule
from ..transitions import BoolArray, FloatArray, IntArray
from .protocol import Outcomes
from .seen import SeenPairs, draw_pair, note_pair
from .table import TableModel


class LatestTable(NamedTuple):
    """Changed in place. Before its first try a pair leads back to its state and pays nothing."""

    seen: SeenPairs
    next_state: IntArray  # (states * actions,)
    reward: FloatArray  # (states * actions,)
    terminated: BoolArray  # (states * actions,)
    visits: IntArray  # (states * actions,)


class LatestOutcome(TableModel[LatestTable]):
    """Remembers what each pair led to last (Sutton & Barto 2018, section 8.2, p. 164)."""

    def _begin(self, include_untried: bool) -> LatestTable:
        pairs = self.num_states * self.num_actions
        return LatestTable(
            SeenPairs.begin(self.num_states, self.num_actions, include_untried),
            np.repeat(np.arange(self.num_states), self.num_actions),
            np.zeros(pairs),
            np.zeros(pairs, dtype=np.bool_),
            np.zeros(pairs, dtype=np.int64),
        )

    def distribution(self, observation: int, action: int) -> Outcomes:
        """The latest outcome, with certainty."""
        table, pair = self.table, self.pair(observation, action)
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


@rule(draw, LatestTable)
@spliced
def draw_latest(table, num_actions, rng):
    """Draw a pair; it leads to what it led to last."""
    pair, rng = draw_pair(table.seen, num_actions, rng)
    return pair, table.reward[pair], table.next_state[pair], table.terminated[pair], rng
