"""Simulators: what a search at decision time steps through, whatever the model is.

| model | its simulator |
| --- | --- |
| of a table that knows the probability of each outcome (`MaximumLikelihood`, `TrueModel`, ...) | \
`TableSimulator`; states are rows |
| of vectors that imagines what follows any pair (`RegressionModel`) | `VectorSimulator` |
| copies of the environment (`WorldCopies`), or an object of your own with the methods of \
`Simulator` | itself |
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled

from ..core.encoders import VECTORS
from ..core.kernels import follow
from ..core.rng import load, state_words, store
from ..models.table_copy import has_lookups

METHODS = ("begin", "step", "observation", "key")
"""What an object must have in order to be a simulator."""


class Simulator(Protocol):
    """A world that may be stepped from any state, as often as one likes.

    Attributes:
        num_actions: how many actions there are, numbered from 0.
    """

    num_actions: int

    def begin(self, observation: Any) -> Any:
        """The state of an encoded observation, a row or a (d,) vector.

        Raises:
            ValueError: if it is not one of this world.
        """

    def step(self, state: Any, action: Any, rng: np.random.Generator) -> tuple[Any, float, bool]:
        """Next state, reward and whether the episode ended; `state` stays as it is."""

    def observation(self, state: Any) -> Any:
        """The encoded observation of a state, for action values."""

    def key(self, state: Any) -> Hashable:
        """Equal states have equal keys: two ways to one state meet there."""


def make_simulator(model: Any) -> Simulator:
    """The simulator of a model, or the model itself if it is one.

    Raises:
        TypeError: for a model that gives nothing to step through, naming what is missing.
    """
    if all(hasattr(model, name) for name in METHODS):
        own: Simulator = model
        return own
    if hasattr(model, "imagine") and getattr(model, "observes", None) == VECTORS:
        return VectorSimulator(model)
    if "distribution" in getattr(model, "capabilities", ()) and hasattr(model, "num_states"):
        return TableSimulator(model)
    raise TypeError(
        f"{type(model).__name__} cannot be stepped through; a search needs a model that declares "
        "'distribution', one of vectors with `imagine`, or a simulator with "
        f"{', '.join(f'`{name}`' for name in METHODS)}"
    )


class TableSimulator:
    """Draws what follows from a model of numbered states, as likely as the model believes.

    Args:
        model: one that declares "distribution", with `num_states` and `num_actions`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.num_states, self.num_actions = int(model.num_states), int(model.num_actions)
        self._has_lookups = has_lookups(model)

    def begin(self, observation: Any) -> int:
        """The row itself.

        Raises:
            ValueError: if it is outside the table.
        """
        state = int(observation)
        if not 0 <= state < self.num_states:
            raise ValueError(f"observation {observation}; expected 0 to {self.num_states - 1}")
        return state

    def step(self, state: int, action: int, rng: np.random.Generator) -> tuple[int, float, bool]:
        """One of the outcomes that the model believes in.

        Raises:
            ValueError: for an action that there is not.
        """
        if not 0 <= action < self.num_actions:
            raise ValueError(f"action {action}; expected 0 to {self.num_actions - 1}")
        if self._has_lookups:
            pair = state * self.num_actions + action
            words = state_words(rng)
            reward, following, terminated = follow_once(
                self.model.table, self.num_actions, pair, words
            )
            return int(following), float(reward), bool(terminated)
        outcomes = self.model.distribution(state, action)
        which = 0
        if outcomes.probability.size > 1:
            below = np.cumsum(outcomes.probability)
            which = int(np.searchsorted(below, rng.random() * below[-1], side="right"))
            which = min(which, below.size - 1)
        return (
            int(outcomes.next_observation[which]),
            float(outcomes.reward[which]),
            bool(outcomes.terminated[which]),
        )

    def observation(self, state: int) -> int:
        """The row itself."""
        return state

    def key(self, state: int) -> Hashable:
        """The row itself."""
        return state


class VectorSimulator:
    """Draws what a model of vectors imagines.

    Args:
        model: one with `imagine(observations, actions, rng)`; without `num_actions`, its actions
            are vectors, and without `size` vectors of any size are taken.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.size: int | None = getattr(model, "size", None)
        self.num_actions = int(getattr(model, "num_actions", 0))

    def begin(self, observation: Any) -> FloatArray:
        """The vector as a copy.

        Raises:
            ValueError: if it is of another shape, or not finite.
        """
        state: FloatArray = np.array(observation, dtype=np.float64)
        size = state.size if self.size is None else self.size
        if state.shape != (size,) or not np.isfinite(state).all():
            raise ValueError(f"observation {observation!r}; expected {size} finite numbers")
        return state

    def step(
        self, state: FloatArray, action: Any, rng: np.random.Generator
    ) -> tuple[FloatArray, float, bool]:
        """What the model imagines after a number of an action, or after a vector."""
        drawn = self.model.imagine(state[None], np.asarray(action)[None], rng)
        return drawn.next_observation[0], float(drawn.reward[0]), bool(drawn.terminated[0])

    def observation(self, state: FloatArray) -> FloatArray:
        """The vector itself."""
        return state

    def key(self, state: FloatArray) -> Hashable:
        """The vector's bytes."""
        return state.tobytes()


@compiled
def follow_once(table, num_actions, pair, words):
    """The rule of `follow`: reward, next state and whether the episode ended."""
    reward, next_state, terminated, rng = follow(table, num_actions, pair, load(words))
    store(words, rng)
    return reward, next_state, terminated
