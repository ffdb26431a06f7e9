"""Search control's memory: which states were visited and which actions were tried there.

Uniform search control (Sutton & Barto 2018, the box on p. 164) draws a state at random from those
visited and then an action at random from those tried in it. With `include_untried`, as for
Dyna-Q+ (footnote on p. 168), all actions of a visited state may be drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced

from ..core.rng import high_below, low_below, next_word


class SeenPairs(NamedTuple):
    """Changed in place. A pair's number is state * num_actions + action.

    Two lists of lists, each row with its length in front: two arrays are all that the innermost
    loop of planning must hold.
    """

    states: IntArray  # (states + 1,) how many were visited, then these in order
    pairs: IntArray  # (states * (actions + 1),) in each state how many may be drawn, then these
    include_untried: bool

    @classmethod
    def begin(cls, num_states: int, num_actions: int, include_untried: bool) -> SeenPairs:
        """Nothing seen yet."""
        return cls(
            np.zeros(num_states + 1, dtype=np.int64),
            np.zeros(num_states * (num_actions + 1), dtype=np.int64),
            include_untried,
        )


@compiled
def note_pair(seen, num_actions, state, action, is_first_try):
    """A pair was tried; returns whether its state is new."""
    row = state * (num_actions + 1)
    is_new = seen.pairs[row] == 0
    if is_new:
        seen.states[0] += 1
        seen.states[seen.states[0]] = state
        if seen.include_untried:
            for other in range(num_actions):
                _list_pair(seen, row, state * num_actions + other)
    if is_first_try and not seen.include_untried:
        _list_pair(seen, row, state * num_actions + action)
    return is_new


@compiled
def _list_pair(seen, row, pair):
    seen.pairs[row] += 1
    seen.pairs[row + seen.pairs[row]] = pair


@compiled
def drop_pair(seen, num_actions, pair, visits):
    """A pair was forgotten, and its visits are 0; returns whether its state was with it.

    With `include_untried` the pair may still be drawn, as an untried one, while another action of
    its state is remembered.
    """
    state = pair // num_actions
    row = state * (num_actions + 1)
    if seen.include_untried:
        for other in range(state * num_actions, (state + 1) * num_actions):
            if visits[other] > 0:
                return False
        seen.pairs[row] = 0
    else:
        _unlist(seen.pairs, row, pair)
    if seen.pairs[row] > 0:
        return False
    _unlist(seen.states, 0, state)
    return True


@compiled
def _unlist(numbers, row, number):
    """Take a number from the list whose length stands at `row`; the last one takes its place."""
    last = row + numbers[row]
    for place in range(row + 1, last + 1):
        if numbers[place] == number:
            numbers[place] = numbers[last]
            numbers[row] -= 1
            break


@spliced
def draw_pair(seen, num_actions, rng):
    """A state at random from those visited, then a pair at random from those listed in it."""
    one = np.uint64(1)
    word, rng = next_word(rng)
    state = np.uint64(seen.states[one + high_below(word, seen.states[0])])
    row = state * (num_actions + one)
    return np.uint64(seen.pairs[row + one + low_below(word, seen.pairs[row])]), rng
