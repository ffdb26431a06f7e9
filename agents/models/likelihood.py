"""The maximum-likelihood model: what happened, as often as it happened."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled

from ..core.kernels import believe, draw, expect, follow, observe, rule
from ..core.records import with_room
from ..core.rng import high_unit, next_word
from ..values.table import target
from .protocol import Outcomes
from .table import TableModel
from .visited_pairs import SeenPairs, draw_pair, note_pair

_FIRST_ROOM = 64
_NEXT_TO_NOTHING = 1e-15


class LikelihoodTable(NamedTuple):
    """Changed in place. Each pair's outcomes are a linked list of nodes in a pool."""

    seen: SeenPairs
    visits: IntArray  # (states * actions,) N(s, a)
    head: IntArray  # (states * actions,) the pair's first node, -1 without
    link: IntArray  # (room,) the next node of the same pair, -1 at the end
    next_state: IntArray  # (room,)
    terminated: BoolArray  # (room,)
    tally: FloatArray  # (room,) how often this outcome happened, faded where counts fade
    reward_sum: FloatArray  # (room,) faded alike
    used: IntArray  # (1,) nodes in use
    weight: FloatArray  # (states * actions,) the pair's tallies together
    decay: float  # by which a pair's tallies are multiplied with each visit; 1 for plain counts


class MaximumLikelihood(TableModel[LikelihoodTable]):
    """Counts outcomes: P(s'|s,a) = N(s,a,s') / N(s,a), and the mean reward of each.

    Sutton & Barto 2018, section 8.1 (distribution models) and exercise 8.5; certainty equivalence.
    """

    promises: ClassVar[frozenset[str]] = frozenset(
        {
            "exact_when_deterministic",
            "represents_chance",
            "order_does_not_matter",
            "batch_as_rows",
            "samples_only_seen",
            "samples_all_seen",
        }
    )
    growing: ClassVar[tuple[str, ...]] = (
        "link",
        "next_state",
        "terminated",
        "tally",
        "reward_sum",
    )

    def _begin(self, include_untried: bool) -> LikelihoodTable:
        pairs = self.num_states * self.num_actions
        return LikelihoodTable(
            SeenPairs.begin(self.num_states, self.num_actions, include_untried),
            np.zeros(pairs, dtype=np.int64),
            np.full(pairs, -1, dtype=np.int64),
            np.full(_FIRST_ROOM, -1, dtype=np.int64),
            np.zeros(_FIRST_ROOM, dtype=np.int64),
            np.zeros(_FIRST_ROOM, dtype=np.bool_),
            np.zeros(_FIRST_ROOM),
            np.zeros(_FIRST_ROOM),
            np.zeros(1, dtype=np.int64),
            np.zeros(pairs),
            1.0,
        )

    def reserve(self, transitions: int) -> None:
        """Make room for so many further transitions."""
        room = int(self.table.used[0]) + transitions
        self.table = with_room(self.table, self.growing, room)

    def _indices(self, table: LikelihoodTable) -> list[tuple[IntArray, int, int]]:
        used = int(table.used[0])
        return [
            *super()._indices(table),
            (table.used, 0, table.link.size + 1),
            (table.head, -1, used),
            (table.link[:used], -1, used),
        ]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What happened to a pair, by its frequency."""
        table = self.table
        nodes = []
        node = int(table.head[self.pair(observation, action)])
        while node >= 0:
            nodes.append(node)
            node = int(table.link[node])
        if not nodes:
            return Outcomes.unknown(observation)
        counts = table.tally[nodes]
        return Outcomes(
            table.next_state[nodes],
            counts / counts.sum(),
            table.reward_sum[nodes] / counts,
            table.terminated[nodes],
        )


@rule(observe, LikelihoodTable)
@compiled
def observe_likelihood(table, num_actions, state, action, reward, next_state, terminated):
    """Count an outcome."""
    pair = state * num_actions + action
    note_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
    table.visits[pair] += 1
    if table.decay < 1.0:
        _fade(table, pair)
    table.weight[pair] += 1.0
    node = table.head[pair]
    while node >= 0 and not (
        table.next_state[node] == next_state and table.terminated[node] == terminated
    ):
        node = table.link[node]
    if node < 0:
        node = _new_node(table, pair)
        table.next_state[node] = next_state
        table.terminated[node] = terminated
    table.tally[node] += 1.0
    table.reward_sum[node] += reward


@compiled
def _fade(table, pair):
    """Multiply a pair's tallies; what is next to nothing stays, lest a mean become 0 / 0."""
    table.weight[pair] *= table.decay
    node = table.head[pair]
    while node >= 0:
        if table.tally[node] > _NEXT_TO_NOTHING:
            table.tally[node] *= table.decay
            table.reward_sum[node] *= table.decay
        node = table.link[node]


@compiled
def _new_node(table, pair):
    node = table.used[0]
    table.used[0] += 1
    table.link[node] = table.head[pair]
    table.head[pair] = node
    table.tally[node] = 0.0
    table.reward_sum[node] = 0.0
    return node


@rule(believe, LikelihoodTable)
@compiled
def believe_likelihood(table, num_actions, pair, next_state, terminated):
    """The frequency of an outcome."""
    probability, entropy = 0.0, 0.0
    node = table.head[pair]
    while node >= 0:
        each = table.tally[node] / table.weight[pair]
        entropy -= each * np.log(each)
        if table.next_state[node] == next_state and table.terminated[node] == terminated:
            probability = each
        node = table.link[node]
    return probability, entropy, table.weight[pair]


@rule(follow, LikelihoodTable)
@compiled
def follow_likelihood(table, num_actions, pair, rng):
    """Draw one of a pair's outcomes by its frequency."""
    node = table.head[pair]
    if node < 0:  # untried
        return 0.0, np.int64(pair // num_actions), False, rng
    if table.link[node] >= 0:
        word, rng = next_word(rng)
        left = high_unit(word) * table.weight[pair] - table.tally[node]
        while left >= 0.0 and table.link[node] >= 0:  # faded tallies may not quite add up
            node = table.link[node]
            left -= table.tally[node]
    mean = table.reward_sum[node] / table.tally[node]
    return mean, table.next_state[node], table.terminated[node], rng


@rule(expect, LikelihoodTable)
@compiled
def expect_likelihood(table, num_actions, pair, q, gamma):
    """What a pair's outcomes are worth, each by its frequency."""
    columns = np.uint64(num_actions)
    node = table.head[pair]
    if node < 0:
        return target(q, columns, 0.0, pair // num_actions, False, gamma)
    total, weight = 0.0, 0.0
    while node >= 0:
        mean = table.reward_sum[node] / table.tally[node]
        worth = target(q, columns, mean, table.next_state[node], table.terminated[node], gamma)
        total += table.tally[node] * worth
        weight += table.tally[node]
        node = table.link[node]
    return total / weight


@rule(draw, LikelihoodTable)
@compiled
def draw_likelihood(table, num_actions, rng):
    """Draw a pair, then one of its outcomes."""
    pair, rng = draw_pair(table.seen, num_actions, rng)
    reward, next_state, terminated, rng = follow_likelihood(table, num_actions, pair, rng)
    return pair, reward, next_state, terminated, rng
