"""Trajectory sampling: planning along episodes that the model imagines (section 8.6)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ..core.kernels import improve, remember, rule, seen_pairs, share
from ..core.rng import high_unit, low_below, next_word
from ..core.shares import shared_steps
from .pair_updates import PairUpdates, known, update_pair

BEGINNINGS = ("here", "start")
"""Where an imagined trajectory may begin."""

RECENT_STARTS = 256
"""Where so many of the latest episodes began is remembered."""


class Walk(NamedTuple):
    """The planner's record, for compiled code."""

    here: IntArray  # (2,) where the agent is, and 1 where its episode has ended
    starts: IntArray  # (RECENT_STARTS,) where the latest episodes began
    num_starts: IntArray  # (1,) episodes so far
    planning_steps: int
    expected: bool
    epsilon: float
    from_start: bool


class TrajectorySampling(PairUpdates):
    """Updates along trajectories of the policy in the model: the on-policy distribution.

    An imagined trajectory takes, epsilon-greedily, the actions that were tried where it is, and is
    updated pair by pair; where it ends another begins, and none outlasts the planning of one real
    step.

    Args:
        planning_steps: updates after each real step, at least 0.
        updates: "expected" or "sample".
        begin: "here", where the agent now is, which improves what it is about to do; or "start",
            where one of its latest 256 episodes began, the distribution of section 8.6.
        epsilon: probability of an action at random in the model, in [0, 1].

    Raises:
        ValueError: for a number outside its range, other updates or another beginning.
    """

    def __init__(
        self,
        planning_steps: int,
        *,
        updates: str = "expected",
        begin: str = "here",
        epsilon: float = 0.1,
    ) -> None:
        super().__init__(planning_steps, updates)
        self.begin = known("begin", begin, BEGINNINGS)
        self.epsilon = checked_number("epsilon", epsilon, 0, 1)

    def _begin(self, num_states: int, num_actions: int) -> Walk:
        return Walk(
            np.array([0, 1]),
            np.zeros(RECENT_STARTS, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            self.planning_steps,
            self._expected,
            self.epsilon,
            self.begin == "start",
        )

    def _indices(
        self, record: Any, num_states: int, num_actions: int
    ) -> list[tuple[IntArray, int, int]]:
        return [
            (record.here[:1], 0, num_states),
            (record.starts, 0, num_states),
            (record.num_starts, 0, 2**62),
        ]


@rule(remember, Walk)
@compiled
def remember_place(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Note where the agent is, and where an episode began."""
    state, here = pair // num_actions, planning.here
    if here[1] or here[0] != state:  # what was truncated ends unheard
        planning.starts[planning.num_starts[0] % RECENT_STARTS] = state
        planning.num_starts[0] += 1
    here[0], here[1] = next_state, terminated


@rule(improve, Walk)
@compiled
def walk(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Update pairs along imagined trajectories."""
    seen = seen_pairs(model)
    state, rng = beginning(planning, rng)
    for _ in range(shared_steps(planning.planning_steps, share(model))):
        if seen.pairs[state * (num_actions + 1)] == 0:  # where nothing was tried
            state, rng = beginning(planning, rng)
            if seen.pairs[state * (num_actions + 1)] == 0:
                state, rng = some_start(planning, rng)
                if seen.pairs[state * (num_actions + 1)] == 0:
                    break
        pair, rng = choose_tried(q, seen, num_actions, state, planning.epsilon, rng)
        state, terminated, rng = update_pair(
            model, q, num_actions, pair, planning.expected, learning_rate, gamma, rng
        )
        if terminated:
            state, rng = beginning(planning, rng)
    return rng


@compiled
def beginning(planning, rng):
    """Where a trajectory begins, and the generator's state."""
    if planning.from_start or planning.here[1]:
        return some_start(planning, rng)
    return planning.here[0], rng


@compiled
def some_start(planning, rng):
    """Where one of the latest episodes began."""
    word, rng = next_word(rng)
    known_starts = min(planning.num_starts[0], RECENT_STARTS)
    return planning.starts[np.int64(low_below(word, known_starts))], rng


@compiled
def choose_tried(q, seen, num_actions, state, epsilon, rng):
    """Epsilon-greedily one of the pairs that may be drawn in a state; ties at random."""
    row = state * (num_actions + 1)
    count = seen.pairs[row]
    word, rng = next_word(rng)
    if high_unit(word) < epsilon:
        return seen.pairs[row + 1 + np.int64(low_below(word, count))], rng
    best, ties = -np.inf, 0
    for place in range(row + 1, row + 1 + count):
        value = q[seen.pairs[place]]
        if value > best:
            best, ties = value, 1
        elif value == best:
            ties += 1
    skip = np.int64(low_below(word, max(ties, 1)))
    for place in range(row + 1, row + 1 + count):
        if q[seen.pairs[place]] == best:
            if skip == 0:
                return seen.pairs[place], rng
            skip -= 1
    return seen.pairs[row + 1], rng  # only where a value is NaN
