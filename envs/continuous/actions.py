"""Checks of the actions of points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import shown

from ..mazes.layout import DISPLACEMENTS
from ..options import actions_array, has_bool

ACTION_VECTORS: FloatArray = np.array(DISPLACEMENTS, dtype=np.float64)
"""(4, 2) the vectors, down and right, of the four discrete actions."""

ActionVector = tuple[float, float]


def check_action(action: Any) -> ActionVector:
    """Return the action of one point, down and right, after checking it.

    Raises:
        ValueError: for another shape, or a number that is not finite; TypeError for another dtype.
    """
    checked = _real_numbers(action, (2,))
    down, right = checked.tolist()
    if not (math.isfinite(down) and math.isfinite(right)):
        raise ValueError(f"action {shown(action)}; expected two finite numbers, down and right")
    return float(down), float(right)


def check_actions(actions: Any, num_envs: int) -> FloatArray:
    """Return the actions of all points, (n, 2) float64, after checking them.

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
    checked = actions_array(actions)
    if checked.dtype.kind not in "fiu" or has_bool(actions):
        raise TypeError(
            f"actions of dtype {checked.dtype}; expected real numbers, not {shown(actions)}"
        )
    if checked.shape != shape:
        raise ValueError(f"actions of shape {checked.shape}; expected {shape}")
    return checked
