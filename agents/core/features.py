"""Feature maps: from vectors to what linear functions are linear in.

A map is called with (batch, d) vectors and gives (batch, features) numbers. Those whose features
are 0 or 1, with always as many ones, are `SparseFeatures`: they also give the places of the ones,
and with these a linear function costs as many additions as there are ones.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled_with_arrays
from dynamaze.common.validation import checked_number

MAX_FEATURES = 2**26
"""Weights for more than this are surely a mistake: half a GiB for each action."""


class Features(Protocol):
    """A feature map."""

    @property
    def num_features(self) -> int:
        """How many numbers it gives; an attribute will do."""

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """(batch, features) of (batch, d) vectors."""


@runtime_checkable
class SparseFeatures(Protocol):
    """A feature map whose features are 0 or 1."""

    @property
    def num_features(self) -> int:
        """How many numbers it gives; an attribute will do."""

    @property
    def num_active(self) -> int:
        """How many of them are 1, whatever the vector."""

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """(batch, features) of (batch, d) vectors."""

    def active(self, vectors: FloatArray) -> IntArray:
        """(batch, num_active) which features are 1."""


class Identity:
    """The vectors themselves; for one-hot vectors, linear functions are then tables.

    Args:
        size: d.
    """

    def __init__(self, size: int) -> None:
        self.num_features = size

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """(batch, d) as they are."""
        return _rows(vectors, self.num_features)


class Coordinates:
    """Each coordinate scaled to [-1, 1], and a 1 as bias.

    A coordinate without both bounds is left as it is, one with a single value becomes 0.

    Args:
        low: (d,) smallest values.
        high: (d,) largest values.
        bias: whether a feature that is always 1 follows.

    Raises:
        ValueError: for bounds of different shapes, or a high bound below its low one.
    """

    def __init__(self, low: npt.ArrayLike, high: npt.ArrayLike, *, bias: bool = True) -> None:
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self._middle, self._half = middle_and_half(self.low, self.high)
        self.bias = bias
        self.num_features = self.low.size + int(bias)

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """(batch, d) or with bias (batch, d + 1)."""
        scaled: FloatArray = (_rows(vectors, self.low.size) - self._middle) / self._half
        if not self.bias:
            return scaled
        return np.column_stack((scaled, np.ones(len(scaled))))


class RadialBases:
    """Each coordinate scaled to [-1, 1], and with it Gaussian bumps at even distances along it.

    Radial basis functions of one coordinate at a time (Sutton & Barto 2018, section 9.5.5): a
    bump's width is the distance to the next. What a network learns of them can change within a
    cell's width, as the world does at a wall, and changes little elsewhere; and unlike tiles there
    are not more of them in each further dimension than in the first. A coordinate without both
    bounds, or with a single value, has none.

    Args:
        low: (d,) smallest values.
        high: (d,) largest values.
        bumps: for each coordinate.

    Raises:
        ValueError: for bounds of different shapes, a high bound below its low one, or fewer than
            2 bumps.
    """

    def __init__(self, low: npt.ArrayLike, high: npt.ArrayLike, *, bumps: int = 16) -> None:
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self._middle, self._half = middle_and_half(self.low, self.high)
        count = int(checked_number("bumps", bumps, 2, whole=True))
        self._centres = np.linspace(-1.0, 1.0, count)
        self._has_bumps = np.isfinite(self.low) & np.isfinite(self.high) & (self.low < self.high)
        self.num_features = self.low.size + int(self._has_bumps.sum()) * count

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """(batch, features): the (batch, d) coordinates, then the first one's bumps and so on."""
        scaled = (_rows(vectors, self.low.size) - self._middle) / self._half
        away = scaled[:, self._has_bumps, None] - self._centres
        width = self._centres[1] - self._centres[0]
        bumps = np.exp(-0.5 * (away / width) ** 2)
        of_all = bumps.reshape(len(scaled), self.num_features - self.low.size)
        return np.hstack((scaled, of_all))


class OneHot:
    """One feature for each point of a grid of whole numbers: linear functions are then tables.

    What lies between the points counts as the nearest, what lies outside as the nearest inside.

    Args:
        sizes: how many values each coordinate has.
        start: (d,) the smallest value of each; 0 by default.

    Raises:
        ValueError: for sizes below 1, or for more than `MAX_FEATURES` points.
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
        self.num_features = _checked_count(np.array(self.sizes))

    def active(self, vectors: FloatArray) -> IntArray:
        """(batch, 1) the number of each vector's point, the last coordinate counting fastest."""
        places = np.rint(_rows(vectors, len(self.sizes)) - self.start)
        inside = np.clip(places, 0, np.array(self.sizes) - 1).astype(np.int64)
        numbers: IntArray = np.ravel_multi_index(tuple(inside.T), self.sizes).astype(np.int64)
        return numbers[:, None]

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """(batch, features), a single 1 in each row."""
        return _dense(self.active(vectors), self.num_features)


