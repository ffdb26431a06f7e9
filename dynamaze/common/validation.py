"""Validation of arguments: numbers in a range, names among known ones, and values in messages."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from numbers import Real
from typing import Any

SHOWN_LENGTH = 200
"""Characters of a value that a message shows."""

MOST_ENTRIES = 2**27
"""Largest number of entries of an array whose size arguments declare: 1 GiB of float64."""

MOST_COUNT = 10**6
"""Largest number of steps, simulations or units: more of them fill the memory, or never end."""


MOST_UPDATES = 10 * MOST_COUNT
"""Largest number of planning updates for one real step."""


def printable(text: str) -> str:
    """Return a text with its control characters escaped, for a message.

    Text of a user's file or argument that is shown as it is could move the cursor or change the
    terminal's colours, and a lone surrogate cannot be printed at all.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shown(value: object) -> str:
    """Return a value as a message shows it: its `repr` in one line of at most 200 characters."""
    try:
        text = repr(value)
        text = " ".join(text.split()) if "\n" in text else text
    except Exception:  # a user's own `__repr__`, or an integer of too many digits
        text = f"<{type(value).__name__}>"
    return printable(text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 3]}...")


class PrintableError(ValueError):
    """Error whose message may show text of a file or its name: control characters are escaped."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


@contextmanager
def naming(argument: str) -> Iterator[None]:
    """Put the name of an argument before the message of an error about a part of its value."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error.args = (f"{argument}: {error}",)
        raise


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
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    raise ValueError(f"{argument}={shown(value)}; expected {expected}{hint}")


def checked_integer(
    name: str, value: object, low: float = -math.inf, high: float = math.inf
) -> int:
    """Return a numeric argument as an int, after `checked_number` with `whole=True`."""
    return int(_checked(name, value, low, high, above=False, whole=True))


def checked_count(name: str, value: object, low: float = 1, high: float = MOST_COUNT) -> int:
    """Return a number of things that take memory or time, after `checked_integer`."""
    return checked_integer(name, value, low, high)


def check_entries(what: str, *lengths: int) -> None:
    """Check the size of an array before it is allocated.

    Args:
        what: arguments that declare it, for the message.
        lengths: factors of its number of entries.

    Raises:
        ValueError: for more than `MOST_ENTRIES`.
    """
    if math.prod(map(int, lengths)) > MOST_ENTRIES:
        raise ValueError(f"{what}: too large; expected arrays of at most {MOST_ENTRIES:,} numbers")


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
        value: the argument; any real number of Python or NumPy, also as an array without axes, but
            not a bool.
        low: smallest allowed number.
        high: largest allowed number; infinity itself is never allowed.
        above: exclude `low`.
        whole: allow whole numbers only.

    Raises:
        TypeError: if `value` is not a number.
        ValueError: if it is outside the range, not finite, or not whole although it must be.
    """
    return float(_checked(name, value, low, high, above=above, whole=whole))


def _checked(
    name: str, value: object, low: float, high: float, *, above: bool, whole: bool
) -> float:
    """Return a number after checking it; an int stays one, because a float would round it."""
    expected = "a whole number" if whole else "a number"
    if high < math.inf:
        expected += f" in {'(' if above else '['}{bound(low)}, {bound(high)}]"
    elif low > -math.inf:
        expected += f" above {bound(low)}" if above else f" of at least {bound(low)}"
    else:
        expected = f"a finite {expected[2:]}"
    # NumPy's scalars and arrays without axes hold a number of Python.
    number: Any = value.item() if getattr(value, "shape", None) == () else value  # type: ignore[attr-defined]
    is_number = isinstance(number, Real) and not isinstance(number, bool)  # a bool is a Real, too
    if not is_number:
        raise TypeError(f"{name}={shown(value)}; expected {expected}")
    inside = low < number <= high if above else low <= number <= high  # False for NaN
    if not inside or not _is_finite(number, whole) or (whole and number != int(number)):
        raise ValueError(f"{name}={shown(value)}; expected {expected}")
    return number  # type: ignore[no-any-return]  # a real number


def _is_finite(number: Any, whole: bool) -> bool:
    if whole and isinstance(number, int):
        return True
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the largest float
        return False


def bound(limit: float) -> str:
    """Return a limit with all its digits, if it is a whole number of up to 16 digits."""
    return str(int(limit)) if abs(limit) < 1e16 and limit == int(limit) else f"{limit:g}"
