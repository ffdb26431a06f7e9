"""The latest outcome of each pair, as long as it is not too long ago."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ..core.kernels import believe, draw, expect, follow, observe, rule
from .latest import (
    LatestOutcome,
    LatestTable,
    believe_latest,
    draw_latest,
    expect_latest,
    follow_latest,
    latest_outcomes,
    observe_latest,
)
from .protocol import Outcomes
from .table import TableModel
from .visited_pairs import SeenPairs, drop_pair


class RecentTable(NamedTuple):
    """Changed in place. A `LatestTable` and the pairs of the last real steps."""

    seen: SeenPairs
    next_state: IntArray  # (states * actions,)
    reward: FloatArray  # (states * actions,)
    terminated: BoolArray  # (states * actions,)
    visits: IntArray  # (states * actions,) among the last steps
    recent: IntArray  # (window,) the pair of each of the last steps, -1 before; a ring
    clock: IntArray  # (1,) real steps so far


class ForgettingLatest(TableModel[RecentTable]):
    """Remembers what each pair led to last, if that was within the last steps.

    A window over all experience, the plainest way to follow a world that changes (Garivier and
    Moulines 2011, "On upper-confidence bound policies for switching bandits", section 3). What was
    forgotten counts as never tried: it is drawn no more.

    Args:
        num_states: how many states.
        num_actions: how many actions in each.
        include_untried: whether untried actions of remembered states may be drawn.
        window: how many real steps are remembered, at least 1.

    Raises:
        ValueError: for a window that is no positive whole number.
    """

    promises = LatestOutcome.promises

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

    def _begin(self, include_untried: bool) -> RecentTable:
        latest = LatestTable.begin(self.num_states, self.num_actions, include_untried)
        return RecentTable(
            *latest, np.full(self.window, -1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        )

    def _indices(self, table: RecentTable) -> list[tuple[IntArray, int, int]]:
        return [
            *super()._indices(table),
            (table.recent, -1, self.num_states * self.num_actions),
            (table.clock, 0, 2**62),
        ]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """The latest outcome, with certainty; a forgotten pair is believed as an untried one is."""
        return latest_outcomes(self.table, self.pair(observation, action))


@rule(observe, RecentTable)
@compiled
def observe_recent(table, num_actions, state, action, reward, next_state, terminated):
    """Forget the step that leaves the window, then remember this one."""
    slot = table.clock[0] % table.recent.size
    oldest = table.recent[slot]
    if oldest >= 0:
        _forget_one(table, num_actions, oldest)
    observe_latest(table, num_actions, state, action, reward, next_state, terminated)
    table.recent[slot] = state * num_actions + action
    table.clock[0] += 1


@compiled
def _forget_one(table, num_actions, pair):
    table.visits[pair] -= 1
    if table.visits[pair] == 0:
        table.next_state[pair] = pair // num_actions
        table.reward[pair] = 0.0
        table.terminated[pair] = False
        drop_pair(table.seen, num_actions, pair, table.visits)


rule(believe, RecentTable)(believe_latest)
rule(draw, RecentTable)(draw_latest)
rule(expect, RecentTable)(expect_latest)
rule(follow, RecentTable)(follow_latest)
