"""Convolutional student that runs without torch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray

from ...core.policy import LogitPolicy
from ...files.weights import Arrays
from ..common.float32 import PLANES, no_agent_error, numbers, shape_error
from .conv_kernels import conv_act, conv_batch

KERNEL, COLOURS = 9, 3
Size = tuple[int, int, int]  # rows, columns and channels


class ConvWeights(NamedTuple):
    """Float32 weights, the channels of a cell contiguous."""

    convolved: Float32Array  # (all,) per layer (channels, 3, 3, inputs) weights, (channels,) biases
    last: Float32Array  # (actions, rows, cols, channels); one cell for planes
    bias: Float32Array  # (actions,)
    stride: int  # 1 for planes with queried cells, 2 otherwise


class ConvBuffers(NamedTuple):
    """Work arrays for observations of one size."""

    sizes: npt.NDArray[np.int64]  # (layers + 1, 3) sizes of the input and of each layer, see `Size`
    steps: npt.NDArray[np.int64]  # (3,) strides of rows, columns and channels in the observation
    units: Float32Array  # (all,) the input and each layer's units, with a border of zeros
    patch: Float32Array  # (9 * most channels,) inputs of one unit


class CompiledConvolution(LogitPolicy):
    """Compiled `Convolution`. It has work arrays of its own: not for two threads at once.

    On planes it takes mazes of any size, and computes only the receptive field of the queried
    cells.

    Args:
        layers: (channels, inputs, 3, 3) weights and (channels,) biases, float32.
        last: (actions, units) weights and (actions,) biases of the output layer.
        observation_shape: shape of a single observation; see `Convolution`.
        per_cell: True for an output row for each cell marked in the second of three planes.

    Attributes:
        read: rows and columns of the units that the last layer reads.

    Raises:
        ValueError: if the layers do not fit each other or the observation.
    """

    def __init__(
        self,
        layers: list[tuple[Float32Array, Float32Array]],
        last: tuple[Float32Array, Float32Array],
        observation_shape: tuple[int, ...],
        *,
        per_cell: bool,
    ) -> None:
        self.per_cell = per_cell
        self.is_image = not per_cell and observation_shape[2] == COLOURS
        self.observation_shape: tuple[int | None, ...] = observation_shape
        if per_cell:
            self.observation_shape = (PLANES, None, None)
        self.layers, self.last, self.num_actions = layers, last, len(last[1])
        *before, (rows, cols, channels) = sizes = self.sizes(observation_shape)
        for number, (weight, bias) in enumerate(layers):
            outputs = sizes[number + 1][2]
            _check(f"layers.{number}.weight", weight, (outputs, before[number][2], 3, 3))
            _check(f"layers.{number}.bias", bias, (outputs,))
        self.read = (1, 1) if per_cell else (rows, cols)
        _check("last.weight", last[0], (self.num_actions, channels * prod(self.read)))
        beside = [part for w, b in layers for part in (w.transpose(0, 2, 3, 1).ravel(), b)]
        by_map = last[0].reshape(self.num_actions, channels, *self.read)
        self.weights = ConvWeights(
            np.concatenate(beside).astype(np.float32),
            np.ascontiguousarray(by_map.transpose(0, 2, 3, 1), dtype=np.float32),
            np.ascontiguousarray(last[1], dtype=np.float32),
            1 if per_cell else 2,
        )
        self._work: dict[tuple[int, ...], ConvBuffers] = {}
        self._logits = np.zeros((1, self.num_actions), dtype=np.float32)

    def act(self, observation: Any) -> int:
        """Return the best action for one observation, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape, or planes without a marked cell.
        """
        array, times = self._seen(observation, ())
        work = self._work_for(array.shape)
        action: int = conv_act(array, times, self.weights, work, self._logits)
        if action < 0:
            raise no_agent_error()
        return action

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits for a batch; for planes at all marked cells.

        Raises:
            ValueError: for observations of another shape.
        """
        array, times = self._seen(observations, ("batch",))
        queries = int((array[:, 1] > 0.5).sum()) if self.per_cell else len(array)
        logits = np.zeros((queries, self.num_actions), dtype=np.float32)
        rows = array.reshape(len(array), prod(array.shape[1:]))
        conv_batch(rows, times, self.weights, self._work_for(array.shape[1:]), logits)
        return logits.astype(np.float64)

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(part.size for layer in (*self.layers, self.last) for part in layer)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of all convolutions over all cells, and of the last layer once.

        `act` does fewer, since it skips cells outside the receptive field.
        """
        sizes = self.sizes(observation_shape)
        convolved = sum(prod(after) * KERNEL * before[2] for before, after in pairwise(sizes))
        return convolved + int(self.last[0].size)

    def sizes(self, observation_shape: tuple[int, ...]) -> list[Size]:
        """Return the sizes of the input and of each convolution's output."""
        planes, rows, cols = observation_shape
        if self.is_image:
            rows, cols, planes = observation_shape
        sizes = [(rows, cols, PLANES - 1 if self.per_cell else planes)]
        for weight, _ in self.layers:
            if not self.per_cell:
                rows, cols = (rows + 1) // 2, (cols + 1) // 2
            sizes.append((rows, cols, len(weight)))
        return sizes

    def steps(self, observation_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return the strides of rows, columns and channels in an observation."""
        _, rows, cols = observation_shape
        if self.is_image:
            return observation_shape[1] * COLOURS, COLOURS, 1
        # From the walls to the goals the plane of queried cells is skipped.
        return cols, 1, rows * cols * (2 if self.per_cell else 1)

    def _seen(self, given: Any, batch: tuple[str, ...]) -> tuple[npt.NDArray[Any], np.float32]:
        array, times = numbers(given)
        shape = array.shape[len(batch) :]
        if shape != self.observation_shape and (
            not self.per_cell or len(shape) != 3 or shape[0] != PLANES
        ):
            sides = (PLANES, "rows", "cols") if self.per_cell else self.observation_shape
            raise shape_error(array.shape, (*batch, *sides))
        return array, np.float32(1) if self.per_cell else times  # planes are not images

    def _work_for(self, shape: tuple[int, ...]) -> ConvBuffers:
        if shape not in self._work:
            sizes = self.sizes(shape)
            units = sum((rows + 2) * (cols + 2) * channels for rows, cols, channels in sizes)
            most = max(channels for _, _, channels in sizes)
            work = ConvBuffers(
                np.array(sizes, dtype=np.int64),
                np.array(self.steps(shape), dtype=np.int64),
                np.zeros(units, dtype=np.float32),
                np.zeros(KERNEL * most, dtype=np.float32),
            )
            self._work = {shape: work}  # only the latest size is kept
        return self._work[shape]


def _check(name: str, array: Float32Array, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ValueError(f"{name} {array.shape}; expected {expected}")


def build_convolution(config: Mapping[str, Any], weights: Arrays) -> CompiledConvolution:
    """Build the policy from the contents of a file.

    Raises:
        KeyError: for a missing weight.
        ValueError: for a weight that does not fit.
    """
    names = [f"layers.{number}" for number in range(config["layers"])]
    *layers, last = [(weights[f"{n}.weight"], weights[f"{n}.bias"]) for n in (*names, "last")]
    policy = CompiledConvolution(
        layers, last, tuple(config["observation_shape"]), per_cell=config["per_cell"]
    )
    found = policy.num_actions, len(weights), *{len(bias) for _, bias in layers}
    expected = config["num_actions"], 2 * len(names) + 2, config["channels"]
    if found != expected:
        raise ValueError(
            f"actions, weights and channels {found}; expected {expected} of the description"
        )
    return policy
