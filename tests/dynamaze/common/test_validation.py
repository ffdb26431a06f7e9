"""Validation of arguments."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.common.validation import (
    checked_choice,
    checked_integer,
    checked_number,
    did_you_mean,
    printable,
    shown,
)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int64(1), np.array(0.5)])
def test_checked_number_returns_float(value: float) -> None:
    checked = checked_number("x", value, 0, 1)
    assert type(checked) is float
    assert checked == value


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (2, (0, 1), r"x=2; expected a number in \[0, 1\]"),
        (-1, (0,), "x=-1; expected a number of at least 0"),
        (float("nan"), (), "x=nan; expected a finite number"),
        (float("inf"), (0,), "x=inf; expected a number of at least 0"),
        (10**400, (), "x=10000.*; expected a finite number"),
        (2**53 + 1, (0, 2**53), r"x=9007199254740993; expected .* in \[0, 9007199254740992\]"),
    ],
)
def test_checked_number_rejects_out_of_range(
    value: float, limits: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        checked_number("x", value, *limits)


def test_checked_number_open_and_whole() -> None:
    with pytest.raises(ValueError, match=r"x=0; expected a number in \(0, 1\]"):
        checked_number("x", 0, 0, 1, above=True)
    with pytest.raises(ValueError, match=r"x=1\.5; expected a whole number of at least 0"):
        checked_number("x", 1.5, 0, whole=True)


@pytest.mark.parametrize("value", ["1", None, True, [1], 1j, np.True_, np.array([1])])
def test_checked_number_rejects_other_types(value: object) -> None:
    with pytest.raises(TypeError, match="expected a number in"):
        checked_number("x", value, 0, 1)


def test_did_you_mean_nearest_name() -> None:
    assert did_you_mean("indx", ["index", "planes"]) == "; did you mean 'index'?"
    assert did_you_mean("xyz", ["index", "planes"]) == ""


def test_checked_choice_accepts_known_names():
    assert checked_choice("kind", "tree", ("tree", "table")) == "tree"


@pytest.mark.parametrize("value", ["tre", None, 3, ["tree"]])
def test_checked_choice_names_argument_and_choices(value):
    with pytest.raises(ValueError, match=r"kind=.*; expected one of \['tree', 'table'\]"):
        checked_choice("kind", value, ("tree", "table"))


def test_checked_integer_is_an_int():
    number = checked_integer("runs", 3.0, 1)
    assert number == 3
    assert type(number) is int
    with pytest.raises(ValueError, match=r"runs=2.5; expected a whole number of at least 1"):
        checked_integer("runs", 2.5, 1)


def test_checked_number_names_excluded_bound() -> None:
    with pytest.raises(ValueError, match="x=0; expected a number above 0"):
        checked_number("x", 0, 0, above=True)


def test_shown_is_one_printable_line() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown("a\x1bb") == r"'a\x1bb'"
    assert shown(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert shown(Broken()) == "<Broken>"
    assert shown(10**5000) == "<int>"  # too many digits for Python
    assert len(shown("x" * 10**6)) == 200
    assert printable("a\x1b\n\ud800b") == r"a\x1b\n\ud800b"
    assert printable("näive") == "näive"
