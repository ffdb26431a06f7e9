"""The actions of a world, as models of vectors see them: numbered, or vectors themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number


class NumberedActions:
    """Actions that are numbered from 0; learners see them one-hot.

    Args:
        count: how many there are.

    Attributes:
        size: how many numbers learners see.

    Raises:
        ValueError: for a count below 1.
    """

    def __init__(self, count: int) -> None:
        self.count = self.size = int(checked_number("num_actions", count, 1, whole=True))

    def empty(self, room: int) -> npt.NDArray[Any]:
        """A column with room for so many actions."""
        return np.zeros(room, dtype=np.int64)

    def checked(self, actions: Any) -> npt.NDArray[Any]:
        """(batch,) actions as int64, if they are some.

        Raises:
            TypeError: for actions that are not whole.
            ValueError: for another shape, or an action that there is not.
        """
        actions = np.asarray(actions)
        if actions.dtype.kind not in "iu":
            raise TypeError(f"actions of dtype {actions.dtype}; expected integers")
        if actions.ndim != 1:
            raise ValueError(f"actions of shape {actions.shape}; expected (batch,)")
        if actions.size and not 0 <= actions.min() <= actions.max() < self.count:
            wrong = int(actions[(actions < 0) | (actions >= self.count)][0])
            raise ValueError(f"action {wrong}; expected 0 to {self.count - 1}")
        numbers: npt.NDArray[Any] = actions.astype(np.int64, copy=False)
        return numbers

    def fill(self, inputs: FloatArray, actions: npt.NDArray[Any]) -> None:
        """Write (batch,) checked actions into (batch, size) zeros."""
        inputs[np.arange(len(actions)), actions] = 1.0


class VectorActions:
    """Actions that are vectors of real numbers; learners see them as they are.

    Args:
        size: how many numbers an action has.

    Attributes:
        count: 0; there is no number of actions.

    Raises:
        ValueError: for a size below 1.
    """

    count = 0

    def __init__(self, size: int) -> None:
        self.size = int(checked_number("size of an action", size, 1, whole=True))

    def empty(self, room: int) -> npt.NDArray[Any]:
        """A column with room for so many actions."""
        return np.zeros((room, self.size))

    def checked(self, actions: Any) -> npt.NDArray[Any]:
        """(batch, size) actions as float64, if they are some.

        Raises:
            TypeError: for a dtype that is no number.
            ValueError: for another shape, NaN or infinity.
        """
        return finite_numbers("actions", actions, (*np.shape(actions)[:1], self.size))

    def fill(self, inputs: FloatArray, actions: npt.NDArray[Any]) -> None:
        """Write (batch, size) checked actions into as many zeros."""
        inputs[:] = actions


Actions = NumberedActions | VectorActions
"""What a model of vectors may be made for."""


def as_actions(actions: int | Actions) -> Actions:
    """The actions themselves, or so many numbered ones."""
    return actions if isinstance(actions, Actions) else NumberedActions(actions)


def finite_numbers(name: str, values: Any, shape: tuple[int, ...]) -> FloatArray:
    """Values as float64, if they are finite numbers of that shape.

    Raises:
        TypeError: for a dtype that is no number.
        ValueError: for another shape, NaN or infinity, naming the first row.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} of dtype {array.dtype}; expected real numbers")
    if array.shape != shape:
        raise ValueError(f"{name} of shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise ValueError(f"{name} row {row}: {array[row].tolist()}; expected finite numbers")
    return array.astype(np.float64, copy=False)
