"""Which pairs lead where: what planning backwards needs.

Linked lists of the pairs that were seen to lead to each place: a state, or an end there, which has
the number of its state plus that of states. A pair that the model no longer believes to lead there
is taken out when it is met, so that a world that changes leaves no ghosts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled

from ..core.kernels import believe
from ..core.records import with_room

GROWING = ("pair", "link")


class Predecessors(NamedTuple):
    """Changed in place; a node is one pair that leads to one place."""

    first: IntArray  # (2 * states,) the place's first node, -1 for none
    pair: IntArray  # (room,) the node's pair
    link: IntArray  # (room,) the next node of the same place, -1 for none
    used: IntArray  # (2,) nodes used so far, and the first of those given up, -1 for none

    @classmethod
    def begin(cls, num_states: int, num_actions: int) -> Predecessors:
        """Nothing leads anywhere yet."""
        room = num_states * num_actions
        return cls(
            np.full(2 * num_states, -1, dtype=np.int64),
            np.zeros(room, dtype=np.int64),
            np.full(room, -1, dtype=np.int64),
            np.array([0, -1]),
        )

    def with_room(self, transitions: int) -> Predecessors:
        """Room for so many more transitions."""
        return with_room(self, GROWING, int(self.used[0]) + transitions)

    def indices(self, pairs: int) -> list[tuple[IntArray, int, int]]:
        """Arrays of indices, each with the lowest it may hold and the first it may not."""
        used = int(self.used[0])
        return [
            (self.used, -1, self.pair.size + 1),
            (self.first, -1, used),
            (self.pair, 0, pairs),
            (self.link, -1, used),
        ]


@compiled
def lead_to(before, pair, next_state, terminated):
    """Note where a pair leads."""
    to = next_state + (before.first.size // 2 if terminated else 0)
    node = before.first[to]
    while node >= 0 and before.pair[node] != pair:
        node = before.link[node]
    if node < 0:
        node = before.used[1]
        if node >= 0:
            before.used[1] = before.link[node]
        else:
            node = before.used[0]
            before.used[0] += 1
        before.pair[node] = pair
        before.link[node] = before.first[to]
        before.first[to] = node


@compiled
def next_leading(before, model, num_actions, to, last):
    """The node after `last` (-1 for the first) of a pair that is believed to lead to a place.

    Gives the node, -1 if there is none, and the probability. What is met on the way and believed
    no more is taken out.
    """
    num_states = before.first.size // 2
    node = before.first[to] if last < 0 else before.link[last]
    while node >= 0:
        pair = before.pair[node]
        probability, _, _ = believe(model, num_actions, pair, to % num_states, to >= num_states)
        if probability > 0.0:
            return node, probability
        after = before.link[node]
        if last < 0:
            before.first[to] = after
        else:
            before.link[last] = after
        before.link[node] = before.used[1]
        before.used[1] = node
        node = after
    return np.int64(-1), 0.0
