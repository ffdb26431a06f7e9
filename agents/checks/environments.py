"""The small world in which models are checked, as numbers or as vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray

from ..core.transitions import Transitions

TERMINAL = 4
Row = tuple[int, int, float, int, bool]


@dataclass(frozen=True)
class CheckWorld:
    """What a factory must know: five states, of which the last ends all, and three actions."""

    vectors: bool = False  # observations are vectors instead of numbers of rows
    num_states: int = 5
    num_actions: int = 3

    @property
    def size(self) -> int:
        """Length of an observation's vector, which has a 1 at the state's place."""
        return self.num_states

    @property
    def low(self) -> FloatArray:
        """(size,) the smallest vector."""
        return np.zeros(self.size)

    @property
    def high(self) -> FloatArray:
        """(size,) the largest vector."""
        return np.ones(self.size)

    def observations(self, states: Sequence[int] | IntArray) -> Any:
        """(batch,) int64 states, or their (batch, size) float64 vectors."""
        numbers = np.array(states, dtype=np.int64)
        return np.eye(self.size)[numbers] if self.vectors else numbers

    def states(self, observations: Any) -> IntArray:
        """(batch,) the states of observations; of the nearest one where they are vectors."""
        found: IntArray = np.asarray(observations)
        return found.argmax(axis=1) if self.vectors else found.astype(np.int64)

    def batch(self, rows: Sequence[Row]) -> Transitions:
        """Transitions of (state, action, reward, next state, terminated), in new arrays."""
        state, action, reward, following, ended = zip(*rows, strict=True) if rows else ((),) * 5
        return Transitions(
            self.observations(state),
            np.array(action, dtype=np.int64),
            np.array(reward, dtype=np.float64),
            self.observations(following),
            np.array(ended, dtype=np.bool_),
        )


def deterministic_rows() -> list[Row]:
    """Each pair of a deterministic world once; one leads to the terminal state."""
    rows = []
    for state in range(TERMINAL):
        for action in range(3):
            following = (state + action) % TERMINAL if (state, action) != (3, 2) else TERMINAL
            rows.append((state, action, (state + 2 * action) / 4, following, following == TERMINAL))
    return rows


class Belief(NamedTuple):
    """What a model predicts of one pair, as plain numbers."""

    reward: float
    next_state: int
    terminated: float


@dataclass(frozen=True)
class Case:
    """A model's factory and how strictly it is judged."""

    factory: Callable[[CheckWorld], Any]
    world: CheckWorld
    tolerance: float
    repeats: int  # how often a transition must be shown until it is known
    adapts_within: int

    def make(self) -> Any:
        """A new model."""
        return self.factory(self.world)

    def teach(self, model: Any, rows: Sequence[Row]) -> Any:
        """Show some rows; one by one to a table, so that a check of batches stands alone."""
        if self.world.vectors:
            model.update(self.world.batch(list(rows) * self.repeats))
        else:
            for row in rows:
                model.update(self.world.batch([row]))
        return model

    def taught(self) -> Any:
        """A new model that knows the deterministic world."""
        return self.teach(self.make(), deterministic_rows())

    def sample(self, model: Any, n: int = 60, seed: int = 0) -> Transitions:
        """Draw from a generator of this seed."""
        drawn: Transitions = model.sample(n, generator(seed))
        return drawn

    def predict(self, model: Any, state: int, action: int) -> Any:
        """The model's own prediction of one pair."""
        return model.predict(self.world.observations([state]), np.array([action]))

    def belief(self, model: Any, state: int, action: int) -> Belief:
        """The same as plain numbers."""
        prediction = self.predict(model, state, action)
        return Belief(
            float(prediction.reward[0]),
            int(self.world.states(prediction.next_observation)[0]),
            float(prediction.terminated[0]),
        )

    def beliefs(self, model: Any) -> Any:
        """All that it predicts of the pairs of the deterministic world; else what it draws."""
        if "predict" in model.capabilities:
            return [self.belief(model, row[0], row[1]) for row in deterministic_rows()]
        return [column.copy() for column in self.sample(model, 30)]

    def uncertainty(self, model: Any, state: int, action: int) -> float:
        """How little a model says it knows of a pair."""
        observations, actions = self.world.observations([state]), np.array([action])
        if hasattr(model, "doubt"):
            return float(model.doubt(observations, actions)[0])
        return 1.0 - float(model.predict(observations, actions).known[0])


def generator(seed: int) -> np.random.Generator:
    """Random numbers as the agents have them."""
    return np.random.Generator(np.random.SFC64(seed))


def same(left: Any, right: Any) -> bool:
    """Whether nested arrays are equal to the bit."""
    try:
        np.testing.assert_equal(left, right)
    except AssertionError:
        return False
    return True


def must(condition: object, message: str) -> None:
    """Say what was promised.

    Raises:
        AssertionError: with the message, unless the condition holds.
    """
    if not condition:
        raise AssertionError(message)
