"""Feature maps, and vectors of observations."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from dynamaze.agents import Spaces
from dynamaze.agents.core.encoders import Vectors, observation_kind
from dynamaze.agents.core.features import (
    CoordinateFeatures,
    Identity,
    OneHotFeatures,
    RadialBases,
    SparseFeatures,
    TileCoding,
)
from dynamaze.agents.core.spaces import describe_spaces, read_spaces


def tiles_by_hand(
    vector: Any, low: Any, high: Any, tiles: int, tilings: int
) -> set[tuple[int, ...]]:
    """Section 9.5.4 word by word: the tiling, then the tile in each dimension."""
    found = set()
    for tiling in range(tilings):
        tile = []
        for axis, value in enumerate(vector):
            width = (high[axis] - low[axis]) / tiles
            displaced = tiling * (2 * axis + 1) % tilings * width / tilings
            tile.append(int((value - low[axis] + displaced) // width))
        found.add((tiling, *tile))
    return found


@pytest.mark.parametrize("d", [1, 2, 3])
def test_tiles_displaced_by_odd_integers(d: int) -> None:
    rng = np.random.default_rng(d)
    low, high = np.arange(d) - 1.0, np.arange(d) + 2.0
    coding = TileCoding(low, high, tiles=4, tilings=8)
    assert coding.num_features == 8 * 5**d
    vectors = rng.uniform(low, high, (40, d))
    active = coding.active(vectors)
    numbers: dict[tuple[int, ...], int] = {}
    for vector, row in zip(vectors, active, strict=True):
        by_hand = sorted(tiles_by_hand(vector, low, high, 4, 8))
        for tile, number in zip(by_hand, row, strict=True):
            assert numbers.setdefault(tile, int(number)) == number
    assert len(set(numbers.values())) == len(numbers)


def test_active_tiles_equal_dense_features() -> None:
    coding = TileCoding([0, 0], [6, 9], tiles=[6, 9], tilings=4)
    assert isinstance(coding, SparseFeatures)
    corners = np.array([[0, 0], [6, 9], [-5, 100], [3.3, 4.4]])
    dense, active = coding(corners), coding.active(corners)
    assert dense.shape == (4, coding.num_features)
    assert (dense.sum(axis=1) == 4).all()
    for row, places in zip(dense, active, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(row), np.sort(places))
    np.testing.assert_array_equal(active[2], coding.active(np.array([[0, 9.0]]))[0])
    assert active.min() >= 0
    assert active.max() < coding.num_features


def test_nearby_vectors_share_tiles() -> None:
    coding = TileCoding([0, 0], [1, 1], tiles=8, tilings=8)
    here, near, far = coding.active(np.array([[0.5, 0.5], [0.51, 0.5], [0.9, 0.9]]))
    assert 6 <= len(set(here) & set(near)) <= 8
    assert not set(here) & set(far)


def test_one_hot_features_index_points() -> None:
    features = OneHotFeatures([2, 3], start=[5, -1])
    points = np.array([[5, -1], [5, 1], [6, 0], [6.4, 0.3], [99, 99]])
    np.testing.assert_array_equal(features.active(points)[:, 0], [0, 2, 4, 4, 5])
    np.testing.assert_array_equal(features(points)[1], [0, 0, 1, 0, 0, 0])


def test_coordinates_scaled_within_bounds() -> None:
    features = CoordinateFeatures([0, -np.inf], [4, 3])
    np.testing.assert_array_equal(features(np.array([[1, 7.0]])), [[-0.5, 7, 1]])
    assert features.num_features == 3
    assert CoordinateFeatures([0], [4], bias=False)(np.array([[4.0]])).tolist() == [[1]]
    vectors = np.array([[1, 7.0]])
    np.testing.assert_array_equal(Identity(2)(vectors), vectors)


def test_radial_bases_follow_bounded_coordinates() -> None:
    features = RadialBases([0, -np.inf, 5], [4, 3, 5], bumps=5)
    assert features.num_features == 3 + 5
    row = features(np.array([[1.0, 7.0, 5.0]]))[0]
    np.testing.assert_array_equal(row[:3], [-0.5, 7, 0])
    near, nearest = np.exp(-0.5), 1.0  # bumps stand at 0, 1, 2, 3, 4 and are 1 wide
    np.testing.assert_allclose(row[3:6], [near, nearest, near])
    two = RadialBases([0, 0], [1, 1], bumps=3)
    np.testing.assert_allclose(two(np.array([[0.0, 1.0]]))[0, [2, 7]], 1)  # its own bumps each
    assert two(np.zeros((0, 2))).shape == (0, 8)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: TileCoding([0], [np.inf]), "finite bounds"),
        (lambda: TileCoding([1], [0]), "each high above"),
        (lambda: TileCoding([0], [1], tiles=0), "tiles=0"),
        (lambda: TileCoding([0], [1], tilings=0), "tilings=0"),
        (lambda: TileCoding(np.zeros(20), np.ones(20)), "too large"),
        (lambda: RadialBases([0], [1], bumps=1), "bumps"),
        (lambda: RadialBases([1], [0]), "bounds"),
        (lambda: OneHotFeatures([0]), "expected sizes"),
        (lambda: OneHotFeatures([2**30]), "too large"),
        (lambda: OneHotFeatures([2])(np.zeros((3, 2))), "expected"),
        (lambda: TileCoding([0], [1]).active(np.zeros(3)), "expected"),
    ],
)
def test_features_reject_invalid_arguments(make: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make()


# -- vectors ---------------------------------------------------------------------------------------


def test_vectors_of_spaces() -> None:
    box = Vectors(spaces.Box(np.float32([0, -1]), np.float32([6, 1]), dtype=np.float32))
    assert (box.size, box.low.tolist(), box.high.tolist(), box.rows) == (2, [0, -1], [6, 1], None)
    vector = box.one(np.array([1.5, 0.25], dtype=np.float32))
    assert (vector.dtype, vector.tolist()) == (np.float64, [1.5, 0.25])
    picture = Vectors(spaces.Box(0, 1, (2, 3)))
    assert picture.many(np.zeros((4, 2, 3)))[0].shape == (4, 6)
    cells = Vectors(spaces.MultiDiscrete([2, 3], start=[7, -1]))
    assert cells.one(np.array([8, 1])).tolist() == [8, 1]
    assert (cells.low.tolist(), cells.high.tolist()) == ([7, -1], [8, 1])
    numbers = Vectors(spaces.Discrete(3, start=-1))
    assert numbers.one(0).tolist() == [0, 1, 0]
    assert numbers.is_one_hot
    hand = Vectors(spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2, start=1)]))
    assert hand.one((2, 1)).tolist() == [2, 1]


@pytest.mark.parametrize(
    "space",
    [spaces.Box(0, 5, (2,)), spaces.MultiDiscrete([3, 4]), spaces.Discrete(6, start=2)],
    ids=str,
)
def test_vectors_of_batch(space: Any) -> None:
    space.seed(0)
    batch = [space.sample() for _ in range(5)]
    vectors = Vectors(space)
    many, is_single = vectors.many(np.array(batch))
    assert not is_single
    np.testing.assert_array_equal(many, [vectors.one(each) for each in batch])
    alone, is_single = vectors.many(batch[0])
    assert is_single
    np.testing.assert_array_equal(alone[0], many[0])
    assert many.dtype == np.float64


@pytest.mark.parametrize(
    "wrong", [[1.0], [1, 2, 3], np.nan, [np.nan, 0], [np.inf, 0], "up", None, [[1, 2], [3]], []]
)
def test_vectors_reject_invalid_observations(wrong: Any) -> None:
    with pytest.raises(ValueError, match="expected one of Box"):
        Vectors(spaces.Box(0, 5, (2,))).many(wrong)


def test_vectors_reject_dictionary_space() -> None:
    with pytest.raises(TypeError, match="vectors are made of"):
        Vectors(spaces.Dict({"a": spaces.Discrete(2)}))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_box_restored_from_description(dtype: Any) -> None:
    low, high = np.zeros((2, 2), dtype=dtype), np.full((2, 2), 7, dtype=dtype)
    if dtype != np.uint8:
        high[0, 0] = np.inf
    pair = Spaces(spaces.Box(low, high, dtype=dtype), spaces.Discrete(3, start=-1))
    assert read_spaces(json.loads(json.dumps(describe_spaces(pair)))) == pair


def test_observation_kind_rejects_mismatch() -> None:
    rows, vectors = (type(n, (), {"observes": n})() for n in ("discrete", "vectors"))
    silent = object()
    assert observation_kind(silent, silent) == observation_kind(rows, silent) == "discrete"
    assert observation_kind(vectors, silent) == "vectors"
    with pytest.raises(ValueError, match="TabularAdapter"):
        observation_kind(silent, vectors)
    with pytest.raises(ValueError, match='values="table"'):
        observation_kind(vectors, rows)
    with pytest.raises(ValueError, match="observes 'all'"):
        observation_kind(type("All", (), {"observes": "all"})(), silent)
