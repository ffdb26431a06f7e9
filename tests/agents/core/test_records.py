"""Records of arrays: flattening, restoring and growing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from dynamaze.agents.core.records import (
    flatten,
    generator_state,
    restore,
    set_generator_state,
    with_capacity,
)


class Inner(NamedTuple):
    column: Any
    is_on: bool


class Outer(NamedTuple):
    inner: Inner
    weight: float
    table: Any


def record() -> Outer:
    return Outer(Inner(np.arange(3), True), 0.5, np.ones((2, 2)))


def test_flatten_names_and_copies_arrays() -> None:
    outer = record()
    flat = flatten(outer, "a.")
    assert list(flat) == ["a.inner.column", "a.inner.is_on", "a.weight", "a.table"]
    flat["a.table"][:] = 7
    assert (outer.table == 1).all()


def test_restore_returns_own_arrays() -> None:
    flat = flatten(record(), "a.")
    flat["a.inner.column"] = np.array([5, 6, 7])
    back = restore(record(), flat, "a.")
    assert isinstance(back, Outer)
    assert isinstance(back.inner, Inner)
    flat["a.inner.column"][:] = 0
    np.testing.assert_array_equal(back.inner.column, [5, 6, 7])
    assert (back.weight, back.inner.is_on) == (0.5, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table", None),
        ("table", np.ones((2, 2), dtype=np.float32)),
        ("table", np.ones(4)),
        ("table", np.ones((2, 3))),
        ("table", [[1.0, 1.0], [1.0, 1.0]]),
        ("inner.column", np.arange(4)),
        ("inner.is_on", 1),
        ("weight", None),
        ("weight", 1),
    ],
)
def test_restore_rejects_mismatch_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        restore(record(), {**flatten(record()), name: value})


def test_restore_accepts_longer_growing_column() -> None:
    inner, longer = record().inner, {"column": np.arange(9), "is_on": True}
    with pytest.raises(ValueError, match=r"shape \(9,\); expected \(3,\)"):
        restore(inner, longer)
    assert restore(inner, longer, growing=("column",)).column.size == 9
    with pytest.raises(ValueError, match="column"):
        restore(inner, {**longer, "column": np.zeros((3, 3), dtype=np.int64)}, growing=("column",))


@pytest.mark.parametrize(("room", "size"), [(0, 3), (3, 3), (4, 6), (6, 6), (20, 20)])
def test_with_capacity_doubles_columns(room: int, size: int) -> None:
    outer = record()
    grown = with_capacity(outer.inner, ("column",), room)
    assert grown.column.size == size
    np.testing.assert_array_equal(grown.column[:3], [0, 1, 2])
    assert not grown.column[3:].any()
    assert outer.inner.column.size == 3
    assert grown.is_on is True


def test_generator_state_continues_bits() -> None:
    rng = np.random.Generator(np.random.SFC64(3))
    rng.integers(10, size=5, dtype=np.uint32)  # leaves a buffered half word
    words = generator_state(rng)
    numbers = (words.shape, rng.integers(10, size=9, dtype=np.uint32).tolist(), rng.random())
    other = np.random.Generator(np.random.SFC64(4))
    set_generator_state(other, words)
    assert numbers == ((6,), other.integers(10, size=9, dtype=np.uint32).tolist(), other.random())
