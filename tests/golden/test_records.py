"""Tests of the records themselves: what counts as a change, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from .golden import LARGEST, close, combine, compare, exact, summary


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(3), np.zeros(3, dtype=np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array([0.0]), np.array([-0.0])),
        (np.array([1.0]), np.array([np.nextafter(1.0, 2.0)])),
        ([1, 2], [2, 1]),
        ([[1], 2], [1, [2]]),
        ("1", b"1"),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1, "b": 1}),
        (None, 0),
    ],
)
def test_exact_tells_values_apart(one, other):
    assert "digest" in compare(exact(one), exact(other))
    assert compare(exact(one), exact(one)) is None


def test_exact_ignores_names():
    assert compare(exact({"a": 1, "b": 2.0}), exact({"c": 2.0, "d": 1})) is None


def test_exact_refuses_objects():
    with pytest.raises(TypeError, match="expected arrays"):
        exact(object())


def test_close_allows_its_tolerance():
    stored = close([1.0, 100.0], rtol=1e-3, atol=0.0)
    assert compare(stored, close([1.0009, 99.91], rtol=1e-3, atol=0.0)) is None
    difference = compare(stored, close([1.0, 100.2], rtol=1e-3, atol=0.0))
    assert "1 of 2 numbers" in difference
    assert "stored 100.0, found 100.2" in difference


def test_close_compares_shapes():
    assert "shape" in compare(close([1.0]), close([[1.0]]))


def test_close_refuses_many_numbers():
    with pytest.raises(ValueError, match="use summary"):
        close(np.zeros(LARGEST + 1))


def test_summary_sees_each_change():
    values = np.linspace(0, 1, 1000)
    changed = values.copy()
    changed[501] += 0.1
    assert compare(close(summary(values)), close(summary(changed))) is not None


def test_combine_names_the_part():
    stored = combine(first=exact(1), second=exact(2))
    assert compare(stored, combine(first=exact(1), second=exact(3))).startswith("second: ")
    assert "parts" in compare(stored, combine(first=exact(1)))


def test_compare_tells_kinds_apart():
    assert "record of" in compare(exact(1), close(1))
