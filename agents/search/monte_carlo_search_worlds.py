"""Many simulations at once, for models that compiled code cannot read."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from .simulators import make_simulator


class Worlds(Protocol):
    """Steps a batch of simulated states."""

    def begin(self, observations: Any) -> Any:
        """The (batch,) states of (batch, ...) encoded observations."""

    def observations(self, states: Any) -> Any:
        """(batch, ...) what the values see of states."""

    def step(
        self, states: Any, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> tuple[Any, FloatArray, BoolArray]:
        """The (batch,) states that follow, rewards and ends; those given are not changed."""

    def pick(self, states: Any, places: IntArray) -> Any:
        """Some of the states, one perhaps several times."""

    def merge(self, states: Any) -> tuple[Any, IntArray]:
        """The different ones among states, and which of these each one is."""


class VectorWorlds:
    """Of a model of vectors, stepped by one call of its `imagine`."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def begin(self, observations: FloatArray) -> FloatArray:
        """The vectors themselves."""
        return observations

    def observations(self, states: FloatArray) -> FloatArray:
        """The vectors themselves."""
        return states

    def step(
        self, states: FloatArray, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """What the model imagines."""
        imagined = self._model.imagine(states, actions, rng)
        return imagined.next_observation, imagined.reward, imagined.terminated

    def pick(self, states: FloatArray, places: IntArray) -> FloatArray:
        """Some of the vectors."""
        return states[places]

    def merge(self, states: FloatArray) -> tuple[FloatArray, IntArray]:
        """All of them: no two are alike."""
        return states, np.arange(len(states))


class SimulatedWorlds:
    """Of a `Simulator`, one state after another."""

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator

    def begin(self, observations: Any) -> list[Any]:
        """The simulator's states."""
        return [self._simulator.begin(observation) for observation in observations]

    def observations(self, states: list[Any]) -> Any:
        """What the values see."""
        return np.array([self._simulator.observation(state) for state in states])

    def step(
        self, states: list[Any], actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> tuple[list[Any], FloatArray, BoolArray]:
        """What the simulator draws."""
        drawn = [
            self._simulator.step(state, action, rng)
            for state, action in zip(states, actions, strict=True)
        ]
        following, reward, terminated = zip(*drawn, strict=True) if drawn else ((), (), ())
        return list(following), np.array(reward, dtype=np.float64), np.array(terminated, dtype=bool)

    def pick(self, states: list[Any], places: IntArray) -> list[Any]:
        """Some of the states."""
        return [states[place] for place in places]

    def merge(self, states: list[Any]) -> tuple[list[Any], IntArray]:
        """Those with different keys."""
        numbers: dict[Any, int] = {}
        which = np.empty(len(states), dtype=np.int64)
        different: list[Any] = []
        for place, state in enumerate(states):
            key = self._simulator.key(state)
            if key not in numbers:
                numbers[key] = len(different)
                different.append(state)
            which[place] = numbers[key]
        return different, which


def make_worlds(model: Any) -> Worlds:
    """A model's simulations.

    Raises:
        TypeError: naming what the model lacks.
    """
    if hasattr(model, "imagine"):
        return VectorWorlds(model)
    return SimulatedWorlds(make_simulator(model))
