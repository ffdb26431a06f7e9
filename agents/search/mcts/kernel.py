"""UCT in the table of a model, compiled.

A node is the way that leads to it, as in a tree; or, with transpositions, a state and the time at
which it is reached, so that two ways that reach it at the same time meet there. With a discount and
cycles a node of the state alone would mix returns of simulations that had more and fewer steps to
go, and a simulation could meet itself. With the time every node has so many steps to go and the
graph has no cycles: in the limit the values are exactly those of `depth` steps (Kocsis and
Szepesvari's analysis is of a finite horizon, too).

A simulation is: choose actions from the root by UCB1 while the nodes are known, make the first
unknown one a node (expansion), estimate what follows there by a random rollout or by the best
learned value, and take the return into all means on the way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.compiled import compiled

from ...core.kernels import follow
from ...core.rng import high_below, load, low_below, next_word, store
from ...values.table import row_max
from .tree import ROOT, TIME, add_node, select, take

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class SearchRule(NamedTuple):
    """What settles a search in a table."""

    num_states: int
    num_actions: int
    simulations: int
    depth: int
    gamma: float
    exploration_constant: float
    rolls_out: bool  # to the depth; otherwise a leaf is worth its best learned value
    merges: bool  # ways that reach a state at the same time
    is_optimistic: bool  # whether pairs that the model has never seen are worth `untried_value`
    untried_value: float


@compiled
def search(tree, rule, model, q, tried, words):
    """Simulate from the tree's root.

    Args:
        tree: a `SearchTree` with a root.
        rule: a `SearchRule`.
        model: the record of a table.
        q: (states * actions,) learned values.
        tried: (states * actions,) visits of the model; looked at if the rule is optimistic.
        words: of the random numbers.
    """
    rng = load(words)
    for _ in range(rule.simulations):
        steps, gained, rng = _descend(tree, rule, model, q, tried, rng)
        rng = _back_up(tree, rule, steps, gained, rng)
    store(words, rng)


@compiled
def _descend(tree, rule, model, q, tried, rng):
    """One simulation: how many edges are on the path, what followed, the generator's state."""
    columns = np.uint64(rule.num_actions)
    node = tree.numbers[ROOT]
    state = tree.state[node]
    begun = tree.numbers[TIME]
    for step in range(rule.depth):
        action = tree.choice[node]
        edge = node * rule.num_actions + action
        tree.nodes[step], tree.edges[step] = node, edge
        pair = np.uint64(state) * columns + np.uint64(action)
        reward, state, terminated, rng = _outcome(rule, model, tried, pair, rng)
        tree.paid[step] = reward
        if terminated:
            return step + 1, 0.0, rng
        if step + 1 < rule.depth:
            node = tree.child[edge]
            if node >= 0 and tree.state[node] == state:
                continue
            node = find(tree, rule, state, begun + step + 1, edge)
            tree.child[edge] = node
            if node >= 0:
                continue
            rng = put(tree, rule, state, begun + step + 1, edge, rng)
        left = rule.depth - step - 1
        gained, rng = _estimate(rule, model, q, tried, state, left, rng)
        return step + 1, gained, rng
    return rule.depth, 0.0, rng  # never reached: the last step always returns


@compiled
def _outcome(rule, model, tried, pair, rng):
    """What follows a pair: reward, next state, terminated and the generator's state."""
    if rule.is_optimistic and tried[pair] == 0:
        return rule.untried_value, np.int64(0), True, rng
    reward, state, terminated, rng = follow(model, np.uint64(rule.num_actions), pair, rng)
    return reward, np.int64(state), terminated, rng


@compiled
def _back_up(tree, rule, steps, gained, rng):
    """Take a return into all means on the path, and choose anew what comes next in its nodes.

    Done here and not on the way down, the choices do not wait for each other.
    """
    for step in range(steps - 1, -1, -1):
        gained = tree.paid[step] + rule.gamma * gained
        node = tree.nodes[step]
        take(tree, node, tree.edges[step], gained)
        tree.choice[node], rng = select(
            tree, node, rule.num_actions, rule.num_actions, rule.exploration_constant, rng
        )
    return rng


@compiled
def _estimate(rule, model, q, tried, state, left, rng):
    """What follows a leaf with so many steps to go, and the generator's state."""
    columns = np.uint64(rule.num_actions)
    if rule.rolls_out:
        return _rollout(rule, model, tried, np.uint64(state), left, rng)
    return row_max(q, np.uint64(state) * columns, columns), rng


@compiled
def _rollout(rule, model, tried, state, left, rng):
    """The return of a random policy, and the generator's state; a word gives two actions."""
    columns = np.uint64(rule.num_actions)
    gained, discount = 0.0, 1.0
    while left > 0:
        word, rng = next_word(rng)
        for half in range(2):
            action = high_below(word, columns) if half == 0 else low_below(word, columns)
            pair = state * columns + action
            reward, following, terminated, rng = _outcome(rule, model, tried, pair, rng)
            gained += discount * reward
            discount *= rule.gamma
            state = np.uint64(following)
            left -= 1
            if terminated or left == 0:
                return gained, rng
    return gained, rng


# -- nodes by their key ------------------------------------------------------------------------


@compiled
def put(tree, rule, state, time, edge, rng):
    """A new node where its key can be found, unless there is no room; the generator's state."""
    node = add_node(tree, rule.num_actions, state, time, edge)
    if node >= 0:
        tree.slots[slot_of(tree, rule, state, time, edge)] = node
        tree.choice[node], rng = select(tree, node, rule.num_actions, rule.num_actions, 0.0, rng)
    return rng


@compiled
def find(tree, rule, state, time, edge):
    """The node of a state at a time, or without transpositions below an edge; -1 without."""
    return tree.slots[slot_of(tree, rule, state, time, edge)]


@compiled
def slot_of(tree, rule, state, time, edge):
    """Where a node's number is, or would be."""
    context = time if rule.merges else edge
    mask = np.uint64(tree.slots.size - 1)
    key = np.uint64(context) * np.uint64(rule.num_states) + np.uint64(state)
    slot = ((key * _GOLDEN) >> _HALF) & mask
    while True:
        node = tree.slots[slot]
        if node < 0:
            return slot
        if tree.state[node] == state:
            own = tree.time[node] if rule.merges else tree.parent[node]
            if own == context:
                return slot
        slot = (slot + np.uint64(1)) & mask
