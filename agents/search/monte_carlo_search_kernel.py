"""Compiled rollouts in the table of a model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..core.kernels import choose, follow, rule
from ..core.rng import high_unit, load, next_word, store
from ..values.table import row_max


class PolicyRule(NamedTuple):
    """A policy that is known by its probabilities."""

    probability: FloatArray  # (states * actions,)


@rule(choose, PolicyRule)
@compiled
def choose_by_policy(policy, values, first, num_actions, state, rng):
    """An action of the policy, whose row begins where that of the values does."""
    word, rng = next_word(rng)
    left = high_unit(word) - policy.probability[first]
    action = 0
    while left >= 0.0 and action < num_actions - 1:  # probabilities may not quite add up
        action += 1
        left -= policy.probability[first + action]
    return action, rng


@compiled_with_arrays
def roll_out(model, policy, q, leaves, rows, num_actions, simulations, depth, gamma, words):
    """Mean returns of simulations that begin with each action in turn.

    Args:
        model: the record of a table.
        policy: a record with a rule for `choose`.
        q: (states * actions,) the values that the policy looks at.
        leaves: (states * actions,) whose row-wise maxima are worth what follows after `depth`.
        rows: (batch,) where simulations begin.
        num_actions: int64.
        simulations: of each row, at least as many as actions.
        depth: steps of a simulation, at least 1.
        gamma: the discount.
        words: of the random numbers.

    Returns:
        (batch, actions).
    """
    total = np.zeros((rows.size, num_actions))
    rng = load(words)
    for i in range(rows.size):
        for simulation in range(simulations):
            first = simulation % num_actions
            gained, rng = _rollout(
                model, policy, q, leaves, rows[i], first, num_actions, depth, gamma, rng
            )
            total[i, first] += gained
        for action in range(num_actions):
            total[i, action] /= (simulations - action + num_actions - 1) // num_actions
    store(words, rng)
    return total


@compiled
def _rollout(model, policy, q, leaves, state, action, num_actions, depth, gamma, rng):
    """The discounted return of one simulation, and the generator's state."""
    columns = np.uint64(num_actions)
    gained, discount = 0.0, 1.0
    for step in range(depth):
        if step > 0:
            action, rng = choose(policy, q, state * num_actions, num_actions, state, rng)
        pair = np.uint64(state) * columns + np.uint64(action)
        reward, state, terminated, rng = follow(model, columns, pair, rng)
        gained += discount * reward
        discount *= gamma
        if terminated:
            return gained, rng
    return gained + discount * row_max(leaves, np.uint64(state) * columns, columns), rng
