"""Compiled forward search: expectimax to a depth, by dynamic programming over what is reached.

A tree of depth h repeats its states. The value of a state with k steps to go is the same wherever
in the tree it stands, so that there are at most states * depth different nodes.
"""

from __future__ import annotations

import numpy as np

from dynamaze.common.compiled import compiled_with_arrays

from ..core.kernels import expect
from .reachable_states import reach_all


@compiled_with_arrays
def search_forward(model, rows, num_states, num_actions, depth, leaves, gamma):
    """Action values of rows with `depth` steps to go.

    Args:
        model: the record of a table.
        rows: (batch,) of the table.
        num_states: how many states.
        num_actions: how many actions.
        depth: at least 1.
        leaves: (states * actions,) whose row-wise maxima are the values of leaves.
        gamma: the discount.

    Returns:
        (batch, actions) values.
    """
    steps = np.full(num_states, -1, dtype=np.int32)
    order = np.empty(num_states, dtype=np.int64)
    count = 0
    for row in rows:
        if steps[row] < 0:
            steps[row], order[count], count = 0, row, count + 1
    count = reach_all(model, num_actions, depth, steps, order, count)
    # Zeros, for what a terminal state is worth is multiplied by 0, and 0 * NaN is not 0.
    before, after = leaves, np.zeros(num_states * num_actions)
    spare = np.zeros(num_states * num_actions)
    for to_go in range(1, depth + 1):
        for place in range(count):
            state = order[place]
            if steps[state] > depth - to_go:
                break  # they are in the order of their steps
            for action in range(num_actions):
                pair = state * num_actions + action
                after[pair] = expect(model, num_actions, pair, before, gamma)
        before, after, spare = after, spare, after
    return _rows_of(before, rows, num_actions)


@compiled_with_arrays
def _rows_of(q, rows, num_actions):
    found = np.empty((rows.size, num_actions))
    for i in range(rows.size):
        for action in range(num_actions):
            found[i, action] = q[rows[i] * num_actions + action]
    return found
