"""Parts of network learners: training settings, units, and parameters in one vector with Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.configuration import set_checked
from dynamaze.common.validation import check_entries, checked_count, checked_integer, checked_number

from ..core.records import Stateful
from .protocol import column_spreads, standardise

ADAM_DECAY = (0.9, 0.999)
"""Adam's decay rates of the mean gradient and of the mean square."""

EPSILON = 1e-8
"""Adam's epsilon, added to the root of the mean square."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of training that the network learners share.

    Raises:
        ValueError: if a number is outside its range.
    """

    learning_rate: float = 3e-3
    """Step size of Adam."""

    batch_size: int = 64
    """Rows of a gradient step."""

    capacity: int = 20_000
    """Size of the buffers of rows; then the oldest are overwritten."""

    min_spread: float = 0.0
    """Lower limit of the standard deviation that scales the inputs, so that features that have
    hardly varied are not amplified."""

    def __post_init__(self) -> None:
        set_checked(
            self,
            learning_rate=checked_number("learning_rate", self.learning_rate, 0, above=True),
            batch_size=checked_count("batch_size", self.batch_size),
            capacity=checked_integer("capacity", self.capacity, 1),
            min_spread=checked_number("min_spread", self.min_spread, 0),
        )


class Units(NamedTuple):
    """Offsets and scales by which a network's inputs and targets are standardised."""

    input_offset: FloatArray  # (inputs,)
    input_spread: FloatArray  # (inputs,)
    offset: FloatArray  # (outputs,)
    spread: FloatArray  # (outputs,)

    @classmethod
    def begin(cls, num_inputs: int, num_outputs: int) -> Units:
        """Return units that change nothing."""
        inputs, outputs = (num_inputs,), (num_outputs,)
        return cls(np.zeros(inputs), np.ones(inputs), np.zeros(outputs), np.ones(outputs))

    @classmethod
    def of(cls, inputs: FloatArray, targets: FloatArray, min_spread: float) -> Units:
        """Return the mean and standard deviation of each column.

        Args:
            inputs: (batch, inputs).
            targets: (batch, outputs).
            min_spread: as of `TrainingSettings`.
        """
        input_spread = column_spreads(inputs, min_spread)
        return cls(inputs.mean(axis=0), input_spread, targets.mean(axis=0), column_spreads(targets))

    def scaled_inputs(self, inputs: FloatArray) -> FloatArray:
        """Return standardised inputs (batch, inputs)."""
        return standardise(inputs, self.input_offset, self.input_spread)

    def scaled_targets(self, targets: FloatArray) -> FloatArray:
        """Return standardised targets (batch, outputs)."""
        return standardise(targets, self.offset, self.spread)


class Parameters(Stateful):
    """Named float32 arrays in one vector, so that a step of Adam is a few operations.

    Args:
        shapes: name -> shape.

    Attributes:
        values: all of them, concatenated.
        gradients: the loss gradient in each of them.
        arrays: name -> view of its part of `values`.
        slopes: name -> view of its part of `gradients`.
        steps: number of Adam steps.
    """

    state_fields: ClassVar = {"vectors": "", "steps": "steps"}

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = dict(shapes)
        size = sum(math.prod(shape) for shape in shapes.values())
        check_entries("num_inputs, num_outputs, hidden, members", size)
        self.values, self.gradients = np.zeros((2, size), dtype=np.float32)
        self._first, self._second, self._buffer = np.zeros((3, size), dtype=np.float32)
        self.steps = 0
        self.arrays: dict[str, Float32Array] = {}
        self.slopes: dict[str, Float32Array] = {}
        first = 0
        for name, shape in shapes.items():
            part = slice(first, first := first + int(np.prod(shape)))
            self.arrays[name] = self.values[part].reshape(shape)
            self.slopes[name] = self.gradients[part].reshape(shape)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameters:
        # A default deep copy would copy the views, which then no longer share the vectors' memory.
        twin = Parameters(self._shapes)
        twin.set_state(self.get_state())
        return twin

    def adam_step(self, learning_rate: float) -> None:
        """Take one step of Adam (Kingma & Ba 2015) along the negative gradient."""
        self.steps += 1
        buffer, gradients = self._buffer, self.gradients
        # m += (1 - beta1) (g - m); v += (1 - beta2) (g^2 - v)
        np.subtract(gradients, self._first, out=buffer)
        buffer *= 1 - ADAM_DECAY[0]
        self._first += buffer
        np.multiply(gradients, gradients, out=buffer)
        buffer -= self._second
        buffer *= 1 - ADAM_DECAY[1]
        self._second += buffer
        # theta -= rate m_hat / (sqrt(v_hat) + epsilon), with bias-corrected moments
        np.sqrt(self._second, out=buffer)
        buffer *= 1 / np.sqrt(1 - ADAM_DECAY[1] ** self.steps, dtype=np.float32)
        buffer += EPSILON
        np.divide(self._first, buffer, out=buffer)
        buffer *= learning_rate / (1 - ADAM_DECAY[0] ** self.steps)
        self.values -= buffer

    def reset_optimiser(self) -> None:
        """Reset the moments of Adam."""
        self._first[:] = self._second[:] = 0
        self.steps = 0

    @property
    def vectors(self) -> ParameterVectors:
        """Parameters and the moments of Adam; to set them keeps the views on them."""
        return ParameterVectors(self.values, self._first, self._second)

    @vectors.setter
    def vectors(self, vectors: ParameterVectors) -> None:
        for own, given in zip(self.vectors, vectors, strict=True):
            own[:] = given


class ParameterVectors(NamedTuple):
    """Vectors in the state of parameters."""

    values: Float32Array
    first: Float32Array  # moving average of the gradients
    second: Float32Array  # and of their squares
