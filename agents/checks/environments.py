"""Small environment in which models are checked, with discrete or vector observations."""

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
class CheckEnvironment:
    """Test environment: five states, the last one terminal, and three actions."""

    vectors: bool = False  # True: observations are one-hot vectors, not row numbers
    num_states: int = 5
    num_actions: int = 3

    @property
    def size(self) -> int:
        """Length of an observation's one-hot vector."""
        return self.num_states

    @property
    def low(self) -> FloatArray:
        """Lower bounds of the vectors, (size,)."""
        return np.zeros(self.size)

    @property
    def high(self) -> FloatArray:
        """Upper bounds of the vectors, (size,)."""
        return np.ones(self.size)

    def observations(self, states: Sequence[int] | IntArray) -> Any:
        """Return (batch,) int64 states, or their (batch, size) float64 vectors."""
        numbers = np.array(states, dtype=np.int64)
        return np.eye(self.size)[numbers] if self.vectors else numbers

    def states(self, observations: Any) -> IntArray:
        """Return the (batch,) states of observations; the nearest ones of vectors."""
        found: IntArray = np.asarray(observations)
        return found.argmax(axis=1) if self.vectors else found.astype(np.int64)

    def batch(self, rows: Sequence[Row]) -> Transitions:
        """Return transitions of (state, action, reward, next state, terminated), in new arrays."""
        state, action, reward, following, ended = zip(*rows, strict=True) if rows else ((),) * 5
        return Transitions(
            self.observations(state),
            np.array(action, dtype=np.int64),
            np.array(reward, dtype=np.float64),
            self.observations(following),
            np.array(ended, dtype=np.bool_),
        )


def deterministic_rows() -> list[Row]:
    """Return each pair of a deterministic environment once; one leads to the terminal state."""
    rows = []
    for state in range(TERMINAL):
        for action in range(3):
            following = (state + action) % TERMINAL if (state, action) != (3, 2) else TERMINAL
            rows.append((state, action, (state + 2 * action) / 4, following, following == TERMINAL))
    return rows


class PairPrediction(NamedTuple):
    """A model's prediction of one pair, as plain numbers."""

    reward: float
    next_state: int
    terminated: float


@dataclass(frozen=True)
class ModelCase:
    """Factory of a model and the tolerances of its checks."""

    factory: Callable[[CheckEnvironment], Any]
    env: CheckEnvironment
    tolerance: float
    repeats: int  # number of times that each transition is presented
    adapts_within: int

    def make(self) -> Any:
        """Return a new model."""
        return self.factory(self.env)

    def train(self, model: Any, rows: Sequence[Row]) -> Any:
        """Train with transitions; a table gets them one by one.

        So that a fault in learning from batches fails the check of batches alone.
        """
        if self.env.vectors:
            model.update(self.env.batch(list(rows) * self.repeats))
        else:
            for row in rows:
                model.update(self.env.batch([row]))
        return model

    def trained(self) -> Any:
        """Return a new model trained on the deterministic environment."""
        return self.train(self.make(), deterministic_rows())

    def sample(self, model: Any, n: int = 60, seed: int = 0) -> Transitions:
        """Sample with a generator of this seed."""
        drawn: Transitions = model.sample(n, generator(seed))
        return drawn

    def predict(self, model: Any, state: int, action: int) -> Any:
        """Return the model's own prediction of one pair."""
        return model.predict(self.env.observations([state]), np.array([action]))

    def prediction(self, model: Any, state: int, action: int) -> PairPrediction:
        """Return the prediction of one pair as plain numbers."""
        prediction = self.predict(model, state, action)
        return PairPrediction(
            float(prediction.reward[0]),
            int(self.env.states(prediction.next_observation)[0]),
            float(prediction.terminated[0]),
        )

    def predictions(self, model: Any) -> Any:
        """Return the predictions of all deterministic pairs; without "predict", a fixed sample."""
        if "predict" in model.capabilities:
            return [self.prediction(model, row[0], row[1]) for row in deterministic_rows()]
        return [column.copy() for column in self.sample(model, 30)]

    def uncertainty(self, model: Any, state: int, action: int) -> float:
        """Return the model's uncertainty about a pair."""
        observations, actions = self.env.observations([state]), np.array([action])
        if hasattr(model, "pair_uncertainty"):
            return float(model.pair_uncertainty(observations, actions)[0])
        return 1.0 - float(model.predict(observations, actions).known[0])


def generator(seed: int) -> np.random.Generator:
    """Return a random generator of the kind that agents use."""
    return np.random.Generator(np.random.SFC64(seed))


def equal(left: Any, right: Any) -> bool:
    """Return True if nested arrays are bit-identical."""
    try:
        np.testing.assert_equal(left, right)
    except AssertionError:
        return False
    return True


def require(condition: object, message: str) -> None:
    """Raise an error unless a condition holds.

    Raises:
        AssertionError: with the message, if the condition is false.
    """
    if not condition:
        raise AssertionError(message)
