"""What messages share: "did you mean", numbers in a range, and who brings a missing library."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from numbers import Real
from types import ModuleType


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known name, or nothing if none is near."""
    near = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def checked_number(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    whole: bool = False,
) -> float:
    """The number that an argument is, if it is one and in its range.

    Args:
        name: the argument's name, for the message.
        value: what was given; any real number of Python or NumPy, but not a bool.
        low: the smallest number that is allowed.
        high: the largest; infinity itself is never allowed.
        above: whether it must be above `low`.
        whole: whether it must be a whole number.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is outside the range, not finite, or not whole where it must be.
    """
    expected = "a whole number" if whole else "a number"
    if high < math.inf:
        expected += f" in {'(' if above else '['}{low:g}, {high:g}]"
    elif low > -math.inf:
        expected += f" of at least {low:g}"
    else:
        expected = f"a finite {expected[2:]}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={value!r}; expected {expected}")
    number = float(value)
    inside = low < number <= high if above else low <= number <= high
    if not inside or math.isinf(number) or (whole and number != int(number)):
        raise ValueError(f"{name}={value!r}; expected {expected}")
    return number


def optional_import(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a library that only an extra brings.

    Raises:
        ImportError: naming the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise missing(module, extra=extra, purpose=purpose) from error


def missing(module: str, *, extra: str, purpose: str) -> ImportError:
    """The error that says which extra brings a library."""
    return ImportError(
        f'{purpose} needs {module}, which is not installed: pip install "dynamaze[{extra}]"'
    )
