"""Observations as rows of numbers, for students that are no networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..core.dataset import Dataset
from ..core.distributions import CATEGORICAL


def flat_rows(observations: Any, shape: tuple[int, ...]) -> FloatArray:
    """(batch, numbers) of (batch, *shape) observations.

    Raises:
        ValueError: for observations of another shape.
    """
    array = np.asarray(observations, dtype=np.float64)
    if array.shape[1:] != shape or array.ndim == 0:
        wanted = ", ".join(str(n) for n in ("batch", *shape))
        raise ValueError(f"observations of shape {array.shape}; expected ({wanted})")
    return array.reshape(len(array), -1)


def checked_rows(
    dataset: Dataset, shape: tuple[int, ...], num_actions: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Observations, logits and weights of a dataset, as float64.

    Raises:
        ValueError: for observations of another shape, another number of actions, or continuous
            ones.
    """
    rows = dataset.rows
    if dataset.distribution != CATEGORICAL:
        raise ValueError(f"a dataset of {dataset.distribution} actions; expected Discrete ones")
    if rows.logits.shape[1] != num_actions:
        raise ValueError(
            f"a dataset of {rows.logits.shape[1]} actions; expected {num_actions}, as the student's"
        )
    observations = flat_rows(rows.observations, shape)
    return observations, rows.logits.astype(np.float64), rows.weights.astype(np.float64)
