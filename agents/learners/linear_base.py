"""What all linear learners share: a matrix of weights, its predictions, and a state of arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from ..core.state import checked_state
from .protocol import Estimate, checked_rows, checked_size, normal_draw


class LinearLearner(ABC):
    """A learner that predicts x W; a kind of it says how W is learned, and how sure it is.

    Args:
        num_inputs: numbers that go in.
        num_outputs: numbers that come out.

    Attributes:
        weights: (inputs, outputs) W.
    """

    parts: ClassVar[tuple[str, ...]] = ("weights",)
    """The attributes that are its state, each a float64 array."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        self.num_inputs = checked_size("num_inputs", num_inputs)
        self.num_outputs = checked_size("num_outputs", num_outputs)
        self.weights = np.zeros((self.num_inputs, self.num_outputs))

    @abstractmethod
    def doubt(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Variances of checked inputs, as those of `Estimate`, or what can be broadcast to them."""

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """What is believed of inputs (batch, inputs).

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        rows = checked_rows("inputs", inputs, self.num_inputs)
        mean = rows @ self.weights
        epistemic, noise = (np.broadcast_to(each, mean.shape).copy() for each in self.doubt(rows))
        return Estimate(mean, epistemic, noise)

    def expect(self, inputs: npt.ArrayLike) -> FloatArray:
        """(batch, outputs) the mean alone, which costs less than the variances.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        mean: FloatArray = checked_rows("inputs", inputs, self.num_inputs) @ self.weights
        return mean

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """(batch, outputs) one normal draw of the targets, each number on its own.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        return normal_draw(self.predict(inputs), rng)

    def get_state(self) -> dict[str, Any]:
        """Its parts."""
        return {name: getattr(self, name).copy() for name in self.parts}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another kind of learner; this one is then as it was.
        """
        for name, array in checked_state(state, self.get_state()).items():
            setattr(self, name, array)


def squared_length(rows: FloatArray, spread: FloatArray) -> FloatArray:
    """(batch, 1) x' P x of each row x; rounding never makes it negative."""
    lengths: FloatArray = np.einsum("bi,bi->b", rows @ spread, rows)[:, None]
    return np.maximum(lengths, 0.0)


def take_arrays(own: dict[str, Any], state: dict[str, Any]) -> list[Any]:
    """Copies of a state's values, in the order of one's own; see `checked_state`."""
    return list(checked_state(state, own).values())
