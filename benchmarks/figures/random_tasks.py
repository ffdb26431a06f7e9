"""Random tasks of figure 8.8, expected updates in them, and exact values of greedy policies.

In each state two actions lead to b successors each, all equally likely; each transition terminates
the episode with probability `TERMINATION` instead. Every transition has a reward, also the last.
Nothing is discounted: termination makes the values finite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.agents.core.rng import high_unit, load, low_below, next_word, state_words, store
from dynamaze.agents.exploration import epsilon_greedy
from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled

States = npt.NDArray[np.uint32]
"""States; an unsigned index is faster, as Numba does not test it for being negative."""

ACTIONS = 2
TERMINATION = 0.1
CONTINUATION = 1 - TERMINATION
START = 0
"""The start state of every episode; the states are exchangeable."""


class RandomTask(NamedTuple):
    """A task of S states; the pair of state s and action a has the index 2 s + a."""

    successors: States  # (2 S, b) of each pair
    reward: FloatArray  # (2 S,) expected, that of termination included

    @classmethod
    def sample(cls, states: int, branching: int, rng: np.random.Generator) -> RandomTask:
        """Sample a task.

        Args:
            states: S.
            branching: b, the number of different successors of a pair; at most S.
            rng: the random number generator.

        Raises:
            ValueError: for fewer states than a pair has successors, or no successor.
        """
        if not 1 <= branching <= states:
            raise ValueError(f"branching={branching}, states={states}; expected 1 to {states}")
        pairs = ACTIONS * states
        # The last column is the reward of termination.
        rewards = rng.standard_normal((pairs, branching + 1))
        expected = (
            CONTINUATION * rewards[:, :branching].mean(axis=1) + TERMINATION * rewards[:, branching]
        )
        successors = np.empty((pairs, branching), dtype=np.uint32)
        sample_successors(successors, states, state_words(rng))
        return cls(successors, expected)

    @property
    def states(self) -> int:
        """Number of states S."""
        return self.reward.size // ACTIONS


class EvaluationBuffers(NamedTuple):
    """Work arrays of policy evaluation; the values of one policy initialise those of the next."""

    values: FloatArray  # (S,)
    backed_up: FloatArray  # (S,)
    order: IntArray  # (S,) the states that a policy reaches, the start first
    pairs: IntArray  # (S,) the policy's pair in each of them
    reached: IntArray  # (S,) the last evaluation that reached a state
    number: IntArray  # (1,) of evaluations

    @classmethod
    def allocate(cls, states: int) -> EvaluationBuffers:
        """Allocate the arrays for tasks with this number of states."""
        numbers = [np.zeros(size, dtype=np.int64) for size in (states, states, states, 1)]
        return cls(np.zeros(states), np.zeros(states), *numbers)


def learning_curve(
    task: RandomTask,
    *,
    on_policy: bool,
    evaluations: int,
    updates: int,
    epsilon: float,
    rng: np.random.Generator,
    tolerance: float = 1e-9,
) -> FloatArray:
    """Return (evaluations + 1,) exact values of the start under the greedy policy.

    Args:
        task: the task.
        on_policy: whether updates follow epsilon-greedy episodes, or sweep over all pairs in order.
        evaluations: number of evaluations, after the one before the first update.
        updates: expected updates between two evaluations.
        epsilon: of the episodes.
        rng: of the episodes.
        tolerance: largest error of the values.
    """
    q = np.zeros(ACTIONS * task.states)
    curve = np.empty(evaluations + 1)
    buffers = EvaluationBuffers.allocate(task.states)
    words = state_words(rng)
    plan_and_evaluate(task, q, buffers, on_policy, updates, epsilon, words, tolerance, curve)
    return curve


# -- compiled ----------------------------------------------------------------------------------


@compiled
def sample_successors(successors, states, words):
    """Sample different successors for each pair."""
    rng = load(words)
    for pair in range(successors.shape[0]):
        found = 0
        while found < successors.shape[1]:
            word, rng = next_word(rng)
            candidate = np.int64(low_below(word, states))
            is_new = True
            for place in range(found):
                is_new &= successors[pair, place] != candidate
            if is_new:
                successors[pair, found] = candidate
                found += 1
    store(words, rng)


@compiled
def plan_and_evaluate(task, q, buffers, on_policy, updates, epsilon, words, tolerance, curve):
    """Plan, and evaluate the greedy policy before the first and after every `updates` updates."""
    rng = load(words)
    state, pair = START, 0
    curve[0] = greedy_value(task, q, buffers, tolerance)
    for point in range(1, curve.size):
        if on_policy:
            for _ in range(updates):
                state, rng = update_on_policy(task, q, state, epsilon, rng)
        else:
            for _ in range(updates):
                q[pair] = expected_update(task, q, pair)
                pair = pair + 1 if pair + 1 < q.size else 0
        curve[point] = greedy_value(task, q, buffers, tolerance)
    store(words, rng)


@compiled
def expected_update(task, q, pair):
    """Return the expected update of a pair (Sutton & Barto 2018, p. 172, equation 8.1)."""
    later = 0.0
    branching = task.successors.shape[1]
    for place in range(branching):
        first = ACTIONS * task.successors[pair, place]
        later += max(q[first], q[first + 1])
    return task.reward[pair] + CONTINUATION / branching * later


@compiled
def update_on_policy(task, q, state, epsilon, rng):
    """Take a step of an episode and make the expected update of its pair; return the next state."""
    action, rng = epsilon_greedy(q, ACTIONS * state, ACTIONS, epsilon, rng)
    pair = ACTIONS * state + action
    q[pair] = expected_update(task, q, pair)
    word, rng = next_word(rng)
    if high_unit(word) < TERMINATION:
        return START, rng
    return task.successors[pair, np.int64(low_below(word, task.successors.shape[1]))], rng


@compiled
def greedy_pair(q, state):
    """Return the greedy pair of a state, the first of two equal ones."""
    first = ACTIONS * state
    return first if q[first] >= q[first + 1] else first + 1


@compiled
def states_under_policy(task, q, buffers):
    """List the states that the greedy policy reaches from the start; return their number."""
    # States are marked with the evaluation's number, so that nothing has to be cleared.
    buffers.number[0] += 1
    number = buffers.number[0]
    buffers.order[0] = START
    buffers.reached[START] = number
    count, done = 1, 0
    while done < count:
        pair = greedy_pair(q, buffers.order[done])
        buffers.pairs[done] = pair
        for place in range(task.successors.shape[1]):
            state = task.successors[pair, place]
            if buffers.reached[state] != number:
                buffers.reached[state] = number
                buffers.order[count] = state
                count += 1
        done += 1
    return count


@compiled
def greedy_value(task, q, buffers, tolerance):
    """Return the value of the start under the greedy policy, with an error of at most `tolerance`.

    Iterative policy evaluation over the reachable states, with the bounds of MacQueen (1966).
    """
    count = states_under_policy(task, q, buffers)
    branching = task.successors.shape[1]
    # A sweep that changed values by d in [low, high] is followed by changes of c P d, c^2 P^2 d and
    # so on, where c is the continuation probability: the rest lies between c / (1 - c) times low
    # and c / (1 - c) times high. So the spread of the changes has to be small, not their size.
    rest = CONTINUATION / TERMINATION
    while True:
        low, high = np.inf, -np.inf
        for place in range(count):
            pair = buffers.pairs[place]
            later = 0.0
            for successor in range(branching):
                later += buffers.values[task.successors[pair, successor]]
            buffers.backed_up[place] = task.reward[pair] + CONTINUATION / branching * later
            change = buffers.backed_up[place] - buffers.values[buffers.order[place]]
            low, high = min(low, change), max(high, change)
        shift = rest * (low + high) / 2
        for place in range(count):
            buffers.values[buffers.order[place]] = buffers.backed_up[place] + shift
        if rest * (high - low) / 2 <= tolerance:
            return buffers.values[START]
