"""Recurrent student that runs without torch."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray

from ...core.policy import LogitPolicy
from ...files.weights import Arrays
from ..common.exported_policy import RecurrentState
from ..common.float32 import numbers, shape_error
from .kernels import gru_act, gru_batch


class GRUWeights(NamedTuple):
    """Float32 weights; the gates are reset, update and new, in this order."""

    inwards: Float32Array  # (3 * width, inputs)
    inwards_bias: Float32Array  # (3 * width,)
    backwards: Float32Array  # (3 * width, width) from the state
    backwards_bias: Float32Array  # (3 * width,)
    outwards: Float32Array  # (actions, width)
    outwards_bias: Float32Array  # (actions,)


STORED = {
    "inwards": "cell.weight_ih_l0",
    "inwards_bias": "cell.bias_ih_l0",
    "backwards": "cell.weight_hh_l0",
    "backwards_bias": "cell.bias_hh_l0",
    "outwards": "last.weight",
    "outwards_bias": "last.bias",
}
"""Field -> name in the state dict of `GRU`."""


class CompiledGRU(RecurrentState, LogitPolicy):
    """Compiled `GRU`. It has work arrays of its own: not for two threads at once.

    Args:
        weights: float32.
        observation_shape: shape of a single observation; it is flattened, and uint8 divided by 255.

    Raises:
        ValueError: if the weights do not fit each other or the observation.
    """

    def __init__(self, weights: GRUWeights, observation_shape: tuple[int, ...]) -> None:
        self.observation_shape, inputs = observation_shape, prod(observation_shape)
        self.num_actions, self.width = weights.outwards.shape
        gates = 3 * self.width
        shapes = {
            "inwards": (gates, inputs),
            "inwards_bias": (gates,),
            "backwards": (gates, self.width),
            "backwards_bias": (gates,),
            "outwards": (self.num_actions, self.width),
            "outwards_bias": (self.num_actions,),
        }
        for name, array in weights._asdict().items():
            if array.shape != shapes[name]:
                raise ValueError(f"{STORED[name]} {array.shape}; expected {shapes[name]}")
        self.weights = GRUWeights(*(np.ascontiguousarray(w, dtype=np.float32) for w in weights))
        self.memory = None
        self._gates = np.zeros((2, gates), dtype=np.float32)
        self._logits = np.zeros(self.num_actions, dtype=np.float32)

    def act(self, observation: Any) -> int:
        """Return the best action at the next step of one episode, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape, or a state of several episodes.
        """
        array, times = numbers(observation)
        if array.shape != self.observation_shape:
            raise shape_error(array.shape, self.observation_shape)
        if self.memory is None or len(self.memory) != 1:  # recall refuses a state of several
            self.memory = self.recall(1)
        return gru_act(array, times, self.memory[0], self.weights, self._gates, self._logits)  # type: ignore[no-any-return]

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) logits for the next observation of each of a batch of episodes.

        Raises:
            ValueError: for observations of another shape, or another number of them than the rows
                of `memory`.
        """
        array, times = numbers(observations)
        if array.ndim == 0 or array.shape[1:] != self.observation_shape:
            raise shape_error(array.shape, ("batch", *self.observation_shape))
        rows = array.reshape(len(array), prod(self.observation_shape))
        logits = np.zeros((len(rows), self.num_actions), dtype=np.float32)
        memory = self.recall(len(rows))
        gru_batch(rows, times, memory, self.weights, self._gates, logits)
        self.memory = memory
        return logits.astype(np.float64)

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(part.size for part in self.weights)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one step."""
        return sum(part.size for part in self.weights if part.ndim == 2)


def build_gru(config: Mapping[str, Any], weights: Arrays) -> CompiledGRU:
    """Build the policy from the contents of a file.

    Raises:
        KeyError: for a missing weight.
        ValueError: for a weight that does not fit.
    """
    named = GRUWeights(**{name: weights[stored] for name, stored in STORED.items()})
    policy = CompiledGRU(named, tuple(config["observation_shape"]))
    expected = (config["num_actions"], config["width"])
    if (policy.num_actions, policy.width) != expected:
        raise ValueError(
            f"{policy.num_actions} actions and a state of {policy.width}; expected "
            f"{expected[0]} and {expected[1]}"
        )
    return policy
