"""Prioritised sweeping: planning backwards from what has just changed.

Sutton & Barto 2018, section 8.4, the box on p. 170; Moore and Atkeson (1993), Peng and Williams
(1993). Differences from the box:

1. Updates are expected ones, which in a deterministic world is what the box does, and is right in
   any other, too.
2. An error that is left after an update, because the learning rate is below 1 or the pair leads
   back to its own state, waits again. So the values settle where those of dynamic programming do.
3. An error that has fallen below the threshold waits no longer, and predecessors in which the
   model no longer believes are forgotten.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number, did_you_mean

from ..core.kernels import expect, improve, remember, rule, share
from ..core.priority_queue import Queue, drop, put, raise_to, take
from ..core.shares import is_trusted, shared_steps
from ..values.table import row_max
from .base import checked_steps
from .predecessors import Predecessors, lead_to, next_leading
from .table import TablePlanning

PRIORITIES = ("error", "change")
"""By what pairs may be queued."""

UPDATES, QUEUED = 0, 1


class Sweeping(NamedTuple):
    """The planner's record, for compiled code."""

    queue: Queue  # of pairs
    before: Predecessors
    counts: IntArray  # (2,) updates so far, and operations on the queue
    planning_steps: int
    threshold: float
    by_error: bool


class PrioritisedSweeping(TablePlanning):
    """Updates the pairs whose values would change the most, and then those that lead there.

    Real transitions update no value directly; they put their pair into the queue.

    Args:
        planning_steps: most updates after each real step, at least 0; none is made while no pair
            waits.
        threshold: theta; a pair waits only with a higher priority. Above 0, in units of reward.
        priority: "error", a pair's own error after the change of what it leads to, as in the box;
            or "change", the probability of going there times the change of the value there, which
            is cheaper and may err (Moore and Atkeson 1993).

    Attributes:
        num_updates: updates so far.

    Raises:
        ValueError: for a number outside its range or another priority.
    """

    learns_directly = False
    promises = frozenset({"settles", "expects", "follows_changes"})

    def __init__(
        self, planning_steps: int, *, threshold: float = 1e-6, priority: str = "error"
    ) -> None:
        super().__init__()
        self.planning_steps = checked_steps(planning_steps)
        self.threshold = checked_number("threshold", threshold, 0, above=True)
        if priority not in PRIORITIES:
            raise ValueError(
                f"priority={priority!r}; expected one of {list(PRIORITIES)}"
                f"{did_you_mean(priority, PRIORITIES)}"
            )
        self.priority = priority

    def _begin(self, num_states: int, num_actions: int) -> Sweeping:
        return Sweeping(
            Queue.empty(num_states * num_actions),
            Predecessors.begin(num_states, num_actions),
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
            *record.before.indices(pairs),
        ]

    def _with_room(self, record: Any, transitions: int) -> Sweeping:
        roomy: Sweeping = record._replace(before=record.before.with_room(transitions))
        return roomy

    @property
    def num_updates(self) -> int:
        """Updates so far."""
        return 0 if self.record is None else int(self.record.counts[UPDATES])


@rule(remember, Sweeping)
@compiled
def remember_error(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Note where a pair leads, and have it wait if its value is wrong.

    The value of a pair that is not trusted was learned directly: those wait that lead there.
    """
    lead_to(planning.before, pair, next_state, terminated)
    wait_if_wrong(planning, model, q, num_actions, pair, gamma)
    if not is_trusted(model, pair):
        wake_predecessors(planning, model, q, num_actions, pair // num_actions, -1.0, gamma)


@rule(improve, Sweeping)
@compiled
def sweep(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Update the pairs that wait, the most urgent first."""
    queue = planning.queue
    for _ in range(shared_steps(planning.planning_steps, share(model))):
        if queue.size[0] == 0:
            break
        pair = take(queue)
        planning.counts[UPDATES] += 1
        planning.counts[QUEUED] += 1
        change = update_by_sweep(planning, model, q, num_actions, pair, learning_rate, gamma)
        if change > 0.0:
            wake_predecessors(planning, model, q, num_actions, pair // num_actions, change, gamma)
    return rng


@compiled
def update_by_sweep(planning, model, q, num_actions, pair, learning_rate, gamma):
    """An expected update of a pair; by how much the value of its state changes."""
    first, columns = np.uint64(pair - pair % num_actions), np.uint64(num_actions)
    before = row_max(q, first, columns)
    q[pair] += learning_rate * (expect(model, num_actions, pair, q, gamma) - q[pair])
    wait_if_wrong(planning, model, q, num_actions, pair, gamma)
    return abs(row_max(q, first, columns) - before)


@compiled
def wake_predecessors(planning, model, q, num_actions, state, change, gamma):
    """Have the pairs wait that lead to a state whose value has changed.

    By their errors, or by the change where they are queued by that and it is known, not negative.
    """
    node, probability = next_leading(planning.before, model, num_actions, state, np.int64(-1))
    while node >= 0:
        pair = planning.before.pair[node]
        if planning.by_error or change < 0.0:
            wait_if_wrong(planning, model, q, num_actions, pair, gamma)
        elif is_trusted(model, pair) and probability * gamma * change > planning.threshold:
            raise_to(planning.queue, pair, probability * gamma * change)
            planning.counts[QUEUED] += 1
        node, probability = next_leading(planning.before, model, num_actions, state, node)


@compiled
def wait_if_wrong(planning, model, q, num_actions, pair, gamma):
    """Have a trusted pair wait with its error, if that is large enough, and otherwise not."""
    error = abs(expect(model, num_actions, pair, q, gamma) - q[pair])
    if error > planning.threshold and is_trusted(model, pair):
        put(planning.queue, pair, error)
        planning.counts[QUEUED] += 1
    elif planning.queue.place[pair] >= 0:
        drop(planning.queue, pair)
        planning.counts[QUEUED] += 1
