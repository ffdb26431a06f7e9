"""What messages share."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.common.validation import checked_number, did_you_mean, optional_import


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int64(1)])
def test_a_number_in_its_range_is_given_back_as_a_float(value: float) -> None:
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
    ],
)
def test_a_number_outside_is_refused_with_its_range(
    value: float, limits: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        checked_number("x", value, *limits)


def test_an_open_end_and_whole_numbers() -> None:
    with pytest.raises(ValueError, match=r"x=0; expected a number in \(0, 1\]"):
        checked_number("x", 0, 0, 1, above=True)
    with pytest.raises(ValueError, match=r"x=1\.5; expected a whole number of at least 0"):
        checked_number("x", 1.5, 0, whole=True)


@pytest.mark.parametrize("value", ["1", None, True, [1], 1j])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="expected a number in"):
        checked_number("x", value, 0, 1)


def test_the_nearest_name_is_suggested_if_one_is_near() -> None:
    assert did_you_mean("indx", ["index", "planes"]) == "; did you mean 'index'?"
    assert did_you_mean("xyz", ["index", "planes"]) == ""


def test_a_missing_library_is_named_with_the_command_that_brings_it() -> None:
    assert optional_import("json", extra="x", purpose="y").__name__ == "json"
    with pytest.raises(ImportError, match=r'a trip needs no_such_library.*"dynamaze\[moon\]"'):
        optional_import("no_such_library", extra="moon", purpose="a trip")
