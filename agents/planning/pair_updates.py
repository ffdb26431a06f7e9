"""Planning by updates of single pairs, drawn uniformly or from predecessors of a state.

An update is an expected one, over all outcomes of the model, or a sample update by a single outcome
(Sutton & Barto 2018, section 8.5). Requires a table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import MOST_UPDATES, checked_choice, checked_count

from ..core.kernels import (
    confident_steps,
    is_confident,
    planned_backup,
    rules,
    sample_outcome,
    visited_pairs,
)
from ..core.rng import high_below, low_below, next_word
from ..models.table import sample_pair
from ..values.table import target
from .prioritised_sweeping import Predecessors, add_predecessor, next_predecessor
from .table import TablePlanning
from .uniform import UniformPlanningRecord

UPDATES = ("expected", "sample")
"""Kinds of updates."""

MAX_REDRAWS = 8
"""Draws of a state before an update is given up, where the drawn ones have no predecessor."""


class PairUpdates(TablePlanning):
    """Base class of planners that update single pairs.

    Args:
        planning_steps: updates after each real step, at least 0.
        updates: "expected" or "sample".

    Raises:
        ValueError: for a negative number or other updates.
    """

    def __init__(self, planning_steps: int, *, updates: str = "expected") -> None:
        self.planning_steps = checked_count("planning_steps", planning_steps, 0, MOST_UPDATES)
        self.updates = checked_choice("updates", updates, UPDATES)
        always = {"converges", "tracks_changes"}
        self.promises = frozenset(
            always | {"converges_in_expectation"} if updates == "expected" else always
        )


@compiled
def update_pair(model, q, num_actions, pair, expected, learning_rate, gamma, rng):
    """Update a pair and sample an outcome: next state, terminated, the generator's state.

    The value of an unconfident pair is left unchanged.
    """
    reward, next_state, terminated, rng = sample_outcome(model, num_actions, pair, rng)
    update_target = q[pair]
    if expected:
        # expected update, equation 8.1: sum_{s', r} p(s', r | s, a) [r + gamma max_a' Q(s', a')]
        update_target = planned_backup(model, num_actions, pair, q, gamma)
    elif is_confident(model, pair):
        # sample update, equation 8.2: R + gamma max_a' Q(S', a')
        update_target = target(q, np.uint64(num_actions), reward, next_state, terminated, gamma)
    q[pair] += learning_rate * (update_target - q[pair])
    return next_state, terminated, rng


# -- uniform -----------------------------------------------------------------------------------


class UniformUpdates(PairUpdates):
    """Updates of random pairs: a visited state, then an action tried there (section 8.2).

    Suited to stochastic environments with few outcomes of a pair, where an expected update pays.

    With sample updates it is `UniformPlanning`, by the same compiled rule.

    Args:
        planning_steps: updates after each real step, at least 0.
        updates: "expected" or "sample".

    Raises:
        ValueError: for a negative number or other updates.
    """

    def _empty_record(self, num_states: int, num_actions: int) -> Any:
        if self.updates == "sample":
            return UniformPlanningRecord(self.planning_steps)
        return UniformExpectedRecord(self.planning_steps)


class UniformExpectedRecord(NamedTuple):
    """Record of the planner with expected updates, for compiled code."""

    planning_steps: int


@compiled
def update_uniformly(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Make expected updates of uniformly sampled pairs."""
    seen = visited_pairs(model)
    for _ in range(confident_steps(model, planning.planning_steps)):
        drawn, rng = sample_pair(seen, np.uint64(num_actions), rng)
        pair = np.int64(drawn)
        _, _, rng = update_pair(model, q, num_actions, pair, True, learning_rate, gamma, rng)
    return rng


rules(UniformExpectedRecord, plan=update_uniformly)


# -- backwards ---------------------------------------------------------------------------------


class BackwardUpdates(PairUpdates):
    """Updates of predecessors of random states (van Hasselt, Hessel and Aslanides 2019).

    Suited to sparse rewards, and to changes that the agent sees in one place only (LoCA).

    Samples a visited state, or a state in which an episode ended, then one of the pairs that lead
    there.

    Args:
        planning_steps: updates after each real step, at least 0.
        updates: "expected" or "sample".

    Raises:
        ValueError: for a negative number or other updates.
    """

    growing_parts = ("predecessors",)

    def _empty_record(self, num_states: int, num_actions: int) -> BackwardRecord:
        return BackwardRecord(
            Predecessors.empty(num_states, num_actions),
            np.zeros(num_states + 1, dtype=np.int64),
            self.planning_steps,
            self.updates == "expected",
        )

    def _indices(
        self, record: Any, num_states: int, num_actions: int
    ) -> list[tuple[IntArray, int, int]]:
        return [
            *record.predecessors.indices(num_states * num_actions),
            (record.ends[:1], 0, num_states + 1),
            (record.ends[1:], 0, num_states),
        ]


class BackwardRecord(NamedTuple):
    """Record of the planner, for compiled code."""

    predecessors: Predecessors
    ends: IntArray  # (states + 1,) number of states in which an episode ended, then these states
    planning_steps: int
    expected: bool


@compiled
def update_backwards(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Update predecessors of random states."""
    seen, expected = visited_pairs(model), planning.expected
    for _ in range(confident_steps(model, planning.planning_steps)):
        for _ in range(MAX_REDRAWS):
            to, rng = draw_target(planning, seen, rng)
            pair, rng = draw_predecessor(planning.predecessors, model, num_actions, to, rng)
            if pair >= 0:
                _, _, rng = update_pair(
                    model, q, num_actions, pair, expected, learning_rate, gamma, rng
                )
                break
    return rng


@compiled
def record_predecessor(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Record a pair as predecessor of its next state."""
    add_predecessor(planning.predecessors, pair, next_state, terminated)
    if terminated and not contains(planning.ends, next_state):
        planning.ends[0] += 1
        planning.ends[planning.ends[0]] = next_state


rules(
    BackwardRecord,
    record_transition=record_predecessor,
    plan=update_backwards,
)


@compiled
def contains(numbers, number):
    """Return whether a list, whose length is its first entry, contains a number."""
    found = False
    for place in range(1, numbers[0] + 1):
        found = found or numbers[place] == number
    return found


@compiled
def draw_target(planning, seen, rng):
    """Sample a visited state or an end of an episode, and return the generator's state."""
    word, rng = next_word(rng)
    number = np.int64(high_below(word, seen.states[0] + planning.ends[0]))
    if number < seen.states[0]:
        return seen.states[1 + number], rng
    return planning.ends.size - 1 + planning.ends[1 + number - seen.states[0]], rng


@compiled
def draw_predecessor(before, model, num_actions, to, rng):
    """Sample a pair that leads to a target, -1 for none; also return the generator's state."""
    count, drawn = 0, np.int64(-1)
    node, _ = next_predecessor(before, model, num_actions, to, np.int64(-1))
    while node >= 0:
        count += 1
        word, rng = next_word(rng)
        if low_below(word, count) == 0:  # reservoir sampling: each of `count` pairs equally likely
            drawn = before.pair[node]
        node, _ = next_predecessor(before, model, num_actions, to, node)
    return drawn, rng
