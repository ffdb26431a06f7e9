"""When each pair of state and action was last tried: the tau of Dyna-Q+."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced


class TriedTimes(NamedTuple):
    """Changed in place. A pair that was never tried counts as tried when the life began."""

    last_tried: IntArray  # (states * actions,) the agent's step at the last try, 0 before
    clock: IntArray  # (1,) real steps so far

    @classmethod
    def begin(cls, num_states: int, num_actions: int) -> TriedTimes:
        """Nothing tried yet."""
        return cls(np.zeros(num_states * num_actions, dtype=np.int64), np.zeros(1, dtype=np.int64))


@spliced
def note_tried(times, pair):
    """A real step: the clock moves on, and this pair was tried now."""
    times.clock[0] += 1
    times.last_tried[pair] = times.clock[0]


@spliced
def time_bonus(times, pair, kappa):
    """Kappa * sqrt(tau), tau the real steps since the pair was last tried (section 8.3, p. 168)."""
    return kappa * np.sqrt(float(times.clock[0] - times.last_tried[pair]))


@compiled
def note_all_tried(times, transitions, num_actions):
    """Note the pair of each transition, in order."""
    for i in range(transitions.action.size):
        note_tried(times, transitions.observation[i] * num_actions + transitions.action[i])


@compiled
def add_time_bonus(times, transitions, num_actions, kappa):
    """Add the bonus of its pair to each transition's reward, in place."""
    for i in range(transitions.action.size):
        pair = transitions.observation[i] * num_actions + transitions.action[i]
        transitions.reward[i] += time_bonus(times, pair, kappa)
