"""Protocol of models, the capabilities that they may declare, and the null model.

A user-defined model is any object with these methods; no base class is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.deprecation import find_method, warn_renamed

from ..core.kernels import rules
from ..core.records import Stateful
from ..core.transitions import Transitions

CAPABILITIES = {
    "sample": "draws simulated transitions of pairs that it has seen",
    "predict": "predicts reward, next observation and termination of any pair",
    "distribution": "knows the probability of each outcome",
    "visits": "counts how often each pair was tried",
    "pair_uncertainty": "estimates the probability that it is wrong about a pair",
    "expectation": "simulates the expected next observation, which need not be reachable",
    "uncertainty": "splits its variance into an epistemic and an aleatoric part",
    "compiled": "keeps its state in a record that compiled runs can use",
}
"""Capability -> its meaning."""


class Outcomes(NamedTuple):
    """Possible outcomes of a pair and their probabilities; a next state may occur twice."""

    next_observation: IntArray  # (outcomes,)
    probability: FloatArray  # (outcomes,) sums to 1
    reward: FloatArray  # (outcomes,) mean
    terminated: BoolArray  # (outcomes,)

    @classmethod
    def unknown(cls, observation: int) -> Outcomes:
        """Return the default outcome of an untried pair: it stays, with reward 0."""
        return cls(np.array([observation]), np.ones(1), np.zeros(1), np.zeros(1, dtype=np.bool_))


class Prediction(NamedTuple):
    """Predictions for a batch of pairs of observation and action."""

    reward: FloatArray  # (batch,) mean
    next_observation: npt.NDArray[Any]  # (batch, ...) the most likely one
    terminated: FloatArray  # (batch,) probability
    visits: IntArray  # (batch,) visits of the pair; a prediction with 0 visits is a guess
    # For models that declare "uncertainty"; spreads are predictive standard deviations.
    reward_spread: FloatArray | None = None  # (batch,)
    next_spread: FloatArray | None = None  # (batch, d) of each coordinate of the next vector
    known: FloatArray | None = None  # (batch,) in [0, 1]: confidence in the means; 0 is a guess


class Model(Protocol):
    """Model of the environment: learns from real experience, generates simulated experience.

    An attribute `observes` declares its observations: "vectors", or "discrete" for table rows.
    Without the attribute it gets what the agent's values see. A method
    `confidence(observations=None, actions=None)` reduces planning; see `confidence_in`.
    """

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities, some of `CAPABILITIES`; a class attribute is enough."""

    def update(self, transitions: Transitions) -> None:
        """Update the model with real transitions, in their order."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions, with all randomness from `rng`.

        Raises:
            RuntimeError: if nothing was seen yet.
        """

    def get_state(self) -> dict[str, Any]:
        """Return the state for `set_state`: arrays and numbers."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`."""


def confidence_in(model: Any, observations: Any = None, actions: Any = None) -> Any:
    """Return the confidence in a model's predictions, in [0, 1].

    It is asked where planners draw: of the planning steps they take this fraction, and pairs below
    `dynamaze.agents.core.kernels.CONFIDENCE_THRESHOLD` are left to real experience.

    Args:
        model: any model; one without a method `confidence` has full confidence.
        observations: (batch,) rows or (batch, d) vectors; None for the model as a whole.
        actions: (batch,) actions of the pairs.

    Returns:
        A float for the model as a whole, a (batch,) array for pairs.
    """
    ask = find_confidence(model)
    if ask is not None:
        return ask(observations, actions)
    return 1.0 if observations is None else np.ones(len(actions))


def find_confidence(model: Any) -> Callable[..., Any] | None:
    """Return the method `confidence` of a model, or None where the confidence is always full."""
    own: Callable[..., Any] | None = getattr(model, "confidence", None)
    if own is None and (hasattr(model, "planning_share") or hasattr(model, "pair_confidence")):
        return partial(_confidence_by_old_names, model)
    return own


def _confidence_by_old_names(model: Any, observations: Any = None, actions: Any = None) -> Any:
    """Return the confidence of a model that has it under its names of version 0.2."""
    old_name = "planning_share" if observations is None else "pair_confidence"
    warn_renamed(
        f"{type(model).__name__}.{old_name}", "confidence(observations=None, actions=None)"
    )
    if observations is None:
        return float(getattr(model, old_name, 1.0))
    if not hasattr(model, old_name):
        return np.ones(len(actions))
    return model.pair_confidence(observations, actions)


def find_sampler(model: Any) -> Callable[..., Transitions] | None:
    """Return `sample_transitions(observations, actions, rng)` of a model of vectors, or None."""
    return find_method(model, "sample_transitions", "imagine")


class NullModel(Stateful):
    """Model that learns nothing and cannot be sampled."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"compiled"})

    def __init__(self) -> None:
        self.table = NullTable(np.zeros(0, dtype=np.int64))

    def update(self, transitions: Transitions) -> None:
        """Ignore the transitions."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Raise an error: there is nothing to sample.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("this agent has no model to sample from")

    def reserve(self, transitions: int) -> None:
        """Do nothing: an empty record needs no capacity."""


class NullTable(NamedTuple):
    """Empty record."""

    nothing: IntArray  # (0,)


@compiled
def update_nothing(table, num_actions, state, action, reward, next_state, terminated):
    """Ignore the transition."""


@compiled
def sample_nothing(table, num_actions, rng):
    """Return a dummy transition; never called, because agents without a model do not plan."""
    return np.uint64(0), 0.0, np.int64(0), False, rng


rules(NullTable, update_model=update_nothing, sample_transition=sample_nothing)
