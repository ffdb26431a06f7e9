"""Planning that updates one pair after another, chosen uniformly, backwards or along trajectories.

An update is an expected one, over all outcomes in which the model believes, or a sample one, by a
single outcome (Sutton & Barto 2018, section 8.5). Works on tables.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import did_you_mean

from ..core.kernels import expect, follow, improve, remember, rule, seen_pairs, share
from ..core.rng import high_below, low_below, next_word
from ..core.shares import is_trusted, shared_steps
from ..models.visited_pairs import draw_pair
from ..values.table import target
from .base import checked_steps
from .predecessors import Predecessors, lead_to, next_leading
from .table import TablePlanning

UPDATES = ("expected", "sample")
"""How a pair may be updated."""

TRIES = 8
"""How often another state is drawn where nothing leads to the first."""


class PairUpdates(TablePlanning):
    """What the planners below share: how many updates, and of which kind."""

    def __init__(self, planning_steps: int, updates: str) -> None:
        super().__init__()
        always = {"settles", "follows_changes"}
        self.promises = frozenset(always | {"expects"} if updates == "expected" else always)
        self.planning_steps = checked_steps(planning_steps)
        self.updates = known("updates", updates, UPDATES)

    @property
    def _expected(self) -> bool:
        return self.updates == "expected"


def known(name: str, value: str, names: tuple[str, ...]) -> str:
    """A value that is one of the names.

    Raises:
        ValueError: if it is not.
    """
    if value not in names:
        raise ValueError(
            f"{name}={value!r}; expected one of {list(names)}{did_you_mean(value, names)}"
        )
    return value


@compiled
def update_pair(model, q, num_actions, pair, expected, learning_rate, gamma, rng):
    """Update a pair, and give one outcome of it: next state, terminated, the generator's state.

    A pair that is not trusted keeps its value.
    """
    reward, next_state, terminated, rng = follow(model, num_actions, pair, rng)
    if not is_trusted(model, pair):
        wanted = q[pair]
    elif expected:
        wanted = expect(model, num_actions, pair, q, gamma)
    else:
        wanted = target(q, np.uint64(num_actions), reward, next_state, terminated, gamma)
    q[pair] += learning_rate * (wanted - q[pair])
    return next_state, terminated, rng


# -- uniform -----------------------------------------------------------------------------------


class UniformRecord(NamedTuple):
    """For compiled code."""

    planning_steps: int
    expected: bool


class UniformUpdates(PairUpdates):
    """Updates of pairs at random: a visited state, then an action tried there (section 8.2).

    With sample updates it is `UniformPlanning`, by other random numbers.

    Args:
        planning_steps: updates after each real step, at least 0.
        updates: "expected" or "sample".

    Raises:
        ValueError: for a negative number or other updates.
    """

    def __init__(self, planning_steps: int, *, updates: str = "expected") -> None:
        super().__init__(planning_steps, updates)

    def _begin(self, num_states: int, num_actions: int) -> UniformRecord:
        return UniformRecord(self.planning_steps, self._expected)


@rule(remember, UniformRecord)
@compiled
def remember_nothing(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """The model remembers what was seen."""


@rule(improve, UniformRecord)
@compiled
def update_uniformly(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Update pairs that search control draws."""
    seen, expected = seen_pairs(model), planning.expected
    for _ in range(shared_steps(planning.planning_steps, share(model))):
        drawn, rng = draw_pair(seen, np.uint64(num_actions), rng)
        pair = np.int64(drawn)
        _, _, rng = update_pair(model, q, num_actions, pair, expected, learning_rate, gamma, rng)
    return rng


# -- backwards ---------------------------------------------------------------------------------


class BackwardRecord(NamedTuple):
    """For compiled code."""

    before: Predecessors
    ends: IntArray  # (states + 1,) at how many an episode has ended, then these
    planning_steps: int
    expected: bool


class BackwardUpdates(PairUpdates):
    """Updates of pairs that lead to a state at random (van Hasselt, Hessel and Aslanides 2019).

    A visited state is drawn, or one at which an episode has ended, then one of the pairs that lead
    there.

    Args:
        planning_steps: updates after each real step, at least 0.
        updates: "expected" or "sample".

    Raises:
        ValueError: for a negative number or other updates.
    """

    def __init__(self, planning_steps: int, *, updates: str = "expected") -> None:
        super().__init__(planning_steps, updates)

    def _begin(self, num_states: int, num_actions: int) -> BackwardRecord:
        return BackwardRecord(
            Predecessors.begin(num_states, num_actions),
            np.zeros(num_states + 1, dtype=np.int64),
            self.planning_steps,
            self._expected,
        )

    def _with_room(self, record: Any, transitions: int) -> BackwardRecord:
        roomy: BackwardRecord = record._replace(before=record.before.with_room(transitions))
        return roomy

    def _indices(
        self, record: Any, num_states: int, num_actions: int
    ) -> list[tuple[IntArray, int, int]]:
        return [
            *record.before.indices(num_states * num_actions),
            (record.ends[:1], 0, num_states + 1),
            (record.ends[1:], 0, num_states),
        ]


@rule(remember, BackwardRecord)
@compiled
def remember_where(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Note where a pair leads."""
    lead_to(planning.before, pair, next_state, terminated)
    if terminated and not contains(planning.ends, next_state):
        planning.ends[0] += 1
        planning.ends[planning.ends[0]] = next_state


@compiled
def contains(numbers, number):
    """Whether a list, whose length stands in front, has a number."""
    found = False
    for place in range(1, numbers[0] + 1):
        found = found or numbers[place] == number
    return found


@rule(improve, BackwardRecord)
@compiled
def update_backwards(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Update pairs that lead to states at random."""
    seen, expected = seen_pairs(model), planning.expected
    for _ in range(shared_steps(planning.planning_steps, share(model))):
        for _ in range(TRIES):
            to, rng = draw_place(planning, seen, rng)
            pair, rng = draw_leading(planning.before, model, num_actions, to, rng)
            if pair >= 0:
                _, _, rng = update_pair(
                    model, q, num_actions, pair, expected, learning_rate, gamma, rng
                )
                break
    return rng


@compiled
def draw_place(planning, seen, rng):
    """A visited state or an end at random, and the generator's state."""
    word, rng = next_word(rng)
    number = np.int64(high_below(word, seen.states[0] + planning.ends[0]))
    if number < seen.states[0]:
        return seen.states[1 + number], rng
    return planning.ends.size - 1 + planning.ends[1 + number - seen.states[0]], rng


@compiled
def draw_leading(before, model, num_actions, to, rng):
    """One of the pairs that lead to a place, at random, and the generator's state; -1 for none."""
    count, drawn = 0, np.int64(-1)
    node, _ = next_leading(before, model, num_actions, to, np.int64(-1))
    while node >= 0:
        count += 1
        word, rng = next_word(rng)
        if low_below(word, count) == 0:
            drawn = before.pair[node]
        node, _ = next_leading(before, model, num_actions, to, node)
    return drawn, rng
