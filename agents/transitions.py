"""Experience moves in batches: a record of arrays, real or simulated."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Transitions(NamedTuple):
    """Some transitions, in the order in which they happened or were imagined."""

    observation: npt.NDArray[Any]  # (batch, ...); for tables the row's number, (batch,) int64
    action: IntArray  # (batch,) from 0
    reward: FloatArray  # (batch,)
    next_observation: npt.NDArray[Any]  # (batch, ...)
    terminated: BoolArray  # (batch,) nothing follows; a time limit does not count


def one_transition(
    observation: int, action: int, reward: float, next_observation: int, terminated: bool
) -> Transitions:
    """A batch of one."""
    return Transitions(
        np.array([observation]),
        np.array([action]),
        np.array([reward], dtype=np.float64),
        np.array([next_observation]),
        np.array([terminated]),
    )
