"""Checks of transitions whose observations are vectors, and operations on their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from .encoders import Actions, as_actions, finite_numbers
from .transitions import Transitions


def check_vectors(transitions: Transitions, size: int, num_actions: int | Actions) -> Transitions:
    """Validate transitions between vectors: float64, the actions' own dtype, and bool.

    Raises:
        TypeError: for a dtype that is not numeric, or actions that are not integers.
        ValueError: for another shape, NaN, infinity, or an action out of range.
    """
    observation, action = check_pairs(
        transitions.observation, transitions.action, size, num_actions
    )
    following = finite_numbers(
        "next observations", transitions.next_observation, (len(action), size)
    )
    reward = finite_numbers("rewards", transitions.reward, (len(action),))
    terminated = np.asarray(transitions.terminated)
    if terminated.dtype.kind != "b" or terminated.shape != reward.shape:
        raise ValueError(
            f"terminated of shape {terminated.shape} and dtype {terminated.dtype}; expected "
            f"{reward.shape} of bool"
        )
    return Transitions(observation, action, reward, following, terminated)


def check_pairs(
    observations: Any, actions: Any, size: int, num_actions: int | Actions
) -> tuple[FloatArray, npt.NDArray[Any]]:
    """Validate vectors as float64 and actions as int64 or, if they are vectors, float64.

    Raises:
        TypeError: for a dtype that is not numeric, or actions that are not integers.
        ValueError: for another shape, NaN, infinity, or an action out of range.
    """
    checked = as_actions(num_actions).checked(actions)
    vectors = finite_numbers("observations", observations, (len(checked), size))
    return vectors, checked


def no_transitions(size: int, num_actions: int | Actions) -> Transitions:
    """Return the empty columns of transitions between vectors of `size` numbers."""
    return Transitions(
        np.zeros((0, size)),
        as_actions(num_actions).empty(0),
        np.zeros(0),
        np.zeros((0, size)),
        np.zeros(0, dtype=np.bool_),
    )


def joined(batches: Iterable[Transitions]) -> Transitions:
    """Return the rows of several batches, in their order, as one batch."""
    columns: list[Any] = [np.concatenate(column) for column in zip(*batches, strict=True)]
    return Transitions(*columns)


def each_column(
    transitions: Transitions, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> Transitions:
    """Apply a function to each column of the transitions."""
    columns: list[Any] = [change(column) for column in transitions]
    return Transitions(*columns)
