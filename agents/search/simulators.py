"""Simulators: common interface by which a search steps any model.

- `TableSimulator`: tables with distributions (`MaximumLikelihood`, `TrueModel`); states are rows.
- `VectorSimulator`: models of vectors with `sample_transitions` (`RegressionModel`); states are
  vectors.
- `EnvCopies`, or an object of your own with the methods of `Simulator`, is its own simulator.
- `BatchSimulator`: steps many states of any of these at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled

from ..core.encoders import VECTORS
from ..core.kernels import sample_outcome
from ..core.rng import load, sample_columns, state_words, store
from ..models.protocol import find_sampler
from ..models.table_copy import has_lookups

METHODS = ("begin", "step", "observation", "key")
"""Methods of a simulator."""


class Simulator(Protocol):
    """Protocol: an environment or model that may be stepped from any state, any number of times.

    Attributes:
        num_actions: number of actions, numbered from 0.
    """

    num_actions: int

    def begin(self, observation: Any) -> Any:
        """Return the state of an encoded observation, a row or a (d,) vector.

        Raises:
            ValueError: if there is no such state.
        """

    def step(self, state: Any, action: Any, rng: np.random.Generator) -> tuple[Any, float, bool]:
        """Return next state, reward and terminated; `state` is not changed."""

    def observation(self, state: Any) -> Any:
        """Return the encoded observation of a state, for action values."""

    def key(self, state: Any) -> Hashable:
        """Return a hashable key; equal states have equal keys (transpositions)."""


def make_simulator(model: Any) -> Simulator:
    """Return the simulator of a model, or the model itself if it is one.

    Raises:
        TypeError: for a model that cannot be stepped; names what is missing.
    """
    if all(hasattr(model, name) for name in METHODS):
        own: Simulator = model
        return own
    if find_sampler(model) is not None and getattr(model, "observes", None) == VECTORS:
        return VectorSimulator(model)
    if "distribution" in getattr(model, "capabilities", ()) and hasattr(model, "num_states"):
        return TableSimulator(model)
    raise TypeError(
        f"{type(model).__name__} cannot be stepped; a search needs a model that declares "
        "'distribution', one of vectors with `sample_transitions`, or a simulator with "
        f"{', '.join(f'`{name}`' for name in METHODS)}"
    )


class TableSimulator:
    """Simulator that samples outcomes from a model of discrete states.

    Args:
        model: one with the capability "distribution", with `num_states` and `num_actions`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.num_states, self.num_actions = int(model.num_states), int(model.num_actions)
        self._has_lookups = has_lookups(model)

    def begin(self, observation: Any) -> int:
        """Return the row.

        Raises:
            ValueError: if it is outside the table.
        """
        state = int(observation)
        if not 0 <= state < self.num_states:
            raise ValueError(f"observation {observation}; expected 0 to {self.num_states - 1}")
        return state

    def step(self, state: int, action: int, rng: np.random.Generator) -> tuple[int, float, bool]:
        """Sample an outcome of the model.

        Raises:
            ValueError: for an invalid action.
        """
        if not 0 <= action < self.num_actions:
            raise ValueError(f"action {action}; expected 0 to {self.num_actions - 1}")
        if self._has_lookups:
            pair = state * self.num_actions + action
            words = state_words(rng)
            reward, following, terminated = sample_outcome_once(
                self.model.table, self.num_actions, pair, words
            )
            return int(following), float(reward), bool(terminated)
        outcomes = self.model.distribution(state, action)
        which = 0
        if outcomes.probability.size > 1:  # a single outcome needs no random number
            which = sample_columns(outcomes.probability[None], rng)[0]
        return (
            int(outcomes.next_observation[which]),
            float(outcomes.reward[which]),
            bool(outcomes.terminated[which]),
        )

    def observation(self, state: int) -> int:
        """Return the row."""
        return state

    def key(self, state: int) -> Hashable:
        """Return the row."""
        return state


@compiled
def sample_outcome_once(table, num_actions, pair, words):
    """Sample an outcome of a pair: reward, next state and terminated."""
    reward, next_state, terminated, rng = sample_outcome(table, num_actions, pair, load(words))
    store(words, rng)
    return reward, next_state, terminated


class VectorSimulator:
    """Simulator that samples from a model of vectors.

    Args:
        model: one with `sample_transitions(observations, actions, rng)`. Without `num_actions` its
            actions are vectors; without `size` its vectors may have any size.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._sample: Any = find_sampler(model)
        self.size: int | None = getattr(model, "size", None)
        self.num_actions = int(getattr(model, "num_actions", 0))

    def begin(self, observation: Any) -> FloatArray:
        """Return a copy of the vector.

        Raises:
            ValueError: if it has another shape, or is not finite.
        """
        state: FloatArray = np.array(observation, dtype=np.float64)
        size = state.size if self.size is None else self.size
        if state.shape != (size,) or not np.isfinite(state).all():
            raise ValueError(f"observation {observation!r}; expected {size} finite numbers")
        return state

    def step(
        self, state: FloatArray, action: Any, rng: np.random.Generator
    ) -> tuple[FloatArray, float, bool]:
        """Sample from the model, for an action's number or a vector."""
        drawn = self._sample(state[None], np.asarray(action)[None], rng)
        return drawn.next_observation[0], float(drawn.reward[0]), bool(drawn.terminated[0])

    def observation(self, state: FloatArray) -> FloatArray:
        """Return the vector."""
        return state

    def key(self, state: FloatArray) -> Hashable:
        """Return the vector's bytes."""
        return state.tobytes()


