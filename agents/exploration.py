"""How action values become an action."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from .core.kernels import choose, note, rule
from .core.recency import TriedTimes, note_all_tried, note_tried, time_bonus
from .core.records import flatten, restore
from .core.rng import high_unit, load, low_below, next_word, state_words, store
from .core.transitions import Transitions


class Exploration(Protocol):
    """What an agent needs to act."""

    def choose(self, values: FloatArray, observation: int, rng: np.random.Generator) -> int:
        """An action, given the (actions,) values of an observation."""

    def probabilities(self, values: FloatArray, observations: IntArray) -> FloatArray:
        """(batch, actions) how likely each choice is, given the (batch, actions) values."""

    def update(self, transitions: Transitions) -> None:
        """Take note of real experience."""

    def get_state(self) -> dict[str, Any]:
        """Arrays and numbers that `set_state` takes back."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""


class EpsilonGreedyRule(NamedTuple):
    """What the compiled rule needs."""

    epsilon: float


class EpsilonGreedy:
    """With probability epsilon any action, otherwise one of the best, ties broken at random.

    Sutton & Barto 2018, section 2.2.

    Args:
        epsilon: in [0, 1].

    Raises:
        ValueError: if it is outside.
    """

    def __init__(self, epsilon: float) -> None:
        self.rule = EpsilonGreedyRule(checked_number("epsilon", epsilon, 0, 1))

    def choose(self, values: FloatArray, observation: int, rng: np.random.Generator) -> int:
        """An action, given the (actions,) values of an observation."""
        return int(choose_once(self.rule, values, observation, state_words(rng)))

    def probabilities(self, values: FloatArray, observations: IntArray) -> FloatArray:
        """(batch, actions) how likely each choice is."""
        return epsilon_greedy_probabilities(values, self.rule.epsilon)

    def update(self, transitions: Transitions) -> None:
        """It remembers nothing."""

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""


class ActionTimeBonusRule(NamedTuple):
    """What the compiled rule needs."""

    times: TriedTimes
    optimistic: FloatArray  # (actions,) values with their bonus; room for the rule to work in
    epsilon: float
    kappa: float


class ActionTimeBonus:
    """Epsilon-greedy on Q(s, a) + kappa * sqrt(tau): the bonus of exercise 8.4 (p. 168).

    The values themselves know nothing of the bonus. tau is the number of real steps since the
    pair was last tried.

    Args:
        num_states: how many states.
        num_actions: how many actions in each.
        epsilon: in [0, 1]; the exercise has 0.
        kappa: weight of the bonus, at least 0.

    Raises:
        ValueError: if epsilon or kappa is outside its range.
    """

    def __init__(self, num_states: int, num_actions: int, *, epsilon: float, kappa: float) -> None:
        self.rule = ActionTimeBonusRule(
            TriedTimes.begin(num_states, num_actions),
            np.zeros(num_actions),
            checked_number("epsilon", epsilon, 0, 1),
            checked_number("kappa", kappa, 0),
        )

    def choose(self, values: FloatArray, observation: int, rng: np.random.Generator) -> int:
        """An action, given the (actions,) values of an observation."""
        return int(choose_once(self.rule, values, observation, state_words(rng)))

    def probabilities(self, values: FloatArray, observations: IntArray) -> FloatArray:
        """(batch, actions) how likely each choice is now."""
        times, num_actions = self.rule.times, values.shape[-1]
        pairs = observations[:, None] * num_actions + np.arange(num_actions)
        bonus = self.rule.kappa * np.sqrt(times.clock[0] - times.last_tried[pairs])
        return epsilon_greedy_probabilities(values + bonus, self.rule.epsilon)

    def update(self, transitions: Transitions) -> None:
        """Note when each pair was tried."""
        note_all_tried(self.rule.times, transitions, self.rule.optimistic.size)

    def get_state(self) -> dict[str, Any]:
        """The times."""
        return flatten(self.rule.times)

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back the times."""
        self.rule = self.rule._replace(times=restore(self.rule.times, state))


def epsilon_greedy_probabilities(values: FloatArray, epsilon: float) -> FloatArray:
    """(batch, actions) probabilities of the epsilon-greedy choice, ties sharing alike."""
    best = values == values.max(axis=-1, keepdims=True)
    greedy = best / best.sum(axis=-1, keepdims=True)
    probabilities: FloatArray = (1 - epsilon) * greedy + epsilon / values.shape[-1]
    return probabilities


@compiled
def random_argmax(values, first, num_actions, word):
    """The number of a largest value in a row, ties broken by the lower half of a word."""
    best = values[first]
    ties = 1
    for action in range(1, num_actions):
        value = values[first + action]
        if value > best:
            best = value
            ties = 1
        elif value == best:
            ties += 1
    skip = np.int64(low_below(word, ties))
    for action in range(num_actions):
        if values[first + action] == best:
            if skip == 0:
                return action
            skip -= 1
    return 0  # only where a value is NaN


@compiled
def epsilon_greedy(values, first, num_actions, epsilon, rng):
    """An action and the generator's state; one word decides.

    Its upper half says whether to explore, its lower half which action.
    """
    word, rng = next_word(rng)
    if high_unit(word) < epsilon:
        return np.int64(low_below(word, num_actions)), rng
    if num_actions == 4:  # a constant lets the compiler unroll the loops
        return random_argmax(values, first, 4, word), rng
    return random_argmax(values, first, num_actions, word), rng


@rule(choose, EpsilonGreedyRule)
@compiled
def choose_epsilon_greedy(exploration, values, first, num_actions, state, rng):
    """The rule on the row of values that begins at `first`."""
    return epsilon_greedy(values, first, num_actions, exploration.epsilon, rng)


@rule(note, EpsilonGreedyRule)
@compiled
def note_nothing(exploration, pair):
    """It remembers nothing."""


@rule(choose, ActionTimeBonusRule)
@compiled
def choose_by_time_bonus(exploration, values, first, num_actions, state, rng):
    """The rule on the row of values that begins at `first`, each with its bonus."""
    for action in range(num_actions):
        bonus = time_bonus(exploration.times, state * num_actions + action, exploration.kappa)
        exploration.optimistic[action] = values[first + action] + bonus
    return epsilon_greedy(exploration.optimistic, 0, num_actions, exploration.epsilon, rng)


@rule(note, ActionTimeBonusRule)
@compiled
def note_time(exploration, pair):
    """Note when a pair was tried."""
    note_tried(exploration.times, pair)


@compiled
def choose_once(exploration, values, state, words):
    """The rule of `choose` on the (actions,) values of one state."""
    action, rng = choose(exploration, values, 0, values.size, state, load(words))
    store(words, rng)
    return action
