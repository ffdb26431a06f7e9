"""Protocol of learners: online regression with uncertainty, and validation of its inputs.

A learner maps numbers to numbers and knows nothing of environments. A user-defined learner is any
object with these methods; no base class is needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_count

from ..core.records import Stateful

LARGEST = 1e50
"""Largest magnitude of inputs and targets, whose squares must not overflow."""


class Estimate(NamedTuple):
    """Predictive mean and variances; the variances add up to that of a new target."""

    mean: FloatArray  # (batch, outputs)
    epistemic: FloatArray  # (batch, outputs) variance of the estimated function
    noise: FloatArray  # (batch, outputs) variance of the targets around it (aleatoric)


class Learner(Protocol):
    """Online regression with uncertainty estimates."""

    @property
    def num_inputs(self) -> int:
        """Number of inputs; a class attribute is enough."""

    @property
    def num_outputs(self) -> int:
        """Number of outputs; a class attribute is enough."""

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch: inputs (batch, inputs), targets (batch, outputs).

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then unchanged.
        """

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """Return the predictive mean and variances of inputs (batch, inputs), without side effects.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Sample (batch, outputs) targets, with all randomness from `rng`.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """

    def get_state(self) -> dict[str, Any]:
        """Return the state for `set_state`: arrays and numbers."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is the state of another kind of learner; this one is then unchanged.
        """


class BaseLearner(Stateful, ABC):
    """Base class of the learners here: it validates inputs and targets.

    Subclasses define `_learn` and `_estimate`, and `_sample` unless targets are normal.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.

    Raises:
        ValueError: for a number below 1.
    """

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        self.num_inputs = checked_count("num_inputs", num_inputs)
        self.num_outputs = checked_count("num_outputs", num_outputs)

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch; see `Learner`. An empty one changes nothing."""
        rows, values = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        if len(rows):
            self._learn(rows, values)

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """Return the predictive mean and variances; see `Learner`."""
        return self._estimate(checked_rows("inputs", inputs, self.num_inputs))

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Sample (batch, outputs) targets, each row independently; see `Learner`."""
        return self._sample(checked_rows("inputs", inputs, self.num_inputs), rng)

    @abstractmethod
    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        """Learn from at least one row of inputs and targets."""

    @abstractmethod
    def _estimate(self, rows: FloatArray) -> Estimate:
        """Return the predictive mean and variances of rows of inputs."""

    def _sample(self, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Sample normal targets for rows of inputs."""
        return sample_normal(self._estimate(rows), rng)


def checked_rows(name: str, values: npt.ArrayLike, columns: int) -> FloatArray:
    """Validate a batch of rows as float64.

    Args:
        name: the argument's name, for the message.
        values: (batch, columns) real numbers of at most `LARGEST`; copied only if necessary.
        columns: length of a row.

    Raises:
        TypeError: if they are not real numbers.
        ValueError: for another shape, NaN, infinity or a number that is too large; names the
            first.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} of dtype {array.dtype}; expected real numbers")
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"{name} of shape {array.shape}; expected (batch, {columns})")
    rows = array.astype(np.float64, copy=False)
    good = np.abs(rows) <= LARGEST  # False for NaN
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
    """Validate a training batch, (batch, inputs) and (batch, outputs), as float64.

    Raises:
        TypeError: if they are not real numbers.
        ValueError: for another shape, NaN or infinity, or unequal numbers of rows.
    """
    rows = checked_rows("inputs", inputs, num_inputs)
    wanted = checked_rows("targets", targets, num_outputs)
    if len(rows) != len(wanted):
        raise ValueError(f"{len(rows)} inputs and {len(wanted)} targets; expected equally many")
    return rows, wanted


def sample_normal(estimate: Estimate, rng: np.random.Generator) -> FloatArray:
    """Sample (batch, outputs) independent normal targets."""
    spread = np.sqrt(estimate.epistemic + estimate.noise)
    drawn: FloatArray = estimate.mean + spread * rng.standard_normal(estimate.mean.shape)
    return drawn


FAR = 1e3
"""Number of spreads from the mean at which standardised network inputs are clipped."""


def column_spreads(values: FloatArray, least: float = 0.0) -> FloatArray:
    """Return the (columns,) standard deviation of each column, at least `least`.

    Constant columns get 1 if `least` is 0.
    """
    spread = values.std(axis=0)
    # Rounding gives a constant column a small standard deviation.
    constant = spread <= np.maximum(1e-9 * np.abs(values.mean(axis=0)), 1 / LARGEST)
    unit: FloatArray = np.where(constant & (least == 0.0), 1.0, np.maximum(spread, least))
    return unit


def standardise(values: FloatArray, offset: FloatArray, spread: FloatArray) -> FloatArray:
    """Standardise values; clipped where float32 would overflow."""
    scaled: FloatArray = np.clip((values - offset) / spread, -FAR, FAR)
    return scaled
