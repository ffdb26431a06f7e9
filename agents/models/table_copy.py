"""Table copy of any model with a distribution, for compiled planners."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import IntArray

from ..core.kernels import expected_backup, has_rule, outcome_probability, sample_outcome
from ..core.records import check_indices
from ..core.transitions import Transitions
from .likelihood import GROWING, MaximumLikelihood
from .protocol import Outcomes
from .table import add_pair

REFRESHED_PER_STEP = 8
"""Number of further pairs that are refreshed at each real step."""


def has_lookups(model: Any) -> bool:
    """Return True if compiled code can look up single pairs in the model's own record."""
    if "compiled" not in model.capabilities:
        return False
    table = model.table  # the true model looks for a change of the environment at each access
    return (
        has_rule(outcome_probability, table)
        and has_rule(expected_backup, table)
        and has_rule(sample_outcome, table)
    )


class TableCopy(MaximumLikelihood):
    """Copy of a model's distribution, refreshed pair by pair.

    A pair is refreshed when it is tried, and with it `REFRESHED_PER_STEP` previously tried pairs in
    turn: the predictions of a model that generalises, or forgets, change for these, too.

    Args:
        num_states: number of states.
        num_actions: number of actions in each.
    """

    state_fields: ClassVar = {"table": "", "_turn": "turn", "_free": "free"}
    growing_fields = (*GROWING, "_free")

    def __init__(self, num_states: int, num_actions: int) -> None:
        super().__init__(num_states, num_actions)
        self._turn = 0
        self._free: IntArray = np.zeros(0, dtype=np.int64)  # nodes that no pair uses any more

    def refresh(self, model: Any, transitions: Transitions) -> None:
        """Copy the distributions of pairs that were just tried, and of some others."""
        wanted = transitions.observation * self.num_actions + transitions.action
        for pair in dict.fromkeys([*wanted.tolist(), *self._next_in_turn()]):
            self.put(pair, model.distribution(*divmod(pair, self.num_actions)))

    def _next_in_turn(self) -> list[int]:
        tried = np.flatnonzero(self.table.visits)
        if not tried.size:
            return []
        places = (self._turn + np.arange(min(REFRESHED_PER_STEP, tried.size))) % tried.size
        self._turn = int(places[-1] + 1)
        return [int(pair) for pair in tried[places]]

    def put(self, pair: int, outcomes: Outcomes) -> None:
        """Replace the outcomes of a pair."""
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
        add_pair(table.seen, self.num_actions, *divmod(pair, self.num_actions), first_try)
        table.visits[pair] += 1

    def _nodes(self, pair: int, wanted: int) -> IntArray:
        """Return `wanted` nodes linked to the pair; superfluous nodes become free."""
        self.reserve(wanted)
        table, own = self.table, [*self._chain(pair), *self._free]
        more = max(0, wanted - len(own))
        nodes = np.array([*own[:wanted], *range(table.used[0], table.used[0] + more)])
        self._free = np.array(own[wanted:], dtype=np.int64)
        table.used[0] += more
        table.head[pair], table.link[nodes[:-1]], table.link[nodes[-1]] = nodes[0], nodes[1:], -1
        return nodes

    def _chain(self, pair: int) -> list[int]:
        chain, node = [], int(self.table.head[pair])
        while node >= 0:
            chain.append(node)
            node = int(self.table.link[node])
        return chain

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check the indices of the record and of the free nodes.

        Raises:
            ValueError: for an index out of range.
        """
        super().check_state(restored)
        used = int(restored["table"].used[0])
        check_indices("model", [(restored["_free"], 0, used)])
