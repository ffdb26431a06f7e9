"""Feature maps for linear function approximation: tile coding, radial bases, one-hot features.

A map is called with (batch, d) vectors and returns (batch, features) numbers. Binary maps with a
constant number of ones are `SparseFeatures`: they also return the indices of the ones, so that a
linear function costs one addition for each active feature.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled_with_arrays
from dynamaze.common.configuration import Configurable
from dynamaze.common.validation import check_entries, checked_count, shown

MAX_BUMPED = 32
"""Largest dimension with radial bases along each coordinate; images have many more."""


class Features(Protocol):
    """Feature map."""

    @property
    def num_features(self) -> int:
        """Number of features; a class attribute is enough."""

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return the (batch, features) features of (batch, d) vectors."""


@runtime_checkable
class SparseFeatures(Protocol):
    """Feature map with binary features."""

    @property
    def num_features(self) -> int:
        """Number of features; a class attribute is enough."""

    @property
    def num_active(self) -> int:
        """Number of active features (ones), the same for every vector."""

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return the (batch, features) features of (batch, d) vectors."""

    def active(self, vectors: FloatArray) -> IntArray:
        """Return the (batch, num_active) indices of the active features."""


class Identity(Configurable):
    """The vectors themselves; for one-hot vectors linear functions are then tables.

    Args:
        size: d.
    """

    def __init__(self, size: int) -> None:
        self.num_features = size

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return the (batch, d) vectors unchanged."""
        return _rows(vectors, self.num_features)


class CoordinateFeatures(Configurable):
    """Coordinates scaled to [-1, 1], with a constant 1 as bias.

    A coordinate without both bounds is left as it is, one with a single value becomes 0.

    Args:
        low: (d,) smallest values.
        high: (d,) largest values.
        bias: append a constant feature 1.

    Raises:
        ValueError: for bounds of different shapes, or a high bound below its low one.
    """

    def __init__(self, low: npt.ArrayLike, high: npt.ArrayLike, *, bias: bool = True) -> None:
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self._middle, self._half = middle_and_half(self.low, self.high)
        self.bias = bias
        self.num_features = self.low.size + int(bias)

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return (batch, d) scaled coordinates, or (batch, d + 1) with bias."""
        scaled: FloatArray = (_rows(vectors, self.low.size) - self._middle) / self._half
        if not self.bias:
            return scaled
        return np.column_stack((scaled, np.ones(len(scaled))))


class RadialBases(Configurable):
    """Scaled coordinates and Gaussian radial basis functions along each coordinate.

    Radial basis functions of one coordinate at a time (Sutton & Barto 2018, section 9.5.5); their
    standard deviation is the distance between neighbouring centres. With them a network can
    represent a value that changes within one cell, as at a wall, with little change elsewhere. The
    number of bases grows linearly with the dimension; that of tiles grows exponentially. A
    coordinate without both bounds, or with a single value, has none.

    Args:
        low: (d,) smallest values.
        high: (d,) largest values.
        bumps: number of Gaussian bases along each coordinate.

    Raises:
        ValueError: for bounds of different shapes, a high bound below its low one, or fewer than
            2 bumps.
    """

    def __init__(self, low: npt.ArrayLike, high: npt.ArrayLike, *, bumps: int = 16) -> None:
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self._middle, self._half = middle_and_half(self.low, self.high)
        count = checked_count("bumps", bumps, 2)
        self._centres = np.linspace(-1.0, 1.0, count)
        self._has_bumps = np.isfinite(self.low) & np.isfinite(self.high) & (self.low < self.high)
        self.num_features = self.low.size + int(self._has_bumps.sum()) * count

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return (batch, features): the (batch, d) coordinates, then the bases of each."""
        scaled = (_rows(vectors, self.low.size) - self._middle) / self._half
        away = scaled[:, self._has_bumps, None] - self._centres
        width = self._centres[1] - self._centres[0]
        # exp(-|x - c|^2 / (2 sigma^2)), section 9.5.5
        bumps = np.exp(-0.5 * (away / width) ** 2)
        of_all = bumps.reshape(len(scaled), self.num_features - self.low.size)
        return np.hstack((scaled, of_all))


