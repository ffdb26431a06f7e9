"""Search control's memory: which states were visited and which actions were tried there.

Uniform search control (Sutton & Barto 2018, the box on p. 164) draws a state at random from those
visited and then an action at random from those tried in it. With `include_untried`, as for
Dyna-Q+ (footnote on p. 168), all actions of a visited state may be drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.compiled import compiled, spliced

from ..rng import high_below, low_below, next_word
from ..transitions import IntArray


class SeenPairs(NamedTuple):
    """Changed in place. A pair's number is state * num_actions + action."""

    states: IntArray  # (states,) the visited ones, in the order of their first visit
    actions: IntArray  # (states * actions,) in each state, those that may be drawn
    counts: IntArray  # (states + 1,) how many these are; last, how many states were visited
    include_untried: bool

    @classmethod
    def begin(cls, num_states: int, num_actions: int, include_untried: bool) -> SeenPairs:
        """Nothing seen yet."""
        return cls(
            np.zeros(num_states, dtype=np.int64),
            np.zeros(num_states * num_actions, dtype=np.int64),
            np.zeros(num_states + 1, dtype=np.int64),
            include_untried,
        )


@compiled
def note_pair(seen, num_actions, state, action, is_first_try):
    """A pair was tried; returns whether its state is new."""
    is_new = seen.counts[state] == 0
    if is_new:
        seen.states[seen.counts[-1]] = state
        seen.counts[-1] += 1
        if seen.include_untried:
            for other in range(num_actions):
                _list_action(seen, num_actions, state, other)
    if is_first_try and not seen.include_untried:
        _list_action(seen, num_actions, state, action)
    return is_new


@compiled
def _list_action(seen, num_actions, state, action):
    seen.actions[state * num_actions + seen.counts[state]] = action
    seen.counts[state] += 1


@spliced
def draw_pair(seen, num_actions, rng):
    """A state at random from those visited, then an action at random from those listed in it."""
    word, rng = next_word(rng)
    state = np.uint64(seen.states[high_below(word, seen.counts[-1])])
    first = state * num_actions
    return first + np.uint64(seen.actions[first + low_below(word, seen.counts[state])]), rng
