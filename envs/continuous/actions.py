"""Checks of what callers hand to the environments of points as actions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..mazes.layout import DISPLACEMENTS

PUSHES: FloatArray = np.array(DISPLACEMENTS, dtype=np.float64)
"""(4, 2) the pushes, down and right, of the four discrete actions."""

Push = tuple[float, float]


def read_push(action: Any) -> Push:
    """An action of one point: its parts down and right.

    Raises:
        ValueError: for another shape, or a number that is not finite; TypeError for another dtype.
    """
    checked = _real_numbers(action, (2,))
    down, right = checked.tolist()
    if not (math.isfinite(down) and math.isfinite(right)):
        raise ValueError(f"action {action!r}; expected two finite numbers, down and right")
    return float(down), float(right)


def read_pushes(actions: Any, num_envs: int) -> FloatArray:
    """The actions of all points: (n, 2) float64.

    Raises:
        ValueError: for another shape, or a number that is not finite; TypeError for another dtype.
    """
    checked: FloatArray = _real_numbers(actions, (num_envs, 2)).astype(np.float64)
    finite = np.isfinite(checked)
    if not finite.all():
        i = int(np.flatnonzero(~finite.all(axis=1))[0])
        raise ValueError(
            f"action {checked[i]} of environment {i}; expected two finite numbers, down and right"
        )
    return checked


def _real_numbers(actions: Any, shape: tuple[int, ...]) -> Any:
    checked = np.asarray(actions)
    if checked.dtype.kind not in "fiu":
        raise TypeError(f"actions of dtype {checked.dtype}; expected real numbers")
    if checked.shape != shape:
        raise ValueError(f"actions of shape {checked.shape}; expected {shape}")
    return checked
