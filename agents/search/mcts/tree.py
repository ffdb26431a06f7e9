"""Record and rules of a search tree: selection by UCB1, and update of the means.

UCT (Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo planning") selects in each node as in a
bandit, by UCB1 (Auer, Cesa-Bianchi and Fischer 2002; Sutton & Barto 2018, sections 2.7 and 8.11).
The compiled search of tables and the one through simulators share these rules.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced

from ...core.rng import low_below, next_word

NONE = -1
"""Index of no node, and of no parent."""

USED, ROOT, TIME = range(3)
"""Indices of `SearchTree.numbers`."""


class SearchTree(NamedTuple):
    """Search tree, changed in place. Action a of node n is the edge n * actions + a."""

    state: IntArray  # (nodes,) state of each node
    time: IntArray  # (nodes,) real steps since the tree was reset, plus simulated ones
    parent: IntArray  # (nodes,) edge that first led there, -1 for none
    total: IntArray  # (nodes,) n(s), number of selections
    choice: IntArray  # (nodes,) action of the next simulation
    visits: IntArray  # (nodes * actions,) n(s, a)
    value: FloatArray  # (nodes * actions,) Q(s, a), mean return
    width: FloatArray  # (nodes * actions,) 1 / sqrt(visits)
    child: IntArray  # (nodes * actions,) the last child, -1 for none yet
    new_index: IntArray  # (nodes,) index after dropping nodes, -1 for a dropped one
    slots: IntArray  # (a power of 2,) hash table of the nodes, -1 for a free slot
    nodes: IntArray  # (depth,) nodes of a simulation
    edges: IntArray  # (depth,) edges of a simulation
    rewards: FloatArray  # (depth,) rewards of a simulation
    numbers: IntArray  # (3,) number of nodes in use, the root, and its time

    @classmethod
    def empty(cls, max_nodes: int, num_actions: int, depth: int) -> SearchTree:
        """Return a tree without nodes."""
        edges = max_nodes * num_actions
        return cls(
            np.zeros(max_nodes, dtype=np.int64),
            np.zeros(max_nodes, dtype=np.int64),
            np.full(max_nodes, NONE, dtype=np.int64),
            np.zeros(max_nodes, dtype=np.int64),
            np.zeros(max_nodes, dtype=np.int64),
            np.zeros(edges, dtype=np.int64),
            np.zeros(edges),
            np.zeros(edges),
            np.full(edges, NONE, dtype=np.int64),
            np.zeros(max_nodes, dtype=np.int64),
            np.full(1 << (2 * max_nodes - 1).bit_length(), NONE, dtype=np.int64),
            np.zeros(depth, dtype=np.int64),
            np.zeros(depth, dtype=np.int64),
            np.zeros(depth),
            np.array([0, NONE, 0], dtype=np.int64),
        )


@spliced
def ucb1(value, width, root_log, exploration_constant):
    """Return the UCB1 bound Q(s, a) + c sqrt(log n(s) / n(s, a)).

    `width` is 1 / sqrt(n(s, a)) and `root_log` is sqrt(log n(s)).
    """
    return value + exploration_constant * root_log * width


@compiled
def select_action(tree, node, num_actions, count, exploration_constant, rng):
    """Select one of the first `count` actions of a node; unvisited ones first, in random order.

    Returns the action and the generator's state. Only unvisited actions use random numbers: of
    equal bounds the first is selected. (Random tie-breaking took up to half of the speed, and
    changed no result.)
    """
    total, first = tree.total[node], node * num_actions
    if total < count:
        word, rng = next_word(rng)
        return _unvisited(tree, first, count, np.int64(low_below(word, count - total))), rng
    root_log = np.sqrt(np.log(float(total)))
    if count == 4:  # a constant lets the compiler unroll the loop
        return _best_bound(tree, first, 4, root_log, exploration_constant), rng
    return _best_bound(tree, first, count, root_log, exploration_constant), rng


@compiled
def _unvisited(tree, first, count, skip):
    """Return the unvisited action after `skip` others."""
    for action in range(count):
        if tree.visits[first + action] == 0:
            if skip == 0:
                return action
            skip -= 1
    return 0


@spliced
def _best_bound(tree, first, count, root_log, exploration_constant):
    """Return the action with the highest bound."""
    best = 0
    highest = ucb1(tree.value[first], tree.width[first], root_log, exploration_constant)
    for action in range(1, count):
        edge = first + action
        bound = ucb1(tree.value[edge], tree.width[edge], root_log, exploration_constant)
        best = action if bound > highest else best
        highest = max(bound, highest)
    return best


@compiled
def update_mean(tree, node, edge, returned):
    """Update an edge's mean by a return."""
    tree.total[node] += 1
    tree.visits[edge] += 1
    share = 1.0 / tree.visits[edge]
    tree.value[edge] += share * (returned - tree.value[edge])  # Q += (G - Q) / n
    tree.width[edge] = np.sqrt(share)


@compiled
def add_node(tree, num_actions, state, time, parent):
    """Add a node; return its index, or -1 without room."""
    node = tree.numbers[USED]
    if node == tree.state.size:
        return NONE
    tree.numbers[USED] += 1
    tree.state[node], tree.time[node], tree.parent[node] = state, time, parent
    tree.total[node] = 0
    for edge in range(node * num_actions, (node + 1) * num_actions):
        tree.visits[edge] = 0
        tree.value[edge] = tree.width[edge] = 0.0
        tree.child[edge] = NONE
    return node
