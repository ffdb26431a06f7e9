"""UCT: Monte-Carlo tree search that selects actions by UCB1, compiled.

Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo planning"; UCB1 by Auer, Cesa-Bianchi and
Fischer 2002; Sutton & Barto 2018, sections 2.7 and 8.11. A simulation selects actions from the root
by UCB1 while the nodes are known, adds the first unknown one (expansion), estimates its value by a
random rollout or by the best learned value, and updates all means on the path (backup).

A node is the path that leads to it; or, with transpositions, a state and the time at which it is
reached. The time is part of the key because of discounting and cycles: nodes of the state alone
would mix returns with different numbers of steps to go, and a simulation could meet itself. So
every node has a fixed number of steps to go, the graph has no cycles, and in the limit the values
are exactly those of `depth` steps (Kocsis and Szepesvari's analysis has a finite horizon, too).

The search through simulators (`simulated`) shares the record of the tree, the selection of actions
and the update of the means.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled

from ...core.kernels import sample_outcome
from ...core.rng import high_below, load, low_below, next_word, store
from ...values.table import row_max

NONE = -1
"""Index of no node, and of no parent."""

USED, ROOT, TIME = range(3)
"""Indices of `SearchTree.numbers`."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio

_HALF = np.uint64(32)


@compiled
def uct_search(tree, settings, model, q, tried, words):
    """Run simulations from the tree's root.

    Args:
        tree: `SearchTree` with a root.
        settings: `UCTSettings`.
        model: record of a table.
        q: (states * actions,) learned values.
        tried: (states * actions,) visit counts of the model; used with a first-play urgency.
        words: state of the random number generator.
    """
    # The four steps of MCTS (section 8.11): selection and expansion in `_descend`, which also
    # simulates (the rollout of `_estimate`), and backup in `_back_up`.
    store(words, simulate(tree, settings, model, q, tried, load(words)))


@compiled
def simulate(tree, settings, model, q, tried, rng):
    """Run simulations from the tree's root; return the generator's state."""
    for _ in range(settings.simulations):
        steps, leaf_value, rng = _descend(tree, settings, model, q, tried, rng)
        rng = _back_up(tree, settings, steps, leaf_value, rng)
    return rng


@compiled
def _descend(tree, settings, model, q, tried, rng):
    """Select and expand; return the path's length, the leaf's value, and the generator's state."""
    columns = np.uint64(settings.num_actions)
    node = tree.numbers[ROOT]
    state = tree.state[node]
    start_time = tree.numbers[TIME]
    for step in range(settings.depth):
        action = tree.choice[node]
        edge = node * settings.num_actions + action
        tree.nodes[step], tree.edges[step] = node, edge
        pair = np.uint64(state) * columns + np.uint64(action)
        reward, state, terminated, rng = _outcome(settings, model, tried, pair, rng)
        tree.rewards[step] = reward
        if terminated:
            return step + 1, 0.0, rng
        if step + 1 < settings.depth:
            node = tree.child[edge]
            if node >= 0 and tree.state[node] == state:
                continue
            node = find_node(tree, settings, state, start_time + step + 1, edge)
            tree.child[edge] = node
            if node >= 0:
                continue
            rng = insert_node(tree, settings, state, start_time + step + 1, edge, rng)
        left = settings.depth - step - 1
        leaf_value, rng = _estimate(settings, model, q, tried, state, left, rng)
        return step + 1, leaf_value, rng
    return settings.depth, 0.0, rng  # unreachable: the last step always returns


@compiled
def _outcome(settings, model, tried, pair, rng):
    """Sample an outcome of a pair: reward, next state, terminated, the generator's state."""
    if settings.is_optimistic and tried[pair] == 0:
        return settings.first_play_urgency, np.int64(0), True, rng
    reward, state, terminated, rng = sample_outcome(
        model, np.uint64(settings.num_actions), pair, rng
    )
    return reward, np.int64(state), terminated, rng


