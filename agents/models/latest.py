"""Latest-outcome models: the model of the Dyna-Q box, and one with a sliding window."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_count

from ..core.kernels import append_state, rules
from ..values.table import target
from .protocol import Outcomes
from .table import TABLE_PROMISES, TableModel, VisitedPairs, add_pair, remove_pair, sample_visited


class LatestOutcome(TableModel):
    """Model of the latest outcome of each pair (Sutton & Barto 2018, section 8.2, p. 164).

    Suited to deterministic environments; it forgets the old outcome at once when a pair is tried
    again.
    """

    promises = TABLE_PROMISES | {"adapts"}

    def _begin(self, include_untried: bool) -> Any:
        return LatestTable.begin(self.num_states, self.num_actions, include_untried)

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the latest outcome, with probability 1."""
        table, pair = self.table, self.pair(observation, action)
        return Outcomes(
            table.next_state[[pair]], np.ones(1), table.reward[[pair]], table.terminated[[pair]]
        )


class LatestTable(NamedTuple):
    """Record, changed in place; an untried pair leads back to its state with reward 0."""

    seen: VisitedPairs
    next_state: IntArray  # (states * actions,)
    reward: FloatArray  # (states * actions,)
    terminated: BoolArray  # (states * actions,)
    visits: IntArray  # (states * actions,)

    @property
    def has_independent_pairs(self) -> bool:
        """True: only a pair's own new outcomes change its prediction."""
        return True

    def fingerprint(self, pairs: slice) -> tuple[bytes, ...]:
        """Return the predictions of some pairs, and whether they were tried, as bytes."""
        columns = (self.next_state, self.reward, self.terminated)
        return (*(each[pairs].tobytes() for each in columns), (self.visits[pairs] > 0).tobytes())

    @classmethod
    def begin(cls, num_states: int, num_actions: int, include_untried: bool) -> LatestTable:
        """Return an empty record."""
        pairs = num_states * num_actions
        return cls(
            VisitedPairs.begin(num_states, num_actions, include_untried),
            np.repeat(np.arange(num_states), num_actions),
            np.zeros(pairs),
            np.zeros(pairs, dtype=np.bool_),
            np.zeros(pairs, dtype=np.int64),
        )


@compiled
def update_latest(table, num_actions, state, action, reward, next_state, terminated):
    """Replace the stored outcome of a pair."""
    pair = state * num_actions + action
    add_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
    table.next_state[pair] = next_state
    table.reward[pair] = reward
    table.terminated[pair] = terminated
    table.visits[pair] += 1


@compiled
def latest_probability(table, num_actions, pair, next_state, terminated):
    """Return probability 1 for the latest outcome and 0 for any other; the entropy is 0."""
    is_latest = table.next_state[pair] == next_state and table.terminated[pair] == terminated
    return 1.0 if is_latest else 0.0, 0.0, float(table.visits[pair])


@compiled
def sample_latest_outcome(table, num_actions, pair, rng):
    """Return the latest outcome of a pair."""
    return table.reward[pair], table.next_state[pair], table.terminated[pair], rng


@compiled
def latest_backup(table, num_actions, pair, q, gamma):
    """Return the backup of the latest outcome."""
    return target(
        q,
        np.uint64(num_actions),
        table.reward[pair],
        table.next_state[pair],
        table.terminated[pair],
        gamma,
    )


@compiled
def append_latest(table, num_actions, pair, steps, order, count):
    """Append the latest next state, unless the episode ended there."""
    if table.terminated[pair]:
        return count
    return append_state(table.next_state[pair], pair // num_actions, steps, order, count)


LOOKUPS = {
    "append_next_states": append_latest,
    "outcome_probability": latest_probability,
    "sample_outcome": sample_latest_outcome,
    "expected_backup": latest_backup,
    "sample_transition": sample_visited,
}
"""Rules that read a record: generic function -> rule."""

rules(LatestTable, update_model=update_latest, **LOOKUPS)


class ForgettingLatest(LatestOutcome):
    """Latest-outcome model with a sliding window over all experience.

    Suited to deterministic environments that change in places to which the agent seldom returns.

    A window is the simplest way to track a non-stationary environment (Garivier and Moulines 2011,
    "On upper-confidence bound policies for switching bandits", section 3). A pair whose visits have
    all left the window counts as untried and is no longer sampled.

    Args:
        num_states: number of states.
        num_actions: number of actions in each.
        include_untried: allow draws of untried actions of remembered states.
        window: number of real steps that are remembered, at least 1.

    Raises:
        ValueError: for a window that is not a positive integer.
    """

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
        latest = LatestTable.begin(self.num_states, self.num_actions, include_untried)
        return RecentTable(
            *latest, np.full(self.window, -1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        )

    def _indices(self, table: Any) -> list[tuple[IntArray, int, int]]:
        return [
            *super()._indices(table),
            (table.recent, -1, self.num_states * self.num_actions),
            (table.clock, 0, 2**62),
        ]


class RecentTable(NamedTuple):
    """Record, changed in place: a `LatestTable` and the pairs of the last real steps."""

    seen: VisitedPairs
    next_state: IntArray  # (states * actions,)
    reward: FloatArray  # (states * actions,)
    terminated: BoolArray  # (states * actions,)
    visits: IntArray  # (states * actions,) among the last steps
    recent: IntArray  # (window,) ring buffer of the pairs of the last steps; -1 is empty
    clock: IntArray  # (1,) real steps so far


@compiled
def update_recent(table, num_actions, state, action, reward, next_state, terminated):
    """Forget the step that leaves the window, then record this one."""
    slot = table.clock[0] % table.recent.size
    oldest = table.recent[slot]
    if oldest >= 0:
        _forget_one(table, num_actions, oldest)
    update_latest(table, num_actions, state, action, reward, next_state, terminated)
    table.recent[slot] = state * num_actions + action
    table.clock[0] += 1


@compiled
def _forget_one(table, num_actions, pair):
    table.visits[pair] -= 1
    if table.visits[pair] == 0:
        table.next_state[pair] = pair // num_actions
        table.reward[pair] = 0.0
        table.terminated[pair] = False
        remove_pair(table.seen, num_actions, pair, table.visits)


rules(RecentTable, update_model=update_recent, **LOOKUPS)
