"""The random tasks of figure 8.8, expected updates in them, and exact values of greedy policies.

From each state two actions lead to b successors each, all equally likely; each transition ends the
episode with probability `END` instead. Every transition has a reward, also that to the end. Nothing
is discounted: it is the end that makes values finite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.agents.core.rng import high_unit, load, low_below, next_word, state_words, store
from dynamaze.agents.exploration import epsilon_greedy
from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled

Numbers = npt.NDArray[np.uint32]
"""Numbers of states; of a row, unsigned ones are found faster than signed ones."""

ACTIONS = 2
END = 0.1
GOES_ON = 1 - END
START = 0
"""The state in which every episode begins; the states are all alike."""


class Task(NamedTuple):
    """A task of S states; the pair of state s and action a has the number 2 s + a."""

    successors: Numbers  # (2 S, b) of each pair
    reward: FloatArray  # (2 S,) expected, the end included

    @classmethod
    def draw(cls, states: int, branching: int, rng: np.random.Generator) -> Task:
        """A task at random.

        Args:
            states: S.
            branching: b, the number of different successors of a pair; at most S.
            rng: settles it.

        Raises:
            ValueError: for fewer states than a pair has successors, or no successor.
        """
        if not 1 <= branching <= states:
            raise ValueError(f"branching={branching}, states={states}; expected 1 to {states}")
        pairs = ACTIONS * states
        rewards = rng.standard_normal((pairs, branching + 1))  # the last is that of the end
        expected = GOES_ON * rewards[:, :branching].mean(axis=1) + END * rewards[:, branching]
        successors = np.empty((pairs, branching), dtype=np.uint32)
        draw_successors(successors, states, state_words(rng))
        return cls(successors, expected)

    @property
    def states(self) -> int:
        """S."""
        return self.reward.size // ACTIONS


class Evaluation(NamedTuple):
    """Room for evaluating policies; the values of one policy are a start for the next."""

    values: FloatArray  # (S,)
    backed_up: FloatArray  # (S,)
    order: IntArray  # (S,) the states that a policy reaches, the start first
    pairs: IntArray  # (S,) and what it does there
    reached: IntArray  # (S,) the number of the evaluation that reached a state last
    number: IntArray  # (1,)

    @classmethod
    def begin(cls, states: int) -> Evaluation:
        """For tasks of so many states."""
        numbers = [np.zeros(size, dtype=np.int64) for size in (states, states, states, 1)]
        return cls(np.zeros(states), np.zeros(states), *numbers)


def learning_curve(
    task: Task,
    *,
    on_policy: bool,
    moments: int,
    updates: int,
    epsilon: float,
    rng: np.random.Generator,
    tolerance: float = 1e-9,
) -> FloatArray:
    """(moments + 1,) exact values of the start under the greedy policy, as planning goes on.

    Args:
        task: the task.
        on_policy: whether updates are distributed as epsilon-greedy episodes go, or sweep over all
            pairs in their order.
        moments: how many looks, after the one before the first update.
        updates: expected updates between two looks.
        epsilon: of the episodes.
        rng: of the episodes.
        tolerance: how far the values may be from the truth.
    """
    q = np.zeros(ACTIONS * task.states)
    curve = np.empty(moments + 1)
    room = Evaluation.begin(task.states)
    follow_planning(task, q, room, on_policy, updates, epsilon, state_words(rng), tolerance, curve)
    return curve


# -- compiled ----------------------------------------------------------------------------------


@compiled
def draw_successors(successors, states, words):
    """Fill in different successors for each pair."""
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
def follow_planning(task, q, room, on_policy, updates, epsilon, words, tolerance, curve):
    """Plan, and look at the greedy policy before the first update and after every `updates`."""
    rng = load(words)
    state, pair = START, 0
    curve[0] = greedy_value(task, q, room, tolerance)
    for moment in range(1, curve.size):
        if on_policy:
            for _ in range(updates):
                state, rng = update_on_policy(task, q, state, epsilon, rng)
        else:
            for _ in range(updates):
                q[pair] = expected_update(task, q, pair)
                pair = pair + 1 if pair + 1 < q.size else 0
        curve[moment] = greedy_value(task, q, room, tolerance)
    store(words, rng)


@compiled
def expected_update(task, q, pair):
    """What a pair is worth by the values of its successors (Sutton & Barto 2018, p. 172)."""
    later = 0.0
    branching = task.successors.shape[1]
    for place in range(branching):
        first = ACTIONS * task.successors[pair, place]
        later += max(q[first], q[first + 1])
    return task.reward[pair] + GOES_ON / branching * later


@compiled
def update_on_policy(task, q, state, epsilon, rng):
    """One step of an episode, with the expected update of its pair; the state after it."""
    action, rng = epsilon_greedy(q, ACTIONS * state, ACTIONS, epsilon, rng)
    pair = ACTIONS * state + action
    q[pair] = expected_update(task, q, pair)
    word, rng = next_word(rng)
    if high_unit(word) < END:
        return START, rng
    return task.successors[pair, np.int64(low_below(word, task.successors.shape[1]))], rng


@compiled
def greedy_pair(q, state):
    """A state's better pair, the first of two that are equally good."""
    first = ACTIONS * state
    return first if q[first] >= q[first + 1] else first + 1


@compiled
def reach(task, q, room):
    """Put in order the states that the greedy policy reaches from the start; how many."""
    room.number[0] += 1
    number = room.number[0]
    room.order[0] = START
    room.reached[START] = number
    count, done = 1, 0
    while done < count:
        pair = greedy_pair(q, room.order[done])
        room.pairs[done] = pair
        for place in range(task.successors.shape[1]):
            state = task.successors[pair, place]
            if room.reached[state] != number:
                room.reached[state] = number
                room.order[count] = state
                count += 1
        done += 1
    return count


@compiled
def greedy_value(task, q, room, tolerance):
    """The value of the start under the greedy policy, at most `tolerance` from the truth.

    Sweeps go over what the policy reaches. With probability GOES_ON a step leads on, so a sweep
    that changed values by d in [low, high] is followed by changes of GOES_ON P d, GOES_ON^2 P^2 d
    and so on: all that is still missing lies between GOES_ON / END times low and as much times
    high (MacQueen 1966). It is the spread of the changes, not their size, that must be small.
    """
    count = reach(task, q, room)
    branching = task.successors.shape[1]
    missing = GOES_ON / END
    while True:
        low, high = np.inf, -np.inf
        for place in range(count):
            pair = room.pairs[place]
            later = 0.0
            for successor in range(branching):
                later += room.values[task.successors[pair, successor]]
            room.backed_up[place] = task.reward[pair] + GOES_ON / branching * later
            change = room.backed_up[place] - room.values[room.order[place]]
            low, high = min(low, change), max(high, change)
        shift = missing * (low + high) / 2
        for place in range(count):
            room.values[room.order[place]] = room.backed_up[place] + shift
        if missing * (high - low) / 2 <= tolerance:
            return room.values[START]
