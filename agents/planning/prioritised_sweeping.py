"""Prioritised sweeping: updates in the order of the expected change of the value.

Sutton & Barto 2018, section 8.4, the box on p. 170; Moore and Atkeson (1993), Peng and Williams
(1993). Differences from the box:

1. Updates are expected ones; in a deterministic environment that is the box's update.
2. An error that remains after an update, because the learning rate is below 1 or the pair leads
   back to its own state, is queued again. So the values converge to those of dynamic programming.
3. An error below the threshold is removed from the queue, and predecessors that the model no longer
   predicts are removed from the lists.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import MOST_UPDATES, checked_choice, checked_count, checked_number

from ..core.kernels import (
    confident_steps,
    is_confident,
    outcome_probability,
    planned_backup,
    rules,
)
from ..core.priority_queue import Queue, drop, put, raise_to, take
from ..core.records import with_capacity
from ..values.table import row_max
from .table import GROWING, TablePlanning

PRIORITIES = ("error", "change")
"""Kinds of priorities."""

UPDATES, QUEUED = 0, 1
"""Indices of `SweepingRecord.counts`."""


class SweepingRecord(NamedTuple):
    """Record of the planner, for compiled code."""

    queue: Queue  # of pairs
    predecessors: Predecessors
    counts: IntArray  # (2,) updates and queue operations so far
    planning_steps: int
    threshold: float
    by_error: bool


@compiled
def sweep(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Update queued pairs, the highest priority first: step (g) of the box."""
    queue = planning.queue
    for _ in range(confident_steps(model, planning.planning_steps)):
        if queue.size[0] == 0:
            break
        pair = take(queue)  # S, A <- first(PQueue)
        planning.counts[UPDATES] += 1
        planning.counts[QUEUED] += 1
        change = backup_pair(planning, model, q, num_actions, pair, learning_rate, gamma)
        if change > 0.0:  # loop for all S-bar, A-bar predicted to lead to S
            queue_predecessors(planning, model, q, num_actions, pair // num_actions, change, gamma)
    return rng


@compiled
def backup_pair(planning, model, q, num_actions, pair, learning_rate, gamma):
    """Make an expected update of a pair; return the change of its state's value."""
    first, columns = np.uint64(pair - pair % num_actions), np.uint64(num_actions)
    before = row_max(q, first, columns)
    # Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)], expected over R and S'
    q[pair] += learning_rate * (planned_backup(model, num_actions, pair, q, gamma) - q[pair])
    update_priority(planning, model, q, num_actions, pair, gamma)
    return abs(row_max(q, first, columns) - before)


@compiled
def queue_predecessors(planning, model, q, num_actions, state, change, gamma):
    """Queue the pairs that lead to a state whose value has changed.

    With `priority="change"` their priority is the transition probability times gamma * `change`,
    the discounted change of the state's value; otherwise, and where the change is not known
    (negative), it is their own error.
    """
    node, probability = next_predecessor(
        planning.predecessors, model, num_actions, state, np.int64(-1)
    )
    while node >= 0:
        pair = planning.predecessors.pair[node]
        if planning.by_error or change < 0.0:
            update_priority(planning, model, q, num_actions, pair, gamma)
        elif is_confident(model, pair) and probability * gamma * change > planning.threshold:
            raise_to(planning.queue, pair, probability * gamma * change)
            planning.counts[QUEUED] += 1
        node, probability = next_predecessor(planning.predecessors, model, num_actions, state, node)


@compiled
def update_priority(planning, model, q, num_actions, pair, gamma):
    """Queue a confident pair by its error if above the threshold, otherwise remove it."""
    # steps (e) and (f): P <- |R + gamma max_a Q(S', a) - Q(S, A)|, expected over R and S';
    # if P > theta, insert S, A into PQueue with priority P
    error = abs(planned_backup(model, num_actions, pair, q, gamma) - q[pair])
    if error > planning.threshold:
        put(planning.queue, pair, error)
        planning.counts[QUEUED] += 1
    elif planning.queue.place[pair] >= 0:
        drop(planning.queue, pair)
        planning.counts[QUEUED] += 1


@compiled
def record_error(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Record a pair as predecessor, and queue it if its error is large: steps (e) and (f).

    The value of an unconfident pair was learned from the real transition; then the predecessors of
    its state are queued.
    """
    add_predecessor(planning.predecessors, pair, next_state, terminated)
    update_priority(planning, model, q, num_actions, pair, gamma)
    if not is_confident(model, pair):
        queue_predecessors(planning, model, q, num_actions, pair // num_actions, -1.0, gamma)


rules(
    SweepingRecord,
    plan=sweep,
    record_transition=record_error,
)


class PrioritisedSweeping(TablePlanning):
    """Updates of the pairs whose values would change the most, and then of their predecessors.

    Suited to large tables with sparse rewards, where most uniform updates change nothing.

    Real transitions update no value directly; they queue their pair.

    Args:
        planning_steps: maximum number of updates after each real step, at least 0; fewer where the
            queue is empty.
        threshold: theta, the lowest priority that is queued; above 0, in units of reward.
        priority: "error", the pair's own error after the change of its next state's value, as in
            the box; or "change", the transition probability times the change of the next state's
            value, which is cheaper and less exact (Moore and Atkeson 1993).

    Attributes:
        num_updates: updates so far.

    Raises:
        ValueError: for a number outside its range or another priority.
    """

    learns_directly = False
    promises = frozenset({"converges", "converges_in_expectation", "tracks_changes"})
    growing_parts = ("predecessors",)

    def __init__(
        self, planning_steps: int, *, threshold: float = 1e-6, priority: str = "error"
    ) -> None:
        self.planning_steps = checked_count("planning_steps", planning_steps, 0, MOST_UPDATES)
        self.threshold = checked_number("threshold", threshold, 0, above=True)
        self.priority = checked_choice("priority", priority, PRIORITIES)

    def _empty_record(self, num_states: int, num_actions: int) -> SweepingRecord:
        return SweepingRecord(
            Queue.empty(num_states * num_actions),
            Predecessors.empty(num_states, num_actions),
            np.zeros(2, dtype=np.int64),
            self.planning_steps,
            self.threshold,
            self.priority == "error",
        )

    def _indices(
        self, record: Any, num_states: int, num_actions: int
    ) -> list[tuple[IntArray, int, int]]:
        pairs, queue = num_states * num_actions, record.queue
        return [
            (queue.heap, 0, pairs),
            (queue.place, -1, pairs),
            (queue.size, 0, pairs + 1),
            *record.predecessors.indices(pairs),
        ]

    @property
    def num_updates(self) -> int:
        """Return the number of updates so far."""
        return 0 if self.record is None else int(self.record.counts[UPDATES])


# -- predecessors -----------------------------------------------------------------------------


class Predecessors(NamedTuple):
    """Linked lists of the pairs that were observed to lead to each target; changed in place.

    A target is a state s, or the end of an episode in s, with the number s + states. A node is one
    pair that leads to one target.
    """

    first: IntArray  # (2 * states,) first node of each target, -1 for none
    pair: IntArray  # (capacity,) pair of each node
    link: IntArray  # (capacity,) next node of the same target, -1 for none
    used: IntArray  # (2,) nodes used so far, and the first free one of these, -1 for none

    @classmethod
    def empty(cls, num_states: int, num_actions: int) -> Predecessors:
        """Return lists without a pair."""
        room = num_states * num_actions
        return cls(
            np.full(2 * num_states, -1, dtype=np.int64),
            np.zeros(room, dtype=np.int64),
            np.full(room, -1, dtype=np.int64),
            np.array([0, -1]),
        )

    def with_capacity(self, transitions: int) -> Predecessors:
        """Return the lists with capacity for a number of further transitions."""
        return with_capacity(self, GROWING, int(self.used[0]) + transitions)

    def indices(self, pairs: int) -> list[tuple[IntArray, int, int]]:
        """Return the index arrays, each with its lower and its exclusive upper bound."""
        used = int(self.used[0])
        return [
            (self.used, -1, self.pair.size + 1),
            (self.first, -1, used),
            (self.pair, 0, pairs),
            (self.link, -1, used),
        ]


@compiled
def add_predecessor(before, pair, next_state, terminated):
    """Add a pair to the predecessors of its next state, unless it is one already."""
    to = next_state + (before.first.size // 2 if terminated else 0)
    node = before.first[to]
    while node >= 0 and before.pair[node] != pair:
        node = before.link[node]
    if node < 0:
        node = before.used[1]  # a free node, or a new one
        if node >= 0:
            before.used[1] = before.link[node]
        else:
            node = before.used[0]
            before.used[0] += 1
        before.pair[node] = pair
        before.link[node] = before.first[to]
        before.first[to] = node


@compiled
def next_predecessor(before, model, num_actions, to, last):
    """Return the next pair, after node `last` (-1 for the first), that leads to a target.

    Returns its node (-1 for none) and the transition probability. Nodes whose pair the model no
    longer predicts to lead there are removed, so that old layouts leave no predecessors
    behind.
    """
    num_states = before.first.size // 2
    # `first` and `link` form a singly linked list of each target; `used[1]` and `link` one of the
    # free nodes.
    node = before.first[to] if last < 0 else before.link[last]
    while node >= 0:
        pair = before.pair[node]
        probability, _, _ = outcome_probability(
            model, num_actions, pair, to % num_states, to >= num_states
        )
        if probability > 0.0:
            return node, probability
        after = before.link[node]
        if last < 0:
            before.first[to] = after
        else:
            before.link[last] = after
        before.link[node] = before.used[1]
        before.used[1] = node
        node = after
    return np.int64(-1), 0.0
