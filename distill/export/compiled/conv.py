"""A small convolution that runs without torch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray

from ...core.logits import LogitPolicy
from ...files.safetensors import Arrays
from ..common.float32 import PLANES, no_agent, numbers, other_shape
from .conv_kernels import conv_act, conv_many

KERNEL, COLOURS = 9, 3
Size = tuple[int, int, int]  # rows, columns and channels


class ConvWeights(NamedTuple):
    """Float32, the channels of a cell side by side."""

    convolved: (
        Float32Array  # (all,) of each layer (channels, 3, 3, inputs) weights, (channels,) biases
    )
    last: Float32Array  # (actions, rows, cols, channels) of what is read; of planes it is one cell
    bias: Float32Array  # (actions,)
    stride: int  # 1 for planes that say where an answer is wanted, 2 for all else


class ConvWork(NamedTuple):
    """Room to work in, for observations of one size."""

    sizes: npt.NDArray[np.int64]  # (layers + 1, 3) of what is seen and of each layer, see `Size`
    steps: npt.NDArray[np.int64]  # (3,) from a row, column and channel to the next in what is seen
    units: Float32Array  # (all,) of each of the sizes, with a border of one cell that stays 0
    patch: Float32Array  # (9 * most channels,) the cells that one unit is made of


class ConvPolicy(LogitPolicy):
    """A convolution, as `Convolution`. It works in arrays of its own: not for two threads at once.

    One for planes takes mazes of any size, and computes only what the cells asked about can see.

    Args:
        layers: (channels, inputs, 3, 3) weights and (channels,) biases, float32.
        last: (actions, units) weights and (actions,) biases of the linear layer that answers.
        observation_shape: of a single observation; see `Convolution`.
        asks: whether the second of three planes says where an answer is wanted.

    Attributes:
        read: rows and columns of what the last layer reads.

    Raises:
        ValueError: if the layers do not fit each other or the observation.
    """

    def __init__(
        self,
        layers: list[tuple[Float32Array, Float32Array]],
        last: tuple[Float32Array, Float32Array],
        observation_shape: tuple[int, ...],
        *,
        asks: bool,
    ) -> None:
        self.asks = asks
        self.is_picture = not asks and observation_shape[2] == COLOURS
        self.observation_shape: tuple[int | None, ...] = observation_shape
        if asks:
            self.observation_shape = (PLANES, None, None)
        self.layers, self.last, self.num_actions = layers, last, len(last[1])
        *before, (rows, cols, channels) = sizes = self.sizes(observation_shape)
        for number, (weight, bias) in enumerate(layers):
            outputs = sizes[number + 1][2]
            _check(f"layers.{number}.weight", weight, (outputs, before[number][2], 3, 3))
            _check(f"layers.{number}.bias", bias, (outputs,))
        self.read = (1, 1) if asks else (rows, cols)
        _check("last.weight", last[0], (self.num_actions, channels * prod(self.read)))
        beside = [part for w, b in layers for part in (w.transpose(0, 2, 3, 1).ravel(), b)]
        by_map = last[0].reshape(self.num_actions, channels, *self.read)
        self.weights = ConvWeights(
            np.concatenate(beside).astype(np.float32),
            np.ascontiguousarray(by_map.transpose(0, 2, 3, 1), dtype=np.float32),
            np.ascontiguousarray(last[1], dtype=np.float32),
            1 if asks else 2,
        )
        self._work: dict[tuple[int, ...], ConvWork] = {}
        self._logits = np.zeros((1, self.num_actions), dtype=np.float32)

    def act(self, observation: Any) -> int:
        """The best action for one observation, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape, or planes that ask about no cell.
        """
        array, times = self._seen(observation, ())
        work = self._work_for(array.shape)
        action: int = conv_act(array, times, self.weights, work, self._logits)
        if action < 0:
            raise no_agent()
        return action

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits for a batch; of planes at all cells that it asks about.

        Raises:
            ValueError: for observations of another shape.
        """
        array, times = self._seen(observations, ("batch",))
        answers = int((array[:, 1] > 0.5).sum()) if self.asks else len(array)
        logits = np.zeros((answers, self.num_actions), dtype=np.float32)
        rows = array.reshape(len(array), prod(array.shape[1:]))
        conv_many(rows, times, self.weights, self._work_for(array.shape[1:]), logits)
        return logits.astype(np.float64)

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return sum(part.size for layer in (*self.layers, self.last) for part in layer)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of all convolutions, were no cell left out, and of the last layer once."""
        sizes = self.sizes(observation_shape)
        convolved = sum(prod(after) * KERNEL * before[2] for before, after in pairwise(sizes))
        return convolved + int(self.last[0].size)

    def sizes(self, observation_shape: tuple[int, ...]) -> list[Size]:
        """Of what the first convolution sees, and of what each makes of it."""
        planes, rows, cols = observation_shape
        if self.is_picture:
            rows, cols, planes = observation_shape
        sizes = [(rows, cols, PLANES - 1 if self.asks else planes)]
        for weight, _ in self.layers:
            if not self.asks:
                rows, cols = (rows + 1) // 2, (cols + 1) // 2
            sizes.append((rows, cols, len(weight)))
        return sizes

    def steps(self, observation_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """How far a row, column and channel are from the next in an observation."""
        _, rows, cols = observation_shape
        if self.is_picture:
            return observation_shape[1] * COLOURS, COLOURS, 1
        return cols, 1, rows * cols * (2 if self.asks else 1)  # between is where to answer

    def _seen(self, given: Any, batch: tuple[str, ...]) -> tuple[npt.NDArray[Any], np.float32]:
        array, times = numbers(given)
        shape = array.shape[len(batch) :]
        if shape != self.observation_shape and (
            not self.asks or len(shape) != 3 or shape[0] != PLANES
        ):
            sides = (PLANES, "rows", "cols") if self.asks else self.observation_shape
            raise other_shape(array.shape, (*batch, *sides))
        return array, np.float32(1) if self.asks else times  # planes are no pictures

    def _work_for(self, shape: tuple[int, ...]) -> ConvWork:
        if shape not in self._work:
            sizes = self.sizes(shape)
            units = sum((rows + 2) * (cols + 2) * channels for rows, cols, channels in sizes)
            most = max(channels for _, _, channels in sizes)
            work = ConvWork(
                np.array(sizes, dtype=np.int64),
                np.array(self.steps(shape), dtype=np.int64),
                np.zeros(units, dtype=np.float32),
                np.zeros(KERNEL * most, dtype=np.float32),
            )
            self._work = {shape: work}  # of the last size only
        return self._work[shape]


def _check(name: str, array: Float32Array, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ValueError(f"{name} {array.shape}; expected {expected}")


def conv_policy(config: Mapping[str, Any], weights: Arrays) -> ConvPolicy:
    """From what a file holds.

    Raises:
        KeyError: for a weight that is missing.
        ValueError: for one that does not fit.
    """
    names = [f"layers.{number}" for number in range(config["layers"])]
    *layers, last = [(weights[f"{n}.weight"], weights[f"{n}.bias"]) for n in (*names, "last")]
    policy = ConvPolicy(layers, last, tuple(config["observation_shape"]), asks=config["asks"])
    found = policy.num_actions, len(weights), *{len(bias) for _, bias in layers}
    expected = config["num_actions"], 2 * len(names) + 2, config["channels"]
    if found != expected:
        raise ValueError(
            f"actions, weights and channels {found}; expected {expected} of the description"
        )
    return policy
