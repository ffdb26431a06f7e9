"""What an agent needs of its model of the world, and what a model says that it can do.

A user's own model is any object with these methods; nothing needs to be inherited.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from ..core.transitions import Transitions

CAPABILITIES = {
    "sample": "draws simulated transitions of pairs that it has seen",
    "predict": "predicts reward, next observation and termination of any pair",
    "distribution": "knows the probability of each outcome",
    "visits": "counts how often each pair was tried",
    "doubt": "says how likely it is wrong of a pair",
    "expectation": "imagines what follows on average, which may itself never happen",
    "uncertainty": "splits its spread into what it does not know and what is left to chance",
    "compiled": "keeps its memory in a record that compiled runs can use",
}
"""What a model may declare, and what it means."""


class Outcomes(NamedTuple):
    """What may follow a pair, and how likely; the same next state may stand there twice."""

    next_observation: IntArray  # (outcomes,)
    probability: FloatArray  # (outcomes,) sums to 1
    reward: FloatArray  # (outcomes,) mean
    terminated: BoolArray  # (outcomes,)

    @classmethod
    def unknown(cls, observation: int) -> Outcomes:
        """What is believed of a pair that was never tried: nothing happens and nothing is paid."""
        return cls(np.array([observation]), np.ones(1), np.zeros(1), np.zeros(1, dtype=np.bool_))


class Prediction(NamedTuple):
    """What a model believes of some pairs of observation and action."""

    reward: FloatArray  # (batch,) mean
    next_observation: npt.NDArray[Any]  # (batch, ...) the likeliest
    terminated: FloatArray  # (batch,) probability
    visits: IntArray  # (batch,) how often the pair was tried: 0 is a guess
    # Of models that declare "uncertainty"; the spreads are standard deviations of what will come.
    reward_spread: FloatArray | None = None  # (batch,)
    next_spread: FloatArray | None = None  # (batch, d) of each number of the next vector
    known: FloatArray | None = None  # (batch,) in [0, 1]: how sure the means are, 0 is a guess


class Model(Protocol):
    """A model of the world that learns from real experience and gives simulated experience.

    A model that needs its observations as vectors says `observes = "vectors"`, one that needs the
    rows of a table "rows"; without the attribute it is handed what the agent's values see.
    """

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do, of `CAPABILITIES`; a class attribute will do."""

    def update(self, transitions: Transitions) -> None:
        """Learn from real transitions, in their order."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Draw n simulated transitions, all randomness from `rng`.

        Raises:
            RuntimeError: if nothing was seen yet.
        """

    def get_state(self) -> dict[str, Any]:
        """Arrays and numbers that `set_state` takes back."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""
