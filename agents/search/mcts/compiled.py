"""UCT in compiled runs: the search before each decision, and the tree that is kept after it.

The rules do what `TreeSearchPlanning` does step by step, with the same random numbers. They serve
the record of the latest outcomes, whose predictions are compared to tell whether the tree is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled

from ...core.kernels import plan_nothing, rules
from .uct import NONE, ROOT, SearchTree, UCTSettings, begin_tree, reroot, simulate

PREDICTED = 4
"""Numbers of a prediction: next state, reward, terminated, and whether the pair was tried."""


class TreeRecord(NamedTuple):
    """Record of the planner, changed in place."""

    tree: SearchTree
    settings: UCTSettings
    values: FloatArray  # (actions,) mean returns of the last search, -inf without one
    predictions: FloatArray  # (actions, PREDICTED) of the root's actions at the last decision
    room: int  # free nodes that the kept tree must leave
    reuse: bool

    @classmethod
    def begin(cls, settings: UCTSettings, max_nodes: int, reuse: bool) -> TreeRecord:
        """Return a record before the first decision."""
        return cls(
            SearchTree.empty(max_nodes, settings.num_actions, settings.depth),
            settings,
            np.zeros(settings.num_actions),
            np.zeros((settings.num_actions, PREDICTED)),
            min(settings.simulations, max_nodes // 2),
            reuse,
        )


@compiled
def search_before_decision(planning, model, q, num_actions, state, rng):
    """Search from a state; return the mean returns as `decision_values`."""
    tree, settings = planning.tree, planning.settings
    root = tree.numbers[ROOT]
    if not planning.reuse or root < 0 or tree.state[root] != state:
        rng = begin_tree(tree, settings, state, rng)
    for action in range(num_actions):
        pair = state * num_actions + action
        planning.predictions[action, 0] = model.next_state[pair]
        planning.predictions[action, 1] = model.reward[pair]
        planning.predictions[action, 2] = model.terminated[pair]
        planning.predictions[action, 3] = model.visits[pair] > 0
    rng = simulate(tree, settings, model, q, model.visits, rng)
    first = tree.numbers[ROOT] * num_actions
    for action in range(num_actions):
        is_visited = tree.visits[first + action] > 0
        planning.values[action] = tree.value[first + action] if is_visited else -np.inf
    return planning.values, 0, rng


@compiled
def keep_subtree(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Keep the subtree of a real transition, if the model's predictions are unchanged."""
    tree = planning.tree
    root, state, stays = tree.numbers[ROOT], pair // num_actions, False
    is_root = planning.reuse and root >= 0 and tree.state[root] == state and not terminated
    if is_root and _are_unchanged(planning.predictions, model, state * num_actions):
        action = pair - state * num_actions
        stays = reroot(tree, planning.settings, action, next_state, planning.room)
    if not stays:
        tree.numbers[ROOT] = NONE


@compiled
def _are_unchanged(predictions, model, first):
    """Return whether the predictions of a state's pairs are those of the last decision."""
    for action in range(predictions.shape[0]):
        pair = first + action
        if (
            predictions[action, 0] != model.next_state[pair]
            or predictions[action, 1] != model.reward[pair]
            or predictions[action, 2] != model.terminated[pair]
            or predictions[action, 3] != (model.visits[pair] > 0)
        ):
            return False
    return True


rules(
    TreeRecord,
    decision_values=search_before_decision,
    record_transition=keep_subtree,
    plan=plan_nothing,
)
