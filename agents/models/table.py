"""What the table models share: batches over a compiled record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..core.kernels import draw, observe
from ..core.records import flatten, restore
from ..core.rng import load, state_words, store
from ..core.transitions import Transitions, check_integers, first_outside, outside_table
from .protocol import Outcomes, Prediction
from .visited_pairs import SeenPairs


class TableRecord(Protocol):
    """What every model's record has."""

    @property
    def seen(self) -> SeenPairs:
        """Search control's memory."""

    @property
    def visits(self) -> IntArray:
        """(states * actions,) how often each pair was tried."""

    @property
    def next_state(self) -> IntArray:
        """States that something led to."""


Record = TypeVar("Record", bound=TableRecord)


class TableModel(ABC, Generic[Record]):
    """A model of a world with numbered states and actions, its memory in a compiled record.

    Args:
        num_states: how many states.
        num_actions: how many actions in each.
        include_untried: whether untried actions of visited states may be drawn; they lead back to
            their state and pay nothing (Sutton & Barto 2018, footnote on p. 168).

    Attributes:
        table: the record.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"sample", "predict", "distribution", "visits", "compiled"}
    )

    promises: ClassVar[frozenset[str]] = frozenset()
    """What `dynamaze.agents.checks` may hold it to, of its `PROMISES`."""

    growing: ClassVar[tuple[str, ...]] = ()
    """The record's columns that grow with experience."""

    def __init__(self, num_states: int, num_actions: int, *, include_untried: bool = False) -> None:
        self.num_states = num_states
        self.num_actions = num_actions
        self.table = self._begin(include_untried)

    @abstractmethod
    def _begin(self, include_untried: bool) -> Record:
        """The record before anything was seen."""

    def update(self, transitions: Transitions) -> None:
        """Learn from real transitions, in their order.

        Raises:
            ValueError: if one is outside the table or its reward is not finite; then none is
                learned.
        """
        check_integers(transitions)
        self.reserve(transitions.action.size)
        wrong = observe_batch(self.table, self.num_states, self.num_actions, transitions)
        if wrong >= 0:
            raise outside_table(transitions, wrong, self.num_states, self.num_actions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Draw n simulated transitions, all randomness from `rng`.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        if self.is_empty:
            raise RuntimeError("the model has seen no transition yet; update it before sampling")
        return Transitions(*draw_batch(self.table, n, self.num_actions, state_words(rng)))

    @abstractmethod
    def distribution(self, observation: int, action: int) -> Outcomes:
        """What may follow a pair, and how likely."""

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Mean reward, likeliest next state and probability of the end of each pair.

        Args:
            observations: (batch,) rows of the table.
            actions: (batch,) from 0.

        Raises:
            ValueError: if one is outside the table.
        """
        rows = [
            (
                outcomes.probability @ outcomes.reward,
                _likeliest(outcomes),
                outcomes.probability @ outcomes.terminated,
                self.table.visits[self.pair(*pair)],
            )
            for pair in zip(observations, actions, strict=True)
            for outcomes in (self.distribution(*pair),)
        ]
        reward, following, terminated, visits = zip(*rows, strict=True) if rows else ((),) * 4
        return Prediction(
            np.array(reward, dtype=np.float64),
            np.array(following, dtype=np.int64),
            np.array(terminated, dtype=np.float64),
            np.array(visits, dtype=np.int64),
        )

    def pair(self, observation: int, action: int) -> int:
        """The number of a pair, observation * num_actions + action.

        Raises:
            ValueError: if one is outside the table.
        """
        if not 0 <= observation < self.num_states:
            raise ValueError(f"observation {observation}; expected 0 to {self.num_states - 1}")
        if not 0 <= action < self.num_actions:
            raise ValueError(f"action {action}; expected 0 to {self.num_actions - 1}")
        return int(observation) * self.num_actions + int(action)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was seen yet."""
        return bool(self.table.seen.states[0] == 0)

    def reserve(self, transitions: int) -> None:
        """Make room for so many further transitions: compiled code cannot grow a record.

        Tables of a fixed size have room for everything.
        """

    def get_state(self) -> dict[str, Any]:
        """The record's arrays, by name."""
        return flatten(self.table)

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back the record's arrays.

        Raises:
            ValueError: if one is missing, of another shape, or leads outside the tables: compiled
                code would follow it there.
        """
        table: Record = restore(self.table, state, growing=self.growing)
        for numbers, low, high in self._indices(table):
            if numbers.size and not low <= numbers.min() <= numbers.max() < high:
                raise ValueError(
                    f"an index from {numbers.min()} to {numbers.max()} in the model's state; "
                    f"expected {low} to {high - 1}"
                )
        self.table = table

    def _indices(self, table: Record) -> list[tuple[IntArray, int, int]]:
        """Arrays of indices, each with the lowest it may hold and the first it may not."""
        rows = table.seen.pairs.reshape(self.num_states, self.num_actions + 1)
        return [
            (table.seen.states[:1], 0, self.num_states + 1),
            (table.seen.states[1:], 0, self.num_states),
            (rows[:, 0], 0, self.num_actions + 1),
            (rows[:, 1:], 0, self.num_states * self.num_actions),
            (table.next_state, 0, self.num_states),
        ]


def _likeliest(outcomes: Outcomes) -> int:
    states, which = np.unique(outcomes.next_observation, return_inverse=True)
    return int(states[np.bincount(which, weights=outcomes.probability).argmax()])


@compiled
def observe_batch(table, num_states, num_actions, transitions):
    """The rule of `observe` for each transition, in order.

    If one of them is wrong none is learned; gives its number, else -1.
    """
    wrong = first_outside(transitions, num_states, num_actions)
    if wrong >= 0:
        return wrong
    for i in range(transitions.action.size):
        observe(
            table,
            num_actions,
            transitions.observation[i],
            transitions.action[i],
            transitions.reward[i],
            transitions.next_observation[i],
            transitions.terminated[i],
        )
    return -1


@compiled_with_arrays
def draw_batch(table, n, num_actions, words):
    """N times the rule of `draw`, as the five arrays of `Transitions`."""
    states = np.empty(n, dtype=np.int64)
    actions = np.empty(n, dtype=np.int64)
    rewards = np.empty(n)
    next_states = np.empty(n, dtype=np.int64)
    terminated = np.empty(n, dtype=np.bool_)
    columns = np.uint64(num_actions)
    rng = load(words)
    for i in range(n):
        pair, rewards[i], next_states[i], terminated[i], rng = draw(table, columns, rng)
        states[i] = pair // columns
        actions[i] = pair % columns
    store(words, rng)
    return states, actions, rewards, next_states, terminated
