"""The rules of a search tree, and its record: which action a simulation takes, what it brings.

UCT (Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo planning"): in each node the action is
chosen as in a bandit, by UCB1 (Auer, Cesa-Bianchi and Fischer 2002; Sutton & Barto 2018, sections
2.7 and 8.11). Both the compiled search of tables and the one through any simulator use these.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced

from ...core.rng import low_below, next_word

NONE = -1
"""No node, no parent."""

USED, ROOT, TIME = range(3)
"""Places in `SearchTree.numbers`."""


class SearchTree(NamedTuple):
    """Changed in place. The edge of node n and its action a has the number n * actions + a."""

    state: IntArray  # (nodes,) numbers of states
    time: IntArray  # (nodes,) real steps since the tree began, and simulated ones since then
    parent: IntArray  # (nodes,) the edge that first led there, -1 for none
    total: IntArray  # (nodes,) simulations that chose an action there
    choice: IntArray  # (nodes,) the action that the next simulation takes there
    visits: IntArray  # (nodes * actions,) how often each action was chosen
    value: FloatArray  # (nodes * actions,) mean return that followed
    width: FloatArray  # (nodes * actions,) 1 / sqrt(visits)
    child: IntArray  # (nodes * actions,) a node that it led to, the last one; -1 for none yet
    moved: IntArray  # (nodes,) where each goes when others are dropped, -1 for nowhere
    slots: IntArray  # (a power of 2,) nodes by their key, -1 where there is none
    nodes: IntArray  # (depth,) those of a simulation
    edges: IntArray  # (depth,) and its edges
    paid: FloatArray  # (depth,) its rewards
    numbers: IntArray  # (3,) how many nodes are in use, the root, and its time

    @classmethod
    def begin(cls, max_nodes: int, num_actions: int, depth: int) -> SearchTree:
        """No node yet."""
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
def upper_bound(value, width, root_log, exploration_constant):
    """UCB1: the mean return, and how far above it the truth may be.

    `width` is 1 / sqrt(n(s, a)) and `root_log` is sqrt(log n(s)).
    """
    return value + exploration_constant * root_log * width


@compiled
def select(tree, node, num_actions, count, exploration_constant, rng):
    """One of the first `count` actions of a node; those never chosen come first, in any order.

    Gives the action and the generator's state, from which only these draw: of equal bounds the
    first is taken. (Ties drawn at random took up to half of the speed, and changed no result.)
    """
    total, first = tree.total[node], node * num_actions
    if total < count:
        word, rng = next_word(rng)
        return _untried(tree, first, count, np.int64(low_below(word, count - total))), rng
    root_log = np.sqrt(np.log(float(total)))
    if count == 4:  # a constant lets the compiler unroll the loop
        return _highest(tree, first, 4, root_log, exploration_constant), rng
    return _highest(tree, first, count, root_log, exploration_constant), rng


@compiled
def _untried(tree, first, count, skip):
    """The action after so many others that were never chosen."""
    for action in range(count):
        if tree.visits[first + action] == 0:
            if skip == 0:
                return action
            skip -= 1
    return 0


@spliced
def _highest(tree, first, count, root_log, exploration_constant):
    """The action of the highest bound."""
    best = 0
    highest = upper_bound(tree.value[first], tree.width[first], root_log, exploration_constant)
    for action in range(1, count):
        edge = first + action
        bound = upper_bound(tree.value[edge], tree.width[edge], root_log, exploration_constant)
        best = action if bound > highest else best
        highest = max(bound, highest)
    return best


@compiled
def take(tree, node, edge, gained):
    """Take a return into an edge's mean."""
    tree.total[node] += 1
    tree.visits[edge] += 1
    share = 1.0 / tree.visits[edge]
    tree.value[edge] += share * (gained - tree.value[edge])
    tree.width[edge] = np.sqrt(share)


@compiled
def add_node(tree, num_actions, state, time, parent):
    """A new node, or -1 where there is no room."""
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
