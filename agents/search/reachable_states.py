"""Which states a table believes may follow which: the states that a search must look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from dynamaze.common.compiled import compiled

from ..models.forget_latest import RecentTable
from ..models.latest import LatestTable
from ..models.likelihood import LikelihoodTable

LATEST = (LatestTable, RecentTable)


def tells_outcomes(record: Any) -> bool:
    """Whether `reach` knows where such a record keeps what follows a pair."""
    while hasattr(record, "model"):  # of a wrapper
        record = record.model
    return isinstance(record, (*LATEST, LikelihoodTable))


def reach(model, num_actions, pair, steps, order, count):
    """Add the states that a pair may lead to and that were not reached before.

    Args:
        model: the record.
        num_actions: int64, as is the pair.
        pair: where the model is asked.
        steps: (states,) in how many steps each is reached, -1 for not yet.
        order: (states,) those that were reached, in this order.
        count: how many they are.

    Returns:
        How many they are now.
    """


@overload(reach, inline="always")
def _reach(model, num_actions, pair, steps, order, count):
    kind = model.instance_class
    if kind in LATEST:
        return lambda model, num_actions, pair, steps, order, count: _reach_latest(
            model, num_actions, pair, steps, order, count
        )
    if kind is LikelihoodTable:
        return lambda model, num_actions, pair, steps, order, count: _reach_likelihood(
            model, num_actions, pair, steps, order, count
        )
    return lambda model, num_actions, pair, steps, order, count: reach(
        model.model, num_actions, pair, steps, order, count
    )


@compiled
def _reach_latest(table, num_actions, pair, steps, order, count):
    if table.terminated[pair]:
        return count
    return _note(table.next_state[pair], pair // num_actions, steps, order, count)


@compiled
def _reach_likelihood(table, num_actions, pair, steps, order, count):
    node = table.head[pair]
    while node >= 0:
        if not table.terminated[node]:
            count = _note(table.next_state[node], pair // num_actions, steps, order, count)
        node = table.link[node]
    return count


@compiled
def _note(state, before, steps, order, count):
    if steps[state] >= 0:
        return count
    steps[state] = steps[before] + 1
    order[count] = state
    return count + 1


@compiled
def reach_all(model, num_actions, depth, steps, order, count):
    """Extend a list of states by all that are reached from them in at most `depth` steps."""
    columns, place = np.int64(num_actions), 0
    while place < count and steps[order[place]] < depth:
        for action in range(columns):
            count = reach(model, columns, order[place] * columns + action, steps, order, count)
        place += 1
    return count
