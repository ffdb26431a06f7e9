"""Search trees in files: the nodes in use, checked before compiled code follows them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.records import flatten, restore
from ...core.state import part_of, prefixed
from .kernel import SearchRule
from .tree import NONE, ROOT, TIME, USED, SearchTree
from .tree_moves import index_nodes

NODES = ("state", "time", "parent", "total", "choice")
EDGES = ("visits", "value", "width")
"""Columns of a tree that are saved, as far as they are in use."""


def tree_state(tree: SearchTree, rule: SearchRule) -> dict[str, Any]:
    """The arrays and numbers of a tree and the rule that it grows by."""
    used = int(tree.numbers[USED])
    saved = {name: getattr(tree, name)[:used].copy() for name in NODES}
    edges = used * rule.num_actions
    saved.update({name: getattr(tree, name)[:edges].copy() for name in EDGES})
    saved["numbers"] = tree.numbers.copy()
    return {**prefixed("tree", saved), **prefixed("rule", flatten(rule))}


def read_tree(state: dict[str, Any], max_nodes: int) -> tuple[SearchTree, SearchRule]:
    """What `tree_state` was given.

    Raises:
        ValueError: if something is missing, of another shape, or leads outside the tree.
    """
    rule = _read_rule(part_of("rule", state))
    tree = SearchTree.begin(max_nodes, rule.num_actions, rule.depth)
    _fill(tree, rule, part_of("tree", state))
    index_nodes(tree, rule)
    return tree, rule


def _read_rule(flat: dict[str, Any]) -> SearchRule:
    template = SearchRule(1, 1, 1, 1, 0.0, 0.0, True, True, False, 0.0)
    rule: SearchRule = restore(template, flat)
    if min(rule.num_states, rule.num_actions, rule.simulations, rule.depth) < 1:
        raise ValueError(f"a search with {rule}; expected numbers of at least 1")
    return rule


def _fill(tree: SearchTree, rule: SearchRule, saved: dict[str, Any]) -> None:
    """Copy saved columns into the tree.

    Raises:
        ValueError: for a column that does not fit, or an index outside the tables.
    """
    numbers = saved.get("numbers")
    if not isinstance(numbers, np.ndarray) or numbers.shape != tree.numbers.shape:
        raise ValueError(f"numbers {numbers!r} in the planner's state; expected 3 of them")
    used = int(numbers[USED])
    bounds = {
        "state": (0, rule.num_states),
        "parent": (NONE, used * rule.num_actions),
        "choice": (0, rule.num_actions),
        "time": (0, np.inf),
        "total": (0, np.inf),
        "visits": (0, np.inf),
    }
    if not (0 < used <= tree.state.size and 0 <= numbers[ROOT] < used and numbers[TIME] >= 0):
        raise ValueError(f"numbers {numbers} in the planner's state; expected those of a tree")
    for name in (*NODES, *EDGES):
        column, given = getattr(tree, name), saved.get(name)
        size = used * rule.num_actions if name in EDGES else used
        if not isinstance(given, np.ndarray) or (given.shape, given.dtype) != (
            (size,),
            column.dtype,
        ):
            raise ValueError(f"{name} is {given!r} in the planner's state; expected {size} numbers")
        low, high = bounds.get(name, (-np.inf, np.inf))
        if not (given >= low).all() or not (given < high).all():
            raise ValueError(
                f"{name} from {given.min()} to {given.max()} in the planner's state; expected at "
                f"least {low} and below {high}"
            )
        column[:size] = given
    tree.numbers[:] = numbers
