"""Records of arrays, flat and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from dynamaze.agents.core.records import flatten, restore, with_room


class Inner(NamedTuple):
    column: Any
    is_on: bool


class Outer(NamedTuple):
    inner: Inner
    weight: float
    table: Any


def record() -> Outer:
    return Outer(Inner(np.arange(3), True), 0.5, np.ones((2, 2)))


def test_a_flat_record_has_the_names_of_its_parts_and_copies_of_its_arrays() -> None:
    outer = record()
    flat = flatten(outer, "a.")
    assert list(flat) == ["a.inner.column", "a.inner.is_on", "a.weight", "a.table"]
    flat["a.table"][:] = 7
    assert (outer.table == 1).all()


def test_a_record_comes_back_with_arrays_of_its_own() -> None:
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
def test_what_does_not_fit_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        restore(record(), {**flatten(record()), name: value})


def test_a_growing_column_may_have_another_length_but_no_other_shape() -> None:
    inner, longer = record().inner, {"column": np.arange(9), "is_on": True}
    with pytest.raises(ValueError, match=r"shape \(9,\); expected \(3,\)"):
        restore(inner, longer)
    assert restore(inner, longer, growing=("column",)).column.size == 9
    with pytest.raises(ValueError, match="column"):
        restore(inner, {**longer, "column": np.zeros((3, 3), dtype=np.int64)}, growing=("column",))


@pytest.mark.parametrize(("room", "size"), [(0, 3), (3, 3), (4, 6), (6, 6), (20, 20)])
def test_columns_grow_at_least_twofold_and_keep_what_they_hold(room: int, size: int) -> None:
    outer = record()
    grown = with_room(outer.inner, ("column",), room)
    assert grown.column.size == size
    np.testing.assert_array_equal(grown.column[:3], [0, 1, 2])
    assert not grown.column[3:].any()
    assert outer.inner.column.size == 3
    assert grown.is_on is True