class OneHotFeatures(Configurable):
    """One binary feature for each point of an integer grid: linear functions are then tables.

    A vector is mapped to the nearest point of the grid.

    Args:
        sizes: number of values of each coordinate.
        start: (d,) smallest values; 0 by default.

    Raises:
        ValueError: for sizes below 1, or for too many points.
    """

    num_active = 1

    def __init__(self, sizes: npt.ArrayLike, start: npt.ArrayLike | None = None) -> None:
        self.sizes = tuple(int(size) for size in np.atleast_1d(sizes))
        zeros = np.zeros(len(self.sizes), dtype=np.int64)
        self.start = zeros if start is None else np.asarray(start, dtype=np.int64)
        if min(self.sizes) < 1 or self.start.shape != zeros.shape:
            raise ValueError(
                f"sizes {self.sizes} with start {start!r}; expected sizes of at least 1"
            )
        check_entries(f"sizes={self.sizes}", *self.sizes)
        self.num_features = math.prod(self.sizes)

    def active(self, vectors: FloatArray) -> IntArray:
        """Return the (batch, 1) index of each vector's point, the last coordinate fastest."""
        places = np.rint(_rows(vectors, len(self.sizes)) - self.start)
        inside = np.clip(places, 0, np.array(self.sizes) - 1).astype(np.int64)
        numbers: IntArray = np.ravel_multi_index(tuple(inside.T), self.sizes).astype(np.int64)
        return numbers[:, None]

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return (batch, features) with a single 1 in each row."""
        return _as_dense(self.active(vectors), self.num_features)


class TileCoding(Configurable):
    """Tile coding: several displaced grids of tiles over a box, one active tile in each.

    Sutton & Barto 2018, section 9.5.4. To cover the box a displaced tiling has one more tile in
    each dimension. Vectors outside the box are clipped to it. Each tile has its own weight: no
    hashing.

    Args:
        low: (d,) the box's smallest values, finite.
        high: (d,) its largest.
        tiles: number of tiles across the box in each dimension; one number or (d,) numbers.
        tilings: number of grids; a power of two of at least 4 d is recommended.

    Raises:
        ValueError: for invalid bounds, a number below 1, or too many tiles.
    """

    def __init__(
        self,
        low: npt.ArrayLike,
        high: npt.ArrayLike,
        *,
        tiles: npt.ArrayLike = 8,
        tilings: int = 8,
    ) -> None:
        self.low, self.high = _bounds(low, high)
        if not (np.isfinite(self.low).all() and np.isfinite(self.high).all()):
            raise ValueError(f"box from {self.low} to {self.high}; tile coding needs finite bounds")
        self.num_active = checked_count("tilings", tilings)
        checked = [checked_count("tiles", number) for number in np.atleast_1d(tiles).tolist()]
        self.tiles = np.broadcast_to(np.array(checked), self.low.shape)
        # Tiling t of n is displaced by t (1, 3, 5, ...) / n of a tile, modulo 1: asymmetric
        # offsets by the first odd integers, as section 9.5.4 recommends (Miller and Glanz 1996).
        odd = 2 * np.arange(self.low.size) + 1
        steps = np.arange(self.num_active)[:, None] * odd % self.num_active
        self._offsets = steps / self.num_active
        check_entries(
            f"tiles={shown(tiles)}, tilings={tilings}", *(self.tiles + 1), self.num_active
        )
        per_tiling = int(np.prod(self.tiles + 1))
        # Row-major strides: number of tiles for one step along each axis.
        below = np.append(np.cumprod((self.tiles + 1)[:0:-1])[::-1], 1)
        self._strides = below.astype(np.int64)
        self._scale = self.tiles / (self.high - self.low)
        self._per_tiling = per_tiling
        self.num_features = per_tiling * self.num_active

    def active(self, vectors: FloatArray) -> IntArray:
        """Return the (batch, tilings) index of the active tile of each tiling."""
        inside = np.clip(_rows(vectors, self.low.size), self.low, self.high)
        tiles: IntArray = _active_tiles(
            (inside - self.low) * self._scale, self._offsets, self._strides, self._per_tiling
        )
        return tiles

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return (batch, features) with one 1 for each tiling."""
        return _as_dense(self.active(vectors), self.num_features)


def middle_and_half(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the middle and half length of each interval; 0 and 1 without both bounds.

    Raises:
        ValueError: for bounds of different shapes, or a high bound below its low one.
    """
    if low.ndim != 1 or low.shape != high.shape or not (low <= high).all():
        raise ValueError(f"bounds {low!r} to {high!r}; expected (d,) numbers, none above its high")
    bounded = np.isfinite(low) & np.isfinite(high)
    below, above = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
    return (below + above) / 2, np.where(above > below, (above - below) / 2, 1.0)


def _rows(vectors: FloatArray, size: int) -> FloatArray:
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != size:
        raise ValueError(f"vectors of shape {vectors.shape}; expected (batch, {size})")
    return vectors


def _bounds(low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    below, above = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if below.ndim != 1 or below.shape != above.shape or not (below < above).all():
        raise ValueError(
            f"bounds {low!r} to {high!r}; expected (d,) numbers, each high above its low"
        )
    return below, above


def _as_dense(active: IntArray, num_features: int) -> FloatArray:
    dense = np.zeros((len(active), num_features))
    np.put_along_axis(dense, active, 1.0, axis=1)
    return dense


@compiled_with_arrays
def _active_tiles(scaled, offsets, strides, per_tiling):
    """Return the active tiles of (batch, d) vectors in units of tiles."""
    tilings = len(offsets)
    tiles = np.empty((len(scaled), tilings), dtype=np.int64)
    for row in range(len(scaled)):
        for tiling in range(tilings):
            number = tiling * per_tiling
            for axis in range(scaled.shape[1]):
                number += np.int64(scaled[row, axis] + offsets[tiling, axis]) * strides[axis]
            tiles[row, tiling] = number
    return tiles
