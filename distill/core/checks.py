"""Checks of what policies give: logits, probabilities, Gaussians, values and weights. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

SUM_TOLERANCE = 1e-3
"""Largest distance of the sum of a row of probabilities from 1; rounding to float16 keeps it."""


def name_of(policy: Any) -> str:
    """Return the name of a policy, model or function for messages: that of what it wraps."""
    for attribute in ("teacher", "policy", "model", "function", "module"):
        inner = getattr(policy, attribute, None)
        if inner is not None and type(policy).__module__.startswith("dynamaze.distill."):
            return name_of(inner)
    return str(getattr(policy, "__name__", type(policy).__name__))


def as_numbers(what: str, given: Any) -> FloatArray:
    """Return numbers as a float64 array.

    Args:
        what: what they are, for the message.
        given: anything that NumPy reads.

    Raises:
        TypeError: if they are no numbers.
    """
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor with a gradient
        reason = " ".join(str(error).split())
        raise TypeError(f"{what} are no array of numbers: {reason}") from None


def check_shape(what: str, shape: tuple[int, ...], rows: int | None, columns: int | None) -> None:
    """Check the shape of a matrix.

    Args:
        what: what it is, for the message.
        shape: its shape.
        rows: expected number of rows; None for any.
        columns: expected number of columns; None for any.

    Raises:
        ValueError: if it is another.
    """
    if len(shape) != 2 or rows not in (None, shape[0]) or columns not in (None, shape[1]):
        expected = f"({'queries' if rows is None else rows}, {columns or 'actions'})"
        raise ValueError(f"{what} have shape {shape}; expected {expected}")


def check_finite(array: npt.NDArray[Any], entry: Callable[..., str]) -> None:
    """Check that all numbers of an array are finite.

    Args:
        array: of one or two dimensions.
        entry: returns the name of an entry, for the message, for its row (and column).

    Raises:
        ValueError: naming the first that is not.
    """
    if not np.isfinite(array).all():
        place = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise ValueError(f"{entry(*place)} is {array[place]}; expected finite numbers")


def checked_probabilities(
    given: Any, policy: Any, *, rows: int | None = None, columns: int | None = None
) -> FloatArray:
    """Return a policy's action probabilities as float64, after checking them.

    Args:
        given: (queries, actions) finite numbers of at least 0; the sum of each row differs from 1
            by at most `SUM_TOLERANCE`.
        policy: the policy, for its name in messages.
        rows: expected number of rows; None for any.
        columns: number of actions; None for any.

    Raises:
        ValueError: for another shape, or numbers that are no probabilities, naming policy and row.
        TypeError: if they are no numbers.
    """
    array = as_numbers(f"the action probabilities of {name_of(policy)}", given)
    check_shape(f"the action probabilities of {name_of(policy)}", array.shape, rows, columns)
    if not array.size:
        return array
    # One comparison each for the usual case; both are False for NaN.
    sums = array.sum(axis=1)
    if array.min() >= 0 and np.abs(sums - 1).max() <= SUM_TOLERANCE:
        return array
    name = name_of(policy)
    wrong = ~((array >= 0) & np.isfinite(array))
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise ValueError(
            f"the probability of {name} in row {row} for action {column} is {array[row, column]}; "
            "expected finite numbers of at least 0"
        )
    row = int(np.abs(sums - 1).argmax())
    raise ValueError(
        f"the probabilities of {name} in row {row} sum to {sums[row]:.6g}; expected 1, up to "
        f"{SUM_TOLERANCE:g}"
    )


def check_labels(labels: npt.NDArray[Any], policy: Any, *, is_gaussian: bool) -> None:
    """Check that logits, or means and log standard deviations, are finite.

    Args:
        labels: (queries, actions) logits; (queries, 2 * dimensions) means, then log deviations.
        policy: the policy that gave them, for its name in messages.
        is_gaussian: True for means and log deviations.

    Raises:
        ValueError: naming the policy, the row and the action or dimension.
    """

    def entry(row: int, column: int) -> str:
        half = labels.shape[1] // 2
        if not is_gaussian:
            return f"the logit of {name_of(policy)} in row {row} for action {column}"
        kind = ("mean", "log deviation")[column // half]
        return f"the {kind} of {name_of(policy)} in row {row} for dimension {column % half}"

    check_finite(labels, entry)
