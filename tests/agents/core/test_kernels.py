"""Rules of compiled code that need no record of a model or a planner."""

from __future__ import annotations

import numpy as np

from dynamaze.agents.core.kernels import append_state


def test_append_state_lists_each_state_once() -> None:
    steps, order = np.array([-1, 0, -1]), np.array([1, -1, -1])
    count = 1  # state 1, where the search begins
    for state, before, expected in ((2, 1, 2), (1, 2, 2), (2, 2, 2), (0, 2, 3)):
        count = append_state(state, before, steps, order, count)
        assert count == expected
    assert order.tolist() == [1, 2, 0]
    assert steps.tolist() == [2, 0, 1]
