"""Compiled temporal-difference search: Sarsa(lambda) on what the table of a model imagines."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..core.kernels import follow
from ..core.rng import load, store
from ..exploration import epsilon_greedy

NEGLIGIBLE_TRACE = 1e-3


class Search(NamedTuple):
    """How simulated episodes are made, and how they are learned from."""

    episodes: int
    depth: int  # steps of an episode at most
    epsilon: float
    learning_rate: float
    trace_decay: float


class Path(NamedTuple):
    """What compiled code remembers of a simulated episode, and room to work in."""

    pairs: Any  # (depth,) uint64, in their order
    latest: IntArray  # (states * actions,) the number of the step that tried each pair last
    both: FloatArray  # (actions,) permanent and transient values of a state together


@compiled_with_arrays
def search_by_td(model, search, permanent, transient, row, num_actions, gamma, words):
    """Learn from simulated episodes that begin in a row.

    Args:
        model: the record of a table.
        search: a `Search`.
        permanent: (states * actions,) values that stay as they are.
        transient: (states * actions,) values that are added to them and learn.
        row: where the episodes begin.
        num_actions: int64.
        gamma: the discount.
        words: of the random numbers.

    Returns:
        How many steps were simulated.
    """
    path = Path(
        np.empty(search.depth, dtype=np.uint64),
        np.zeros(transient.size, dtype=np.int64),
        np.empty(num_actions),
    )
    rng, steps = load(words), 0
    for _ in range(search.episodes):
        taken, rng = _episode(
            model, search, permanent, transient, row, num_actions, gamma, path, steps, rng
        )
        steps += taken
    store(words, rng)
    return steps


@compiled
def _episode(model, search, permanent, transient, row, num_actions, gamma, path, before, rng):
    """One simulated episode; how many steps it took, and the generator's state."""
    columns, state = np.uint64(num_actions), np.uint64(row)
    action, rng = _choose(search, permanent, transient, state, columns, path.both, rng)
    for step in range(search.depth):
        pair = state * columns + np.uint64(action)
        path.pairs[step], path.latest[pair] = pair, before + step + 1
        reward, following, terminated, rng = follow(model, columns, pair, rng)
        error = reward - permanent[pair] - transient[pair]
        if not terminated:
            state = np.uint64(following)
            action, rng = _choose(search, permanent, transient, state, columns, path.both, rng)
            then = state * columns + np.uint64(action)
            error += gamma * (permanent[then] + transient[then])
        _learn(search, transient, path, before, step, error, gamma)
        if terminated:
            return step + 1, rng
    return search.depth, rng


@compiled
def _choose(search, permanent, transient, state, columns, both, rng):
    """Epsilon-greedy by the two memories together."""
    first = state * columns
    for action in range(columns):
        both[action] = permanent[first + action] + transient[first + action]
    return epsilon_greedy(both, 0, both.size, search.epsilon, rng)


@compiled
def _learn(search, transient, path, before, step, error, gamma):
    """Change the pairs of an episode by an error, each by its (replacing) trace."""
    change = search.learning_rate * error
    least = NEGLIGIBLE_TRACE * abs(change)
    place = step
    while place >= 0 and abs(change) > least:
        pair = path.pairs[place]
        if path.latest[pair] == before + place + 1:  # not visited again since
            transient[pair] += change
        change *= gamma * search.trace_decay
        place -= 1
