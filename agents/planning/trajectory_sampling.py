"""Trajectory sampling: planning along simulated episodes (Sutton & Barto 2018, section 8.6)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_choice, checked_number

from ..core.kernels import (
    confident_steps,
    rules,
    visited_pairs,
)
from ..core.rng import high_unit, low_below, next_word
from .pair_updates import PairUpdates, update_pair

STARTS = ("here", "start")
"""Starts of simulated trajectories."""

RECENT_STARTS = 256
"""Number of latest episodes whose start is stored."""


class TrajectoryRecord(NamedTuple):
    """Record of the planner, for compiled code."""

    here: IntArray  # (2,) the agent's state, and 1 after the end of an episode
    starts: IntArray  # (RECENT_STARTS,) start states of the latest episodes
    num_starts: IntArray  # (1,) number of episodes so far
    planning_steps: int
    expected: bool
    epsilon: float
    from_start: bool


@compiled
def sample_trajectories(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Update pairs along simulated trajectories."""
    seen = visited_pairs(model)
    state, rng = trajectory_start(planning, rng)
    for _ in range(confident_steps(model, planning.planning_steps)):
        if seen.pairs[state * (num_actions + 1)] == 0:  # no action was tried there
            state, rng = trajectory_start(planning, rng)
            if seen.pairs[state * (num_actions + 1)] == 0:
                state, rng = draw_episode_start(planning, rng)
                if seen.pairs[state * (num_actions + 1)] == 0:
                    break
        pair, rng = choose_visited(q, seen, num_actions, state, planning.epsilon, rng)
        state, terminated, rng = update_pair(
            model, q, num_actions, pair, planning.expected, learning_rate, gamma, rng
        )
        if terminated:
            state, rng = trajectory_start(planning, rng)
    return rng


@compiled
def trajectory_start(planning, rng):
    """Return the start of a trajectory, and the generator's state."""
    if planning.from_start or planning.here[1]:
        return draw_episode_start(planning, rng)
    return planning.here[0], rng


@compiled
def draw_episode_start(planning, rng):
    """Sample the start of one of the latest episodes; return it and the generator's state."""
    word, rng = next_word(rng)
    known_starts = min(planning.num_starts[0], RECENT_STARTS)
    return planning.starts[np.int64(low_below(word, known_starts))], rng


@compiled
def choose_visited(q, seen, num_actions, state, epsilon, rng):
    """Choose epsilon-greedily among the tried pairs of a state; ties at random."""
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


@compiled
def record_position(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Record the agent's state, and the start of an episode."""
    state, here = pair // num_actions, planning.here
    # A truncation is not recorded: it shows by a state other than the last next state.
    if here[1] or here[0] != state:
        planning.starts[planning.num_starts[0] % RECENT_STARTS] = state
        planning.num_starts[0] += 1
    here[0], here[1] = next_state, terminated


rules(
    TrajectoryRecord,
    plan=sample_trajectories,
    record_transition=record_position,
)


class TrajectorySampling(PairUpdates):
    """Updates along trajectories of the current policy in the model: the on-policy distribution.

    Suited to large tables of which a good policy visits a small part.

    A simulated trajectory takes epsilon-greedily one of the actions that were tried in its state,
    and updates pair by pair; where it ends another starts. No trajectory continues into the
    planning of the next real step.

    Args:
        planning_steps: updates after each real step, at least 0.
        updates: "expected" or "sample".
        begin: start of a trajectory: "here", the agent's present state, which improves its next
            decisions; or "start", the start of one of its latest 256 episodes, the distribution of
            section 8.6.
        epsilon: probability of a random action in the model, in [0, 1].

    Raises:
        ValueError: for a number outside its range, or another name.
    """

    def __init__(
        self,
        planning_steps: int,
        *,
        updates: str = "expected",
        begin: str = "here",
        epsilon: float = 0.1,
    ) -> None:
        super().__init__(planning_steps, updates=updates)
        self.begin = checked_choice("begin", begin, STARTS)
        self.epsilon = checked_number("epsilon", epsilon, 0, 1)

    def _empty_record(self, num_states: int, num_actions: int) -> TrajectoryRecord:
        return TrajectoryRecord(
            np.array([0, 1]),
            np.zeros(RECENT_STARTS, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            self.planning_steps,
            self.updates == "expected",
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
