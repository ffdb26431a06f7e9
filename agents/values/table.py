"""Table of action values, and the Q-learning update."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import check_entries, checked_number

from ..core.records import Stateful
from ..core.spaces import Spaces, TableRows, count_actions
from ..core.transitions import Transitions, check_integers, first_outside, outside_table


class Values(Protocol):
    """Protocol of action values."""

    def values(self, observations: Any) -> FloatArray:
        """Return the (batch, actions) values of observations."""

    def update(self, transitions: Transitions) -> None:
        """Update the values with transitions, in their order."""

    def get_state(self) -> dict[str, Any]:
        """Return the state for `set_state`: arrays and numbers."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`."""


class TableValues(Stateful):
    """A table of action values, learned by one-step Q-learning.

    Suited to discrete observations that are met again.

    Sutton & Barto 2018, equation 6.8.

    Args:
        num_states: rows of the table.
        num_actions: columns.
        learning_rate: step size alpha, in (0, 1].
        gamma: discount, in [0, 1].
        initial_value: initial value of every entry.

    Attributes:
        q: (num_states, num_actions) float64.

    Raises:
        ValueError: for a learning rate or a discount outside its range.
    """

    promises = frozenset({"converges", "batch_as_rows", "separate_pairs"})
    """Promises that `dynamaze.agents.checks` tests, some of its `VALUES_PROMISES`."""

    state_fields: ClassVar = {"q": "q"}

    def __init__(
        self,
        num_states: int,
        num_actions: int,
        *,
        learning_rate: float,
        gamma: float,
        initial_value: float = 0.0,
    ) -> None:
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        start = checked_number("initial_value", initial_value)
        check_entries(
            f"num_states={num_states}, num_actions={num_actions}", num_states, num_actions
        )
        self.q = np.full((num_states, num_actions), start)

    def values(self, observations: IntArray) -> FloatArray:
        """Return a copy of the (batch, actions) values of (batch,) rows."""
        return self.q[observations]

    def update(self, transitions: Transitions) -> None:
        """Apply the Q-learning update to each transition, in their order.

        Raises:
            TypeError: if states or actions are not integers.
            ValueError: if one is outside the table or its reward is not finite; the table is then
                unchanged.
        """
        check_integers(transitions)
        wrong = q_updates(self.q, transitions, self.learning_rate, self.gamma)
        if wrong >= 0:
            raise outside_table(transitions, wrong, *self.q.shape)


def table_values(spaces: Spaces, seed: np.random.SeedSequence, **numbers: float) -> TableValues:
    """Return the table of an environment with discrete observations.

    Args:
        spaces: the spaces of the environment.
        seed: not used.
        **numbers: learning rate, discount and initial value.

    Raises:
        TypeError: for observations that cannot be numbered.
    """
    num_actions, _ = count_actions(spaces.action)  # first: other values need the same
    try:
        rows = TableRows(spaces.observation)
    except TypeError as error:
        raise TypeError(f'{error}; or give values="tile_coding" or values="network"') from None
    return TableValues(rows.size, num_actions, **numbers)


@compiled
def row_max(q, first, num_actions):
    """Return the largest value of a row, which begins at `first` in the flat table."""
    best = q[first]
    for action in range(np.uint64(1), num_actions):
        value = q[first + action]
        best = max(best, value)
    return best


@compiled
def target(q, num_actions, reward, next_state, terminated, gamma):
    """Return the Q-learning target of an outcome, by the flat table."""
    # R + gamma max_a Q(S', a); the value after a terminal transition is 0
    discount = 0.0 if terminated else gamma
    following = row_max(q, np.uint64(next_state) * num_actions, num_actions)
    return reward + discount * following


@compiled
def q_update(q, num_actions, pair, reward, next_state, terminated, learning_rate, gamma):
    """Update the flat table by one Q-learning step; `pair` is state * num_actions + action."""
    # Q(S,A) += alpha [R + gamma max_a Q(S',a) - Q(S,A)] (equation 6.8)
    wanted = target(q, num_actions, reward, next_state, terminated, gamma)
    q[pair] += learning_rate * (wanted - q[pair])


@compiled
def q_updates(q, transitions, learning_rate, gamma):
    """Apply the Q-learning update to each transition of a batch, in order.

    An invalid transition leaves the (states, actions) table unchanged; returns its index, or -1.
    """
    wrong = first_outside(transitions, q.shape[0], q.shape[1])
    if wrong >= 0:
        return wrong
    num_actions = np.uint64(q.shape[1])
    flat = q.reshape(-1)
    for i in range(transitions.action.size):
        pair = np.uint64(transitions.observation[i]) * num_actions + np.uint64(
            transitions.action[i]
        )
        q_update(
            flat,
            num_actions,
            pair,
            transitions.reward[i],
            transitions.next_observation[i],
            transitions.terminated[i],
            learning_rate,
            gamma,
        )
    return -1