@compiled
def _back_up(tree, settings, steps, returned, rng):
    """Update the means on the path by the return, and select the next action in each of its nodes.

    Selecting here and not while descending makes the selections independent of each other, which is
    faster.
    """
    for step in range(steps - 1, -1, -1):
        returned = tree.rewards[step] + settings.gamma * returned  # G_t = R_{t+1} + gamma G_{t+1}
        node = tree.nodes[step]
        update_mean(tree, node, tree.edges[step], returned)
        tree.choice[node], rng = select_action(
            tree,
            node,
            settings.num_actions,
            settings.num_actions,
            settings.exploration_constant,
            rng,
        )
    return rng


@compiled
def _estimate(settings, model, q, tried, state, left, rng):
    """Return the value of a leaf with `left` steps to go, and the generator's state.

    It is the return of a rollout, or the best learned value.
    """
    columns = np.uint64(settings.num_actions)
    if settings.rolls_out:
        return _rollout(settings, model, tried, np.uint64(state), left, rng)
    return row_max(q, np.uint64(state) * columns, columns), rng


@compiled
def _rollout(settings, model, tried, state, left, rng):
    """Return the return of a random policy, and the generator's state; a word gives two actions."""
    columns = np.uint64(settings.num_actions)
    returned, discount = 0.0, 1.0
    while left > 0:
        word, rng = next_word(rng)
        for half in range(2):
            action = high_below(word, columns) if half == 0 else low_below(word, columns)
            pair = state * columns + action
            reward, following, terminated, rng = _outcome(settings, model, tried, pair, rng)
            returned += discount * reward
            discount *= settings.gamma
            state = np.uint64(following)
            left -= 1
            if terminated or left == 0:
                return returned, rng
    return returned, rng


class UCTSettings(NamedTuple):
    """Settings of a search in a table, for compiled code."""

    num_states: int
    num_actions: int
    simulations: int
    depth: int
    gamma: float
    exploration_constant: float
    rolls_out: bool  # rollout to the depth; otherwise the best learned value of the leaf
    transpositions: bool  # whether paths to the same state and time share a node
    is_optimistic: bool  # whether `first_play_urgency` is used
    first_play_urgency: float  # return of a pair that the model has never seen


# -- the tree ----------------------------------------------------------------------------------


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


@compiled
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
def ucb1(value, width, root_log, exploration_constant):
    """Return the UCB1 bound Q(s, a) + c sqrt(log n(s) / n(s, a)).

    `width` is 1 / sqrt(n(s, a)) and `root_log` is sqrt(log n(s)).
    """
    return value + exploration_constant * root_log * width


@compiled
def update_mean(tree, node, edge, returned):
    """Update an edge's mean by a return."""
    tree.total[node] += 1
    tree.visits[edge] += 1
    share = 1.0 / tree.visits[edge]
    tree.value[edge] += share * (returned - tree.value[edge])  # Q += (G - Q) / n
    tree.width[edge] = np.sqrt(share)


# -- nodes by their key ------------------------------------------------------------------------


@compiled
def insert_node(tree, settings, state, time, edge, rng):
    """Add a node under its key, if there is room; return the generator's state."""
    node = add_node(tree, settings.num_actions, state, time, edge)
    if node >= 0:
        tree.slots[find_slot(tree, settings, state, time, edge)] = node
        tree.choice[node], rng = select_action(
            tree, node, settings.num_actions, settings.num_actions, 0.0, rng
        )
    return rng


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


@compiled
def find_node(tree, settings, state, time, edge):
    """Return the node of a state at a time (or below an edge, as a tree); -1 for none."""
    return tree.slots[find_slot(tree, settings, state, time, edge)]