class TileCoding:
    """Tile coding: several grids of tiles over a box, each displaced, one tile of each active.

    Sutton & Barto 2018, section 9.5.4. Tiling t is displaced by the fraction t (1, 3, 5, ...) / n
    of a tile, modulo 1, where n is the number of tilings: the displacement vector of the first odd
    integers that the section recommends after Miller and Glanz (1996). So that it covers the box,
    a tiling has one tile more in each dimension. Vectors outside the box count as the nearest
    inside. Each tile has its own weight: no hashing.

    Args:
        low: (d,) the box's smallest values, finite.
        high: (d,) its largest.
        tiles: how many tiles span the box in each dimension; one number or (d,) numbers.
        tilings: how many grids; at least 4 d is recommended, a power of two.

    Raises:
        ValueError: for bounds that are no box, a number below 1, or more than `MAX_FEATURES` tiles.
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
        self.num_active = int(checked_number("tilings", tilings, 1, whole=True))
        self.tiles = np.broadcast_to(np.asarray(tiles), self.low.shape).astype(np.int64)
        if self.tiles.min() < 1:
            raise ValueError(f"tiles={tiles!r}; expected at least 1 in each dimension")
        odd = 2 * np.arange(self.low.size) + 1
        steps = np.arange(self.num_active)[:, None] * odd % self.num_active
        self._offsets = steps / self.num_active
        per_tiling = _checked_count(np.append(self.tiles + 1, self.num_active)) // self.num_active
        below = np.append(np.cumprod((self.tiles + 1)[:0:-1])[::-1], 1)  # tiles of each step
        self._strides = below.astype(np.int64)
        self._scale = self.tiles / (self.high - self.low)
        self._per_tiling = per_tiling
        self.num_features = per_tiling * self.num_active

    def active(self, vectors: FloatArray) -> IntArray:
        """(batch, tilings) the number of the active tile of each tiling."""
        inside = np.clip(_rows(vectors, self.low.size), self.low, self.high)
        tiles: IntArray = _active_tiles(
            (inside - self.low) * self._scale, self._offsets, self._strides, self._per_tiling
        )
        return tiles

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """(batch, features), as many ones in each row as there are tilings."""
        return _dense(self.active(vectors), self.num_features)


def middle_and_half(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The middle of each interval and half its length; 0 and 1 where there are not both bounds.

    Raises:
        ValueError: for bounds of different shapes, or a high bound below its low one.
    """
    if low.ndim != 1 or low.shape != high.shape or not (low <= high).all():
        raise ValueError(f"bounds {low!r} to {high!r}; expected (d,) numbers, none above its high")
    bounded = np.isfinite(low) & np.isfinite(high)
    below, above = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
    return (below + above) / 2, np.where(above > below, (above - below) / 2, 1.0)


def in_blocks(active: IntArray, actions: IntArray, num_features: int) -> IntArray:
    """(batch, num_active) places of the ones where each action has a block of features.

    Args:
        active: (batch, num_active) places without actions.
        actions: (batch,) from 0.
        num_features: features of a block.
    """
    return active + actions[:, None] * num_features


def describe_features(features: Any) -> str:
    """A feature map in words, for messages."""
    return f"{type(features).__name__} with {features.num_features} features"


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


def _checked_count(sizes: npt.NDArray[Any]) -> int:
    count = float(np.prod(sizes.astype(np.float64)))
    if count > MAX_FEATURES:
        raise ValueError(f"{count:.3g} features; expected at most {MAX_FEATURES}")
    return int(count)


def _dense(active: IntArray, num_features: int) -> FloatArray:
    dense = np.zeros((len(active), num_features))
    np.put_along_axis(dense, active, 1.0, axis=1)
    return dense


@compiled_with_arrays
def _active_tiles(scaled, offsets, strides, per_tiling):
    """The active tiles of (batch, d) vectors in units of tiles."""
    tilings = len(offsets)
    tiles = np.empty((len(scaled), tilings), dtype=np.int64)
    for row in range(len(scaled)):
        for tiling in range(tilings):
            number = tiling * per_tiling
            for axis in range(scaled.shape[1]):
                number += np.int64(scaled[row, axis] + offsets[tiling, axis]) * strides[axis]
            tiles[row, tiling] = number
    return tiles
