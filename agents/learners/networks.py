"""What the learners made of networks share: parameters in a vector, Adam, a memory of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray

from ..core.state import checked_state

FADING = (0.9, 0.999)
"""How much of the mean gradient and of the mean square stays at a step of Adam."""

TINY = 1e-8
"""Added to the root of the mean square."""


class Parameters:
    """Named float32 arrays that lie in one vector, so that Adam's step is a few operations.

    Args:
        shapes: name -> shape.

    Attributes:
        values: all of them, one after the other.
        gradients: the loss's slope in each of them.
        arrays: name -> its part of `values`, the same memory.
        slopes: name -> its part of `gradients`, the same memory.
        steps: how many steps Adam has taken.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = dict(shapes)
        size = sum(int(np.prod(shape)) for shape in shapes.values())
        self.values, self.gradients = np.zeros((2, size), dtype=np.float32)
        self._first, self._second, self._room = np.zeros((3, size), dtype=np.float32)
        self.steps = 0
        self.arrays: dict[str, Float32Array] = {}
        self.slopes: dict[str, Float32Array] = {}
        first = 0
        for name, shape in shapes.items():
            part = slice(first, first := first + int(np.prod(shape)))
            self.arrays[name] = self.values[part].reshape(shape)
            self.slopes[name] = self.gradients[part].reshape(shape)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameters:
        # Copied one by one the parts would no longer lie in the vectors.
        twin = Parameters(self._shapes)
        twin.set_state(self.get_state())
        return twin

    def descend(self, learning_rate: float) -> None:
        """One step of Adam (Kingma & Ba 2015) down the gradients."""
        self.steps += 1
        room, gradients = self._room, self.gradients
        np.subtract(gradients, self._first, out=room)
        room *= 1 - FADING[0]
        self._first += room
        np.multiply(gradients, gradients, out=room)
        room -= self._second
        room *= 1 - FADING[1]
        self._second += room
        np.sqrt(self._second, out=room)
        room *= 1 / np.sqrt(1 - FADING[1] ** self.steps, dtype=np.float32)
        room += TINY
        np.divide(self._first, room, out=room)
        room *= learning_rate / (1 - FADING[0] ** self.steps)
        self.values -= room

    def forget_steps(self) -> None:
        """Let Adam begin anew."""
        self._first[:] = self._second[:] = 0
        self.steps = 0

    def get_state(self) -> dict[str, Any]:
        """The values and what Adam remembers."""
        return {
            "values": self.values.copy(),
            "first": self._first.copy(),
            "second": self._second.copy(),
            "steps": self.steps,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is another kind of state; the parameters are then as they were.
        """
        given = checked_state(state, self.get_state())
        self.values[:], self.steps = given["values"], given["steps"]
        self._first[:], self._second[:] = given["first"], given["second"]


class Memory:
    """The newest rows, up to a capacity; then the oldest give way.

    Args:
        capacity: rows at most.
        columns: name -> numbers in a row.
    """

    def __init__(self, capacity: int, columns: Mapping[str, int]) -> None:
        self.capacity = capacity
        self.columns = dict(columns)
        self.seen = 0
        self._columns = {name: np.zeros((0, width)) for name, width in columns.items()}

    @property
    def size(self) -> int:
        """How many rows there are."""
        return min(self.seen, self.capacity)

    def __getitem__(self, name: str) -> FloatArray:
        """(size, width) a column's rows, in no order."""
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
        """The rows in use, and how many were ever seen."""
        return {**{name: self[name].copy() for name in self._columns}, "seen": self.seen}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is another kind of state; the memory is then as it was.
        """
        given = checked_state(state, self.get_state(), self.shapes(state))
        self.seen = given.pop("seen")
        self._columns = given

    def shapes(self, state: dict[str, Any]) -> dict[str, tuple[int, int]]:
        """The shapes that the columns of a state must have."""
        seen = state.get("seen")
        size = min(seen, self.capacity) if isinstance(seen, int) and seen >= 0 else 0
        return {name: (size, width) for name, width in self.columns.items()}