# -- batches of states -------------------------------------------------------------------------


class BatchSimulator(Protocol):
    """Protocol: steps a batch of simulated states."""

    def begin(self, observations: Any) -> Any:
        """Return the (batch,) states of (batch, ...) encoded observations."""

    def observations(self, states: Any) -> Any:
        """Return the (batch, ...) observations of states, for the values."""

    def step(
        self, states: Any, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> tuple[Any, FloatArray, BoolArray]:
        """Return (batch,) next states, rewards and terminated; `states` are not changed."""

    def pick(self, states: Any, places: IntArray) -> Any:
        """Return the states at some indices, which may repeat."""

    def merge(self, states: Any) -> tuple[Any, IntArray]:
        """Return the distinct states, and the index among these of each state."""


def make_batch_simulator(model: Any) -> BatchSimulator:
    """Return the batch simulator of a model.

    Raises:
        TypeError: naming what the model lacks.
    """
    if find_sampler(model) is not None:
        return VectorBatchSimulator(model)
    return LoopBatchSimulator(make_simulator(model))


class VectorBatchSimulator:
    """Batch simulator of a model of vectors: one call of `sample_transitions` per step."""

    def __init__(self, model: Any) -> None:
        self._sample: Any = find_sampler(model)

    def begin(self, observations: FloatArray) -> FloatArray:
        """Return the vectors."""
        return observations

    def observations(self, states: FloatArray) -> FloatArray:
        """Return the vectors."""
        return states

    def step(
        self, states: FloatArray, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Sample from the model."""
        drawn = self._sample(states, actions, rng)
        return drawn.next_observation, drawn.reward, drawn.terminated

    def pick(self, states: FloatArray, places: IntArray) -> FloatArray:
        """Return the vectors at some indices."""
        return states[places]

    def merge(self, states: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return all vectors; no two are assumed equal."""
        return states, np.arange(len(states))


class LoopBatchSimulator:
    """Batch simulator that steps the states of a `Simulator` one after another."""

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator

    def begin(self, observations: Any) -> list[Any]:
        """Return the simulator's states."""
        return [self._simulator.begin(observation) for observation in observations]

    def observations(self, states: list[Any]) -> Any:
        """Return the observations."""
        return np.array([self._simulator.observation(state) for state in states])

    def step(
        self, states: list[Any], actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> tuple[list[Any], FloatArray, BoolArray]:
        """Sample from the simulator."""
        drawn = [
            self._simulator.step(state, action, rng)
            for state, action in zip(states, actions, strict=True)
        ]
        following, reward, terminated = zip(*drawn, strict=True) if drawn else ((), (), ())
        return list(following), np.array(reward, dtype=np.float64), np.array(terminated, dtype=bool)

    def pick(self, states: list[Any], places: IntArray) -> list[Any]:
        """Return the states at some indices."""
        return [states[place] for place in places]

    def merge(self, states: list[Any]) -> tuple[list[Any], IntArray]:
        """Return the states with distinct keys."""
        numbers: dict[Any, int] = {}
        which = np.empty(len(states), dtype=np.int64)
        distinct: list[Any] = []
        for place, state in enumerate(states):
            key = self._simulator.key(state)
            if key not in numbers:
                numbers[key] = len(distinct)
                distinct.append(state)
            which[place] = numbers[key]
        return distinct, which


def simulate_returns(
    simulator: BatchSimulator,
    states: Any,
    choose: Callable[[int, IntArray, Any], npt.NDArray[Any]],
    leaf_values: Callable[[Any], FloatArray] | None,
    *,
    depth: int,
    gamma: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the (batch,) discounted returns of simulations that are stepped together.

    Args:
        simulator: simulates the steps.
        states: (batch,) states in which the simulations start.
        choose: (step, (n,) numbers of the simulations that have not terminated, their states) ->
            (n, ...) actions.
        leaf_values: (n, ...) observations of the states after the last step -> (n,) values; None
            for zero.
        depth: number of steps.
        gamma: discount factor.
        rng: source of all randomness.
    """
    running = np.arange(len(states))
    returns, discount = np.zeros(len(states)), 1.0
    for step in range(depth):
        states, reward, terminated = simulator.step(states, choose(step, running, states), rng)
        returns[running] += discount * reward
        discount *= gamma
        continues = np.flatnonzero(~terminated)
        running, states = running[continues], simulator.pick(states, continues)
        if not running.size:
            break
    if leaf_values is not None and running.size:
        returns[running] += discount * leaf_values(simulator.observations(states))
    return returns
