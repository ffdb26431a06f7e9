"""Time since each state-action pair was last tried: the tau of Dyna-Q+."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced


class VisitTimes(NamedTuple):
    """Record of visit times, changed in place; an untried pair counts as tried at step 0."""

    last_tried: IntArray  # (states * actions,) step of the last try, 0 before
    clock: IntArray  # (1,) real steps so far

    @classmethod
    def begin(cls, num_states: int, num_actions: int) -> VisitTimes:
        """Return the record before the first step."""
        return cls(np.zeros(num_states * num_actions, dtype=np.int64), np.zeros(1, dtype=np.int64))


@spliced
def record_visit(times, pair):
    """Advance the clock by a real step and record the visit of this pair."""
    times.clock[0] += 1
    times.last_tried[pair] = times.clock[0]


@spliced
def time_bonus(times, pair, kappa):
    """Return kappa * sqrt(tau), tau the real steps since the last try (section 8.3, p. 168)."""
    return kappa * np.sqrt(float(times.clock[0] - times.last_tried[pair]))


@compiled
def record_visits(times, transitions, num_actions):
    """Record the pair of each transition, in order."""
    for i in range(transitions.action.size):
        record_visit(times, transitions.observation[i] * num_actions + transitions.action[i])


@compiled
def add_time_bonus(times, transitions, num_actions, kappa):
    """Add the bonus of each transition's pair to its reward, in place."""
    for i in range(transitions.action.size):
        pair = transitions.observation[i] * num_actions + transitions.action[i]
        transitions.reward[i] += time_bonus(times, pair, kappa)
