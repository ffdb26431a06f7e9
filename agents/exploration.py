"""Exploration: epsilon-greedy action selection, and the action-time bonus of exercise 8.4."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from .core.kernels import choose, rules
from .core.records import Stateful
from .core.rng import high_unit, load, low_below, next_word, state_words, store
from .core.transitions import Transitions
from .models.bonus import VisitTimes, record_visit, record_visits, time_bonus


class Exploration(Protocol):
    """Protocol of an agent's exploration policy."""

    def choose(self, values: FloatArray, observation: int, rng: np.random.Generator) -> int:
        """Return an action for the (actions,) values of an observation."""

    def probabilities(self, values: FloatArray, observations: IntArray) -> FloatArray:
        """Return the (batch, actions) action probabilities for (batch, actions) values."""

    def update(self, transitions: Transitions) -> None:
        """Record real experience."""

    def get_state(self) -> dict[str, Any]:
        """Return arrays and numbers for `set_state`."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`."""


class EpsilonGreedy(Stateful):
    """Epsilon-greedy policy: a random action with probability epsilon, else a greedy one.

    Sutton & Barto 2018, section 2.2. Ties are broken at random.

    Args:
        epsilon: probability of a random action, in [0, 1].

    Attributes:
        rule: the record for the compiled rule.

    Raises:
        ValueError: if it is outside its range.
    """

    rule: Any

    def __init__(self, epsilon: float) -> None:
        self.rule = EpsilonGreedyRule(checked_number("epsilon", epsilon, 0, 1))

    def choose(self, values: FloatArray, observation: int, rng: np.random.Generator) -> int:
        """Return an action for the (actions,) values of an observation."""
        return int(choose_once(self.rule, values, observation, state_words(rng)))

    def probabilities(self, values: FloatArray, observations: IntArray) -> FloatArray:
        """Return the (batch, actions) action probabilities."""
        return epsilon_greedy_probabilities(values, self.rule.epsilon)

    def update(self, transitions: Transitions) -> None:
        """Do nothing; the policy has no memory."""


class EpsilonGreedyRule(NamedTuple):
    """Record for the compiled rule."""

    epsilon: float


class ActionTimeBonus(EpsilonGreedy):
    """Epsilon-greedy on Q(s, a) + kappa * sqrt(tau): the bonus of exercise 8.4 (p. 168).

    The stored values are without the bonus. tau is the number of real steps since the pair was
    last tried.

    Args:
        num_states: number of states.
        num_actions: number of actions in each state.
        epsilon: probability of a random action, in [0, 1]; 0 in the exercise.
        kappa: weight of the bonus, at least 0.

    Raises:
        ValueError: if epsilon or kappa is outside its range.
    """

    state_fields: ClassVar = {"times": ""}

    def __init__(self, num_states: int, num_actions: int, *, epsilon: float, kappa: float) -> None:
        self.rule = ActionTimeBonusRule(
            VisitTimes.begin(num_states, num_actions),
            np.zeros(num_actions),
            checked_number("epsilon", epsilon, 0, 1),
            checked_number("kappa", kappa, 0),
        )

    @property
    def times(self) -> VisitTimes:
        """The times of the last tries."""
        times: VisitTimes = self.rule.times
        return times

    @times.setter
    def times(self, times: VisitTimes) -> None:
        self.rule = self.rule._replace(times=times)

    def probabilities(self, values: FloatArray, observations: IntArray) -> FloatArray:
        """Return the (batch, actions) action probabilities at the present time."""
        times, num_actions = self.times, values.shape[-1]
        pairs = observations[:, None] * num_actions + np.arange(num_actions)
        bonus = self.rule.kappa * np.sqrt(times.clock[0] - times.last_tried[pairs])
        return epsilon_greedy_probabilities(values + bonus, self.rule.epsilon)

    def update(self, transitions: Transitions) -> None:
        """Record when each pair was tried."""
        record_visits(self.times, transitions, self.rule.optimistic.size)


class ActionTimeBonusRule(NamedTuple):
    """Record for the compiled rule."""

    times: VisitTimes
    optimistic: FloatArray  # (actions,) values plus bonus; work space of the rule
    epsilon: float
    kappa: float


def epsilon_greedy_probabilities(values: FloatArray, epsilon: float) -> FloatArray:
    """Return (batch, actions) epsilon-greedy probabilities; greedy actions share theirs equally."""
    best = values == values.max(axis=-1, keepdims=True)
    greedy = best / best.sum(axis=-1, keepdims=True)
    probabilities: FloatArray = (1 - epsilon) * greedy + epsilon / values.shape[-1]
    return probabilities


@compiled
def random_argmax(values, first, num_actions, word):
    """Return the index of a largest value in a row; the lower half of a random word breaks ties."""
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
    """Return an epsilon-greedy action and the generator's state.

    One random word decides: its upper half whether to explore, its lower half which action.
    """
    word, rng = next_word(rng)
    if high_unit(word) < epsilon:
        return np.int64(low_below(word, num_actions)), rng
    if num_actions == 4:  # a constant lets the compiler unroll the loops
        return random_argmax(values, first, 4, word), rng
    return random_argmax(values, first, num_actions, word), rng


@compiled
def choose_epsilon_greedy(exploration, values, first, num_actions, state, rng):
    """Choose epsilon-greedily in the row of values that starts at `first`."""
    return epsilon_greedy(values, first, num_actions, exploration.epsilon, rng)


rules(EpsilonGreedyRule, choose=choose_epsilon_greedy)


@compiled
def choose_by_time_bonus(exploration, values, first, num_actions, state, rng):
    """Choose epsilon-greedily by values plus bonus in the row that starts at `first`."""
    for action in range(num_actions):
        bonus = time_bonus(exploration.times, state * num_actions + action, exploration.kappa)
        exploration.optimistic[action] = values[first + action] + bonus  # Q(s, a) + kappa sqrt(tau)
    return epsilon_greedy(exploration.optimistic, 0, num_actions, exploration.epsilon, rng)


@compiled
def record_time(exploration, pair):
    """Record the time at which a pair was tried."""
    record_visit(exploration.times, pair)


rules(
    ActionTimeBonusRule,
    choose=choose_by_time_bonus,
    record_step=record_time,
)


@compiled
def choose_once(exploration, values, state, words):
    """Apply the compiled exploration rule to the (actions,) values of one state."""
    action, rng = choose(exploration, values, 0, values.size, state, load(words))
    store(words, rng)
    return action
