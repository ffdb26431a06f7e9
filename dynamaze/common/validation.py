"""Validation of arguments: numbers in a range, and names among known ones."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from numbers import Real


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest known name, or "" if none is close."""
    near = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def checked_choice(
    argument: str, value: object, known: Collection[str], *, otherwise: str = ""
) -> str:
    """Return the value of an argument that must be one of the known names.

    Args:
        argument: name of the argument, for the message.
        value: the argument.
        known: the allowed names, in the order in which the message lists them.
        otherwise: what else the argument may be, for the message: "a function".

    Raises:
        ValueError: if it is none of them; lists them and suggests the closest.
    """
    if isinstance(value, str) and value in known:
        return value
    expected = f"one of {list(known)}{otherwise and f' or {otherwise}'}"
    raise ValueError(f"{argument}={value!r}; expected {expected}{did_you_mean(value, known)}")


def checked_integer(
    name: str, value: object, low: float = -math.inf, high: float = math.inf
) -> int:
    """Return a numeric argument as an int, after `checked_number` with `whole=True`."""
    checked_number(name, value, low, high, whole=True)
    return int(value)  # type: ignore[call-overload, no-any-return]  # not by way of a float: exact


def checked_number(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    whole: bool = False,
) -> float:
    """Return a numeric argument as a float, after checking its type and range.

    Args:
        name: name of the argument, for the message.
        value: the argument; any real number of Python or NumPy, but not a bool.
        low: smallest allowed number.
        high: largest allowed number; infinity itself is never allowed.
        above: exclude `low`.
        whole: allow whole numbers only.

    Raises:
        TypeError: if `value` is not a number.
        ValueError: if it is outside the range, not finite, or not whole although it must be.
    """
    expected = "a whole number" if whole else "a number"
    if high < math.inf:
        expected += f" in {'(' if above else '['}{low:g}, {high:g}]"
    elif low > -math.inf:
        expected += f" above {low:g}" if above else f" of at least {low:g}"
    else:
        expected = f"a finite {expected[2:]}"
    if isinstance(value, bool) or not isinstance(value, Real):  # a bool is a Real for Python
        raise TypeError(f"{name}={value!r}; expected {expected}")
    try:
        number = float(value)
    except OverflowError:  # a larger integer than any float
        number = math.inf if value > 0 else -math.inf  # type: ignore[operator]  # an int
    inside = low < number <= high if above else low <= number <= high  # False for NaN
    if not inside or math.isinf(number) or (whole and number != int(number)):
        raise ValueError(f"{name}={value!r}; expected {expected}")
    return number
