"""Visited states and tried actions, from which search control draws.

Uniform search control (Sutton & Barto 2018, the box on p. 164) draws a visited state at random and
then an action tried there. With `include_untried`, as for Dyna-Q+ (footnote on p. 168), all actions
of a visited state may be drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced

from ..core.kernels import sample_outcome, visited_pairs
from ..core.rng import high_below, low_below, next_word


class VisitedPairs(NamedTuple):
    """Record, changed in place; a pair's number is state * num_actions + action."""

    # Lists with their length in front: the innermost loop of planning then needs two arrays only.
    states: IntArray  # (states + 1,) number of visited states, then these in order
    pairs: IntArray  # (states * (actions + 1),) for each state the number of pairs, then these
    include_untried: bool

    @classmethod
    def begin(cls, num_states: int, num_actions: int, include_untried: bool) -> VisitedPairs:
        """Return an empty record."""
        return cls(
            np.zeros(num_states + 1, dtype=np.int64),
            np.zeros(num_states * (num_actions + 1), dtype=np.int64),
            include_untried,
        )

    def indices(self, num_states: int, num_actions: int) -> list[tuple[IntArray, int, int]]:
        """Return the arrays of indices, each with its lower and its exclusive upper bound."""
        rows = self.pairs.reshape(num_states, num_actions + 1)
        return [
            (self.states[:1], 0, num_states + 1),
            (self.states[1:], 0, num_states),
            (rows[:, 0], 0, num_actions + 1),
            (rows[:, 1:], 0, num_states * num_actions),
        ]


@compiled
def add_pair(seen, num_actions, state, action, is_first_try):
    """Record a tried pair; returns True if its state is new."""
    row = state * (num_actions + 1)
    is_new = seen.pairs[row] == 0
    if is_new:
        seen.states[0] += 1
        seen.states[seen.states[0]] = state
        if seen.include_untried:
            for other in range(num_actions):
                _append_pair(seen, row, state * num_actions + other)
    if is_first_try and not seen.include_untried:
        _append_pair(seen, row, state * num_actions + action)
    return is_new


@compiled
def _append_pair(seen, row, pair):
    seen.pairs[row] += 1
    seen.pairs[row + seen.pairs[row]] = pair


@compiled
def remove_pair(seen, num_actions, pair, visits):
    """Remove a pair without visits; returns True if its state was removed with it.

    With `include_untried` the pair stays listed, as an untried one, while another action of its
    state has visits.
    """
    state = pair // num_actions
    row = state * (num_actions + 1)
    if seen.include_untried:
        for other in range(state * num_actions, (state + 1) * num_actions):
            if visits[other] > 0:
                return False
        seen.pairs[row] = 0
    else:
        _remove_number(seen.pairs, row, pair)
    if seen.pairs[row] > 0:
        return False
    _remove_number(seen.states, 0, state)
    return True


@compiled
def _remove_number(numbers, row, number):
    """Remove a number from the list whose length is stored at `row`."""
    # Order does not matter: the last number fills the gap.
    last = row + numbers[row]
    for place in range(row + 1, last + 1):
        if numbers[place] == number:
            numbers[place] = numbers[last]
            numbers[row] -= 1
            break


@spliced
def sample_pair(seen, num_actions, rng):
    """Sample a visited state uniformly, then one of its listed pairs uniformly."""
    # One word serves both draws: its upper half the state, its lower half the action.
    one = np.uint64(1)
    word, rng = next_word(rng)
    state = np.uint64(seen.states[one + high_below(word, seen.states[0])])
    row = state * (num_actions + one)
    return np.uint64(seen.pairs[row + one + low_below(word, seen.pairs[row])]), rng


@spliced
def sample_visited(model, num_actions, rng):
    """Sample a visited pair, then an outcome: the rule of `sample_transition` of most tables."""
    pair, rng = sample_pair(visited_pairs(model), num_actions, rng)
    reward, next_state, terminated, rng = sample_outcome(model, num_actions, pair, rng)
    return pair, reward, next_state, terminated, rng