@compiled
def find_slot(tree, settings, state, time, edge):
    """Return the slot of a node's key in the hash table, occupied or free (linear probing)."""
    context = time if settings.transpositions else edge
    mask = np.uint64(tree.slots.size - 1)
    key = np.uint64(np.int64(context)) * np.uint64(settings.num_states) + np.uint64(state)
    slot = ((key * _GOLDEN) >> _HALF) & mask  # Fibonacci hashing: the high bits of the product
    while True:
        node = tree.slots[slot]
        if node < 0:
            return slot
        if tree.state[node] == state:
            own = tree.time[node] if settings.transpositions else tree.parent[node]
            if own == context:
                return slot
        slot = (slot + np.uint64(1)) & mask


@compiled
def index_nodes(tree, settings):
    """Rebuild the hash table of the nodes in use."""
    tree.slots[:] = NONE
    tree.child[:] = NONE
    for node in range(tree.numbers[USED]):
        place = find_slot(tree, settings, tree.state[node], tree.time[node], tree.parent[node])
        tree.slots[place] = node


# -- reuse of the tree after a real step -------------------------------------------------------


@compiled
def reset_tree(tree, settings, state, words):
    """Start a new tree with a state as its root."""
    store(words, begin_tree(tree, settings, state, load(words)))


@compiled
def begin_tree(tree, settings, state, rng):
    """Start a new tree with a state as its root; return the generator's state."""
    tree.slots[:] = NONE
    tree.numbers[USED] = tree.numbers[ROOT] = tree.numbers[TIME] = 0
    return insert_node(tree, settings, state, 0, NONE, rng)


@compiled
def reroot(tree, settings, action, state, room):
    """Make the node that an action led to the root; return whether there is one.

    With transpositions all nodes of later times are kept, for other paths may reach them; without,
    those below the new root. Where that leaves less than `room` free nodes, those with the fewest
    simulations are dropped.
    """
    edge = tree.numbers[ROOT] * settings.num_actions + action
    root = find_node(tree, settings, state, tree.numbers[TIME] + 1, edge)
    if root < 0:
        return False
    tree.numbers[TIME] += 1
    least = 0
    while (
        _mark_kept(tree, settings, root, least) + room > tree.state.size
        and least <= tree.total[root]
    ):
        least = max(1, 2 * least)
    _compact(tree, settings)
    tree.numbers[ROOT] = tree.new_index[root]
    tree.parent[tree.new_index[root]] = NONE
    return True


@compiled
def _mark_kept(tree, settings, root, least):
    """Assign new indices to the nodes that are kept, in their order; return their number."""
    count = 0
    for node in range(tree.numbers[USED]):
        stays = tree.total[node] >= least
        if settings.transpositions:
            stays = stays and tree.time[node] > tree.numbers[TIME]
        else:
            parent = tree.parent[node]
            stays = stays and parent >= 0 and tree.new_index[parent // settings.num_actions] >= 0
        tree.new_index[node] = count if stays or node == root else NONE
        if tree.new_index[node] >= 0:
            count += 1
    return count


@compiled
def _compact(tree, settings):
    """Move the kept nodes to the front; targets never lie behind their sources."""
    used, actions = tree.numbers[USED], settings.num_actions
    tree.slots[:] = NONE
    tree.numbers[USED] = 0
    for node in range(used):
        to = tree.new_index[node]
        if to < 0:
            continue
        parent = tree.parent[node]
        if parent >= 0:
            above = tree.new_index[parent // actions]
            parent = above * actions + parent % actions if above >= 0 else NONE
        state, time = tree.state[node], tree.time[node]
        tree.state[to], tree.time[to], tree.parent[to] = state, time, parent
        tree.total[to], tree.choice[to] = tree.total[node], tree.choice[node]
        for action in range(actions):
            old, new = node * actions + action, to * actions + action
            tree.visits[new], tree.value[new] = tree.visits[old], tree.value[old]
            tree.width[new], tree.child[new] = tree.width[old], NONE
        tree.slots[find_slot(tree, settings, state, time, parent)] = to
        tree.numbers[USED] += 1
