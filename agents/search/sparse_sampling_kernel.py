"""Compiled sampling of all actions of many rows of a table."""

from __future__ import annotations

import numpy as np

from dynamaze.common.compiled import compiled_with_arrays

from ..core.kernels import follow
from ..core.rng import load, store

ENDED = -1
"""Stands for the child of a sample that ended the episode."""


@compiled_with_arrays
def expand_rows(model, rows, num_states, num_actions, width, words):
    """Draw `width` outcomes of each action of each row.

    Returns:
        (n, actions, width) rewards and children, and the (children,) rows that these are.
    """
    shape = (rows.size, num_actions, width)
    reward, child = np.empty(shape), np.empty(shape, dtype=np.int64)
    place = np.full(num_states, ENDED)
    following = np.empty(min(num_states, rows.size * num_actions * width), dtype=np.int64)
    count, columns, rng = 0, np.uint64(num_actions), load(words)
    for i in range(rows.size):
        for action in range(num_actions):
            pair = np.uint64(rows[i]) * columns + np.uint64(action)
            for sample in range(width):
                gained, state, terminated, rng = follow(model, columns, pair, rng)
                reward[i, action, sample] = gained
                if not terminated and place[state] == ENDED:
                    place[state], following[count], count = count, state, count + 1
                child[i, action, sample] = ENDED if terminated else place[state]
    store(words, rng)
    return reward, child, following[:count]
