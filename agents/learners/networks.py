"""Parts of network learners: parameters in one vector, Adam, and a buffer of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray

from ..core.records import checked_state

ADAM_DECAY = (0.9, 0.999)
"""Adam's decay rates of the mean gradient and of the mean square."""

EPSILON = 1e-8
"""Adam's epsilon, added to the root of the mean square."""


class Parameters:
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

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = dict(shapes)
        size = sum(int(np.prod(shape)) for shape in shapes.values())
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

    def get_state(self) -> dict[str, Any]:
        """Return the values and the moments of Adam."""
        return {
            "values": self.values.copy(),
            "first": self._first.copy(),
            "second": self._second.copy(),
            "steps": self.steps,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is another kind of state; the parameters are then unchanged.
        """
        given = checked_state(state, self.get_state())
        self.values[:], self.steps = given["values"], given["steps"]
        self._first[:], self._second[:] = given["first"], given["second"]


class RowBuffer:
    """Ring buffer of rows; when full the oldest are overwritten.

    Args:
        capacity: largest number of rows.
        columns: name -> length of a row.
    """

    def __init__(self, capacity: int, columns: Mapping[str, int]) -> None:
        self.capacity = capacity
        self.columns = dict(columns)
        self.seen = 0
        self._columns = {name: np.zeros((0, width)) for name, width in columns.items()}

    @property
    def size(self) -> int:
        """Number of stored rows."""
        return min(self.seen, self.capacity)

    def __getitem__(self, name: str) -> FloatArray:
        """Return the (size, width) rows of a column, in no particular order."""
        return self._columns[name][: self.size]

    def append(self, **rows: FloatArray) -> None:
        """Add rows to all columns."""
        (number, *_) = (len(each) for each in rows.values())
        needed = min(self.seen + number, self.capacity)
        places = np.arange(self.seen, self.seen + number)[-self.capacity :] % self.capacity
        for name in self._columns:
            self._reserve(name, needed)
            self._columns[name][places] = rows[name][-self.capacity :]
        self.seen += number

    def _reserve(self, name: str, needed: int) -> None:
        column = self._columns[name]
        if needed > len(column):
            more = min(max(needed, 2 * len(column)), self.capacity) - len(column)
            self._columns[name] = np.concatenate([column, np.zeros((more, column.shape[1]))])

    def get_state(self) -> dict[str, Any]:
        """Return the stored rows and the number of rows ever seen."""
        return {**{name: self[name].copy() for name in self._columns}, "seen": self.seen}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is another kind of state; the buffer is then unchanged.
        """
        given = checked_state(state, self.get_state(), self.shapes(state))
        self.seen = given.pop("seen")
        self._columns = given

    def shapes(self, state: dict[str, Any]) -> dict[str, tuple[int, int]]:
        """Return the expected shapes of a state's columns."""
        seen = state.get("seen")
        size = min(seen, self.capacity) if isinstance(seen, int) and seen >= 0 else 0
        return {name: (size, width) for name, width in self.columns.items()}
