"""Reachable states: the states that a tabular model predicts to be reachable within a depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from dynamaze.common.compile_cache import INTERPRETED
from dynamaze.common.compiled import compiled, interpreted_generic

from ..models.latest import LatestTable, RecentTable
from ..models.likelihood import LikelihoodTable

LATEST = (LatestTable, RecentTable)
"""Records that store one outcome of each pair."""


def has_reach_rule(record: Any) -> bool:
    """Return whether `reach` supports the record of a table."""
    while hasattr(record, "model"):  # of a wrapper
        record = record.model
    return isinstance(record, (*LATEST, LikelihoodTable))


def reach(model, num_actions, pair, steps, order, count):
    """Append the states that a pair may lead to and that were not reached before.

    Args:
        model: the record.
        num_actions: int64, as is the pair.
        pair: state * num_actions + action.
        steps: (states,) number of steps to each state, -1 for not reached.
        order: (states,) reached states, in order.
        count: their number.

    Returns:
        Their new number.
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


if INTERPRETED:
    reach = interpreted_generic(_reach)


@compiled
def _reach_latest(table, num_actions, pair, steps, order, count):
    if table.terminated[pair]:
        return count
    return _add_state(table.next_state[pair], pair // num_actions, steps, order, count)


@compiled
def _reach_likelihood(table, num_actions, pair, steps, order, count):
    node = table.head[pair]
    while node >= 0:
        if not table.terminated[node]:
            count = _add_state(table.next_state[node], pair // num_actions, steps, order, count)
        node = table.link[node]
    return count


@compiled
def _add_state(state, before, steps, order, count):
    if steps[state] >= 0:
        return count
    steps[state] = steps[before] + 1
    order[count] = state
    return count + 1


@compiled
def reach_all(model, num_actions, depth, steps, order, count):
    """Extend a list of states by all that are reachable within `depth` steps (breadth-first)."""
    columns, place = np.int64(num_actions), 0
    while place < count and steps[order[place]] < depth:
        for action in range(columns):
            count = reach(model, columns, order[place] * columns + action, steps, order, count)
        place += 1
    return count
