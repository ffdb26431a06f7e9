"""What every learner can do: regression with doubt, one batch after another.

A learner knows nothing of worlds: numbers go in and numbers come out. A user's own learner is any
object with these methods; nothing needs to be inherited.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

LARGEST = 1e50
"""Numbers beyond it are refused: their squares would run over."""


class Estimate(NamedTuple):
    """What a learner believes of some inputs; the two variances add up to that of a new target."""

    mean: FloatArray  # (batch, outputs)
    epistemic: FloatArray  # (batch, outputs) variance from not knowing the function
    noise: FloatArray  # (batch, outputs) variance of the targets round it (aleatoric)


class Learner(Protocol):
    """Regression that learns as it goes and says how sure it is."""

    @property
    def num_inputs(self) -> int:
        """Numbers that go in; an attribute will do."""

    @property
    def num_outputs(self) -> int:
        """Numbers that come out; an attribute will do."""

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch: inputs (batch, inputs), targets (batch, outputs); none is nothing.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then as it was.
        """

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """What is believed of inputs (batch, inputs); learns nothing and draws nothing.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """(batch, outputs) one draw of the targets, all randomness from `rng`.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """

    def get_state(self) -> dict[str, Any]:
        """Arrays and numbers that `set_state` takes back."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another kind of learner; this one is then as it was.
        """


def checked_rows(name: str, values: npt.ArrayLike, columns: int) -> FloatArray:
    """A batch of rows as float64, if it is one.

    Args:
        name: the argument's name, for the message.
        values: (batch, columns) real numbers of at most `LARGEST`; not copied needlessly.
        columns: how many numbers a row has.

    Raises:
        TypeError: if they are not real numbers.
        ValueError: for another shape, or for NaN, infinity or a number that is too large, naming
            the first.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} of dtype {array.dtype}; expected real numbers")
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"{name} of shape {array.shape}; expected (batch, {columns})")
    rows = array.astype(np.float64, copy=False)
    good = np.abs(rows) <= LARGEST  # which NaN is not
    if not good.all():
        row, column = (int(place) for place in np.argwhere(~good)[0])
        raise ValueError(
            f"{name} row {row}, column {column}: {rows[row, column]}; expected finite numbers of "
            f"at most {LARGEST:g}"
        )
    return rows


def checked_batch(
    inputs: npt.ArrayLike, targets: npt.ArrayLike, num_inputs: int, num_outputs: int
) -> tuple[FloatArray, FloatArray]:
    """A batch to learn from, (batch, inputs) and (batch, outputs) as float64, if it is one.

    Raises:
        TypeError: if they are not real numbers.
        ValueError: for another shape, NaN or infinity, or unequal numbers of rows.
    """
    rows = checked_rows("inputs", inputs, num_inputs)
    wanted = checked_rows("targets", targets, num_outputs)
    if len(rows) != len(wanted):
        raise ValueError(f"{len(rows)} inputs and {len(wanted)} targets; expected equally many")
    return rows, wanted


def checked_size(name: str, value: object, low: int = 1) -> int:
    """The whole number of at least `low` that an argument is.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is not whole or below `low`.
    """
    return int(checked_number(name, value, low, whole=True))


def normal_draw(estimate: Estimate, rng: np.random.Generator) -> FloatArray:
    """(batch, outputs) draws of targets that are normal, each number on its own."""
    spread = np.sqrt(estimate.epistemic + estimate.noise)
    drawn: FloatArray = estimate.mean + spread * rng.standard_normal(estimate.mean.shape)
    return drawn
