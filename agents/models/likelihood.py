"""Maximum-likelihood models: outcome counts, plain or exponentially discounted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ..core.kernels import append_state, rules
from ..core.records import with_capacity
from ..core.rng import high_unit, next_word
from ..values.table import target
from .protocol import Outcomes
from .table import (
    INITIAL_CAPACITY,
    TABLE_PROMISES,
    TableModel,
    VisitedPairs,
    add_pair,
    sample_visited,
)

MIN_TALLY = 1e-15

GROWING: tuple[str, ...] = ("link", "next_state", "terminated", "tally", "reward_sum")
"""Columns of the record that grow with experience."""


class MaximumLikelihood(TableModel):
    """Maximum-likelihood model: P(s'|s,a) = N(s,a,s') / N(s,a), and each outcome's mean reward.

    Suited to stochastic environments that do not change; old counts delay the notice of a change.

    Sutton & Barto 2018, section 8.1 (distribution models) and exercise 8.5; certainty equivalence.
    """

    promises = TABLE_PROMISES | {"represents_chance", "order_does_not_matter"}
    growing_fields = GROWING

    def _begin(self, include_untried: bool) -> Any:
        pairs = self.num_states * self.num_actions
        return LikelihoodTable(
            VisitedPairs.begin(self.num_states, self.num_actions, include_untried),
            np.zeros(pairs, dtype=np.int64),
            np.full(pairs, -1, dtype=np.int64),
            np.full(INITIAL_CAPACITY, -1, dtype=np.int64),
            np.zeros(INITIAL_CAPACITY, dtype=np.int64),
            np.zeros(INITIAL_CAPACITY, dtype=np.bool_),
            np.zeros(INITIAL_CAPACITY),
            np.zeros(INITIAL_CAPACITY),
            np.zeros(1, dtype=np.int64),
            np.zeros(pairs),
            1.0,
        )

    def reserve(self, transitions: int) -> None:
        """Reserve capacity for this number of further transitions."""
        capacity = int(self.table.used[0]) + transitions
        self.table = with_capacity(self.table, GROWING, capacity)

    def _indices(self, table: Any) -> list[tuple[IntArray, int, int]]:
        used = int(table.used[0])
        return [
            *super()._indices(table),
            (table.used, 0, table.link.size + 1),
            (table.head, -1, used),
            (table.link[:used], -1, used),
        ]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the outcomes of a pair with their relative frequencies."""
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


class ForgettingLikelihood(MaximumLikelihood):
    """Maximum-likelihood model with exponentially discounted counts.

    Suited to stochastic environments that change.

    With each visit of a pair its earlier counts are multiplied by the decay: the frequencies are
    exponentially recency-weighted averages (Sutton & Barto 2018, equation 2.6, with the step size
    1 - decay once counts are large). Discounted counts in non-stationary problems: Garivier and
    Moulines (2011), section 2.

    Args:
        num_states: number of states.
        num_actions: number of actions in each.
        include_untried: allow draws of untried actions of visited states.
        decay: the factor, in (0, 1]; 1 forgets nothing. The effective window is
            1 / (1 - decay) visits.

    Raises:
        ValueError: for a decay outside its range.
    """

    promises = TABLE_PROMISES | {"adapts"}
    adapts_within = 7  # 0.9 ** 7 < 1/2: the new outcome outweighs all that was before

    def __init__(
        self,
        num_states: int,
        num_actions: int,
        *,
        include_untried: bool = False,
        decay: float = 0.9,
    ) -> None:
        self.decay = checked_number("decay", decay, 0, 1, above=True)
        super().__init__(num_states, num_actions, include_untried=include_untried)

    def _begin(self, include_untried: bool) -> Any:
        return super()._begin(include_untried)._replace(decay=self.decay)


class LikelihoodTable(NamedTuple):
    """Record, changed in place; the outcomes of each pair are a linked list of nodes in a pool."""

    seen: VisitedPairs
    visits: IntArray  # (states * actions,) N(s, a)
    head: IntArray  # (states * actions,) the pair's first node, -1 without
    link: IntArray  # (capacity,) the next node of the same pair, -1 at the end
    next_state: IntArray  # (capacity,)
    terminated: BoolArray  # (capacity,)
    tally: FloatArray  # (capacity,) count of this outcome, discounted if counts are
    reward_sum: FloatArray  # (capacity,) sum of its rewards, discounted like the tally
    used: IntArray  # (1,) nodes in use
    weight: FloatArray  # (states * actions,) sum of the pair's tallies
    decay: float  # factor on a pair's tallies at each visit; 1 for plain counts

    @property
    def has_independent_pairs(self) -> bool:
        """True for plain counts: then only a pair's own new outcomes change its prediction."""
        return self.decay == 1.0


@compiled
def update_likelihood(table, num_actions, state, action, reward, next_state, terminated):
    """Count an outcome."""
    pair = state * num_actions + action
    add_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
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
    """Discount a pair's tallies by the decay."""
    table.weight[pair] *= table.decay
    node = table.head[pair]
    while node >= 0:
        if table.tally[node] > MIN_TALLY:  # else a mean reward might become 0 / 0
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


@compiled
def likelihood_probability(table, num_actions, pair, next_state, terminated):
    """Return the relative frequency of an outcome, the entropy and the total weight."""
    probability, entropy = 0.0, 0.0
    node = table.head[pair]
    while node >= 0:
        each = table.tally[node] / table.weight[pair]
        entropy -= each * np.log(each)
        if table.next_state[node] == next_state and table.terminated[node] == terminated:
            probability = each
        node = table.link[node]
    return probability, entropy, table.weight[pair]


@compiled
def sample_likelihood_outcome(table, num_actions, pair, rng):
    """Sample one of a pair's outcomes by its frequency."""
    node = table.head[pair]
    if node < 0:  # untried
        return 0.0, np.int64(pair // num_actions), False, rng
    if table.link[node] >= 0:
        word, rng = next_word(rng)
        left = high_unit(word) * table.weight[pair] - table.tally[node]
        while left >= 0.0 and table.link[node] >= 0:  # rounding: discounted tallies may not add up
            node = table.link[node]
            left -= table.tally[node]
    mean = table.reward_sum[node] / table.tally[node]
    return mean, table.next_state[node], table.terminated[node], rng


@compiled
def likelihood_backup(table, num_actions, pair, q, gamma):
    """Return the frequency-weighted backup of a pair's outcomes."""
    columns = np.uint64(num_actions)
    node = table.head[pair]
    if node < 0:
        return target(q, columns, 0.0, pair // num_actions, False, gamma)
    # sum of p(s', r | s, a) [r + gamma max_a' Q(s', a')]
    total, weight = 0.0, 0.0
    while node >= 0:
        mean = table.reward_sum[node] / table.tally[node]
        worth = target(q, columns, mean, table.next_state[node], table.terminated[node], gamma)
        total += table.tally[node] * worth
        weight += table.tally[node]
        node = table.link[node]
    return total / weight


@compiled
def append_outcomes(table, num_actions, pair, steps, order, count):
    """Append the next states of a pair's outcomes that did not end the episode."""
    node = table.head[pair]
    while node >= 0:
        if not table.terminated[node]:
            count = append_state(table.next_state[node], pair // num_actions, steps, order, count)
        node = table.link[node]
    return count


rules(
    LikelihoodTable,
    append_next_states=append_outcomes,
    update_model=update_likelihood,
    outcome_probability=likelihood_probability,
    sample_outcome=sample_likelihood_outcome,
    expected_backup=likelihood_backup,
    sample_transition=sample_visited,
)
