"""Units in which numbers of any size look alike."""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import FloatArray

from .protocol import LARGEST

FAR = 1e3
"""Spreads from the mean at which what goes into a network is cut off."""


def spread_of(values: FloatArray, least: float = 0.0) -> FloatArray:
    """(columns,) the standard deviation of each column, or the least if that is more.

    It is 1 where a column is constant and there is no least.
    """
    spread = values.std(axis=0)
    # Rounding alone gives a constant some.
    constant = spread <= np.maximum(1e-9 * np.abs(values.mean(axis=0)), 1 / LARGEST)
    unit: FloatArray = np.where(constant & (least == 0.0), 1.0, np.maximum(spread, least))
    return unit


def in_units(values: FloatArray, offset: FloatArray, spread: FloatArray) -> FloatArray:
    """Values less their offset in spreads, cut off far out, where float32 would run over."""
    scaled: FloatArray = np.clip((values - offset) / spread, -FAR, FAR)
    return scaled
