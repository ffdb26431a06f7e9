"""MLP and linear students that run without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray

from ...core.policy import LogitPolicy
from ...files.weights import Arrays
from ..common.float32 import numbers, shape_error
from .kernels import mlp_act, mlp_batch


class CompiledMLP(LogitPolicy):
    """Compiled `MLP` or `Linear`. It has work arrays of its own: not for two threads at once.

    Args:
        layers: (outputs, inputs) weights and (outputs,) biases, float32; tanh between layers.
        observation_shape: shape of a single observation; it is flattened, and uint8 divided by 255.

    Raises:
        ValueError: if the layers do not fit each other or the observation.
    """

    def __init__(
        self, layers: list[tuple[Float32Array, Float32Array]], observation_shape: tuple[int, ...]
    ):
        self.layers, self.observation_shape = layers, observation_shape
        sizes = [prod(observation_shape)]
        for weight, bias in layers:
            if weight.ndim != 2 or weight.shape[1] != sizes[-1] or bias.shape != weight.shape[:1]:
                raise ValueError(
                    f"weights {weight.shape} and biases {bias.shape}; expected (outputs, "
                    f"{sizes[-1]}) and (outputs,)"
                )
            sizes.append(len(weight))
        self.num_actions = sizes[-1]
        parts = [part.ravel() for layer in layers for part in layer]
        hidden = np.zeros(sum(sizes[1:-1]), dtype=np.float32)
        self._rule = (np.concatenate(parts).astype(np.float32), np.array(sizes), hidden)
        self._logits = np.zeros(self.num_actions, dtype=np.float32)

    def act(self, observation: Any) -> int:
        """Return the best action for one observation, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape.
        """
        array, times = numbers(observation)
        if array.shape != self.observation_shape:
            raise shape_error(array.shape, self.observation_shape)
        return mlp_act(array, times, *self._rule, self._logits)  # type: ignore[no-any-return]

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) logits for a batch of observations.

        Raises:
            ValueError: for observations of another shape.
        """
        array, times = numbers(observations)
        if array.ndim == 0 or array.shape[1:] != self.observation_shape:
            raise shape_error(array.shape, ("batch", *self.observation_shape))
        rows = array.reshape(len(array), prod(self.observation_shape))
        logits = np.zeros((len(rows), self.num_actions), dtype=np.float32)
        mlp_batch(rows, times, *self._rule, logits)
        return logits.astype(np.float64)

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases."""
        return int(self._rule[0].size)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of all layers."""
        return sum(weight.size for weight, _ in self.layers)


def build_mlp(config: Mapping[str, Any], weights: Arrays) -> CompiledMLP:
    """Build the policy from the contents of a file.

    Raises:
        KeyError: for a missing weight.
        ValueError: for a weight that does not fit.
    """
    # Natural sort order: layer 10 comes after layer 9.
    names = sorted(
        (name for name in weights if name.endswith("weight")),
        key=lambda name: [int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", name)],
    )
    layers = [(weights[name], weights[name[: -len("weight")] + "bias"]) for name in names]
    policy = CompiledMLP(layers, tuple(config["observation_shape"]))
    expected = config.get("layers", 0) + 1, config["num_actions"]
    if (len(layers), policy.num_actions) != expected:
        raise ValueError(
            f"{len(layers)} layers to {policy.num_actions} actions; expected {expected[0]} to "
            f"{expected[1]}"
        )
    return policy
