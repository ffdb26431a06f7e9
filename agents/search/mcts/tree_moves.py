"""What stays of a search tree when the agent has moved."""

from __future__ import annotations

from dynamaze.common.compiled import compiled

from ...core.rng import load, store
from .kernel import find, put, slot_of
from .tree import NONE, ROOT, TIME, USED


@compiled
def plant(tree, rule, state, words):
    """Begin a new tree in a state."""
    tree.slots[:] = NONE
    tree.numbers[USED] = tree.numbers[ROOT] = tree.numbers[TIME] = 0
    store(words, put(tree, rule, state, 0, NONE, load(words)))


@compiled
def advance(tree, rule, action, state, room):
    """Make the node to which an action led the root, if there is one; whether there was.

    With transpositions all nodes of later times stay, for another way may meet them; without, all
    that are below the new root. Where that leaves less than `room` nodes free, those simulated the
    least are dropped.
    """
    edge = tree.numbers[ROOT] * rule.num_actions + action
    root = find(tree, rule, state, tree.numbers[TIME] + 1, edge)
    if root < 0:
        return False
    tree.numbers[TIME] += 1
    least = 0
    while _number(tree, rule, root, least) + room > tree.state.size and least <= tree.total[root]:
        least = max(1, 2 * least)
    _move(tree, rule)
    tree.numbers[ROOT] = tree.moved[root]
    tree.parent[tree.moved[root]] = NONE
    return True


@compiled
def _number(tree, rule, root, least):
    """Settle which nodes stay, in the order in which they are; how many."""
    count = 0
    for node in range(tree.numbers[USED]):
        stays = tree.total[node] >= least
        if rule.merges:
            stays = stays and tree.time[node] > tree.numbers[TIME]
        else:
            parent = tree.parent[node]
            stays = stays and parent >= 0 and tree.moved[parent // rule.num_actions] >= 0
        tree.moved[node] = count if stays or node == root else NONE
        if tree.moved[node] >= 0:
            count += 1
    return count


@compiled
def _move(tree, rule):
    """Move the nodes that stay to the front, where nodes that come later move after them."""
    used, actions = tree.numbers[USED], rule.num_actions
    tree.slots[:] = NONE
    tree.numbers[USED] = 0
    for node in range(used):
        to = tree.moved[node]
        if to < 0:
            continue
        parent = tree.parent[node]
        if parent >= 0:
            above = tree.moved[parent // actions]
            parent = above * actions + parent % actions if above >= 0 else NONE
        state, time = tree.state[node], tree.time[node]
        tree.state[to], tree.time[to], tree.parent[to] = state, time, parent
        tree.total[to], tree.choice[to] = tree.total[node], tree.choice[node]
        for action in range(actions):
            old, new = node * actions + action, to * actions + action
            tree.visits[new], tree.value[new] = tree.visits[old], tree.value[old]
            tree.width[new], tree.child[new] = tree.width[old], NONE
        tree.slots[slot_of(tree, rule, state, time, parent)] = to
        tree.numbers[USED] += 1


@compiled
def index_nodes(tree, rule):
    """Find the nodes in use by their keys again."""
    tree.slots[:] = NONE
    tree.child[:] = NONE
    for node in range(tree.numbers[USED]):
        place = slot_of(tree, rule, tree.state[node], tree.time[node], tree.parent[node])
        tree.slots[place] = node
