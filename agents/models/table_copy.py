"""What any model with a distribution believes, copied into a table that compiled planners read."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import IntArray

from ..core.kernels import believe, expect, follow, has_rule
from ..core.transitions import Transitions
from .likelihood import MaximumLikelihood
from .protocol import Outcomes
from .visited_pairs import note_pair

IN_TURN = 8
"""Other pairs that are looked up again at each real step."""


def has_lookups(model: Any) -> bool:
    """Whether compiled code can look up single pairs in a model's own record."""
    if "compiled" not in model.capabilities:
        return False
    record = model.table
    while True:
        if not all(has_rule(function, type(record)) for function in (believe, expect, follow)):
            return False
        if not hasattr(record, "model"):
            return True
        record = record.model  # of a wrapper


class TableCopy(MaximumLikelihood):
    """A copy of what a model believes, kept up pair by pair.

    A pair is looked up when it is tried, and besides `IN_TURN` pairs that were tried before, one
    after another: a model that generalises changes its mind of these, too, and one that forgets
    does so unasked.

    Args:
        num_states: how many states.
        num_actions: how many actions in each.
    """

    def __init__(self, num_states: int, num_actions: int) -> None:
        super().__init__(num_states, num_actions)
        self._turn = 0
        self._free: list[int] = []  # nodes that were a pair's, and are no more

    def look_up(self, model: Any, transitions: Transitions) -> None:
        """Take over what the model believes of pairs that were just tried, and of some others."""
        wanted = transitions.observation * self.num_actions + transitions.action
        for pair in dict.fromkeys([*wanted.tolist(), *self._in_turn()]):
            self.put(pair, model.distribution(*divmod(pair, self.num_actions)))

    def _in_turn(self) -> list[int]:
        tried = np.flatnonzero(self.table.visits)
        if not tried.size:
            return []
        places = (self._turn + np.arange(min(IN_TURN, tried.size))) % tried.size
        self._turn = int(places[-1] + 1)
        return [int(pair) for pair in tried[places]]

    def put(self, pair: int, outcomes: Outcomes) -> None:
        """Believe exactly these outcomes of a pair."""
        possible = outcomes.probability > 0
        probability = outcomes.probability[possible]
        nodes = self._nodes(pair, probability.size)
        table = self.table
        table.next_state[nodes] = outcomes.next_observation[possible]
        table.terminated[nodes] = outcomes.terminated[possible]
        table.tally[nodes] = probability
        table.reward_sum[nodes] = probability * outcomes.reward[possible]
        table.weight[pair] = probability.sum()
        first_try = not table.visits[pair]
        note_pair(table.seen, self.num_actions, *divmod(pair, self.num_actions), first_try)
        table.visits[pair] += 1

    def _nodes(self, pair: int, wanted: int) -> IntArray:
        """So many nodes, linked to the pair; those it had and needs no more are free."""
        self.reserve(wanted)
        table, own = self.table, [*self._chain(pair), *self._free]
        more = max(0, wanted - len(own))
        nodes = np.array([*own[:wanted], *range(table.used[0], table.used[0] + more)])
        self._free = own[wanted:]
        table.used[0] += more
        table.head[pair], table.link[nodes[:-1]], table.link[nodes[-1]] = nodes[0], nodes[1:], -1
        return nodes

    def _chain(self, pair: int) -> list[int]:
        chain, node = [], int(self.table.head[pair])
        while node >= 0:
            chain.append(node)
            node = int(self.table.link[node])
        return chain

    def get_state(self) -> dict[str, Any]:
        """The record's arrays, and whose turn it is."""
        return {**super().get_state(), "turn": self._turn, "free": np.array(self._free, np.int64)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if something is missing, of another shape, or leads outside the tables.
        """
        turn, free = int(state["turn"]), [int(node) for node in state["free"]]
        if not all(0 <= node < state["used"][0] for node in free):
            raise ValueError(f"free nodes {free} in a state with {state['used'][0]} nodes")
        super().set_state(state)
        self._turn, self._free = turn, free
