"""Checks of new values of an environment's attributes: each is of the form of the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from dynamaze.common.validation import checked_number, shown

TOLERANCE = 1e-6
"""Difference of a sum of probabilities from 1."""

OUTCOME = 4
"""Entries of an outcome of a toy-text table: probability, next state, reward, terminated."""


def like(name: str, value: Any, present: Any) -> Any:  # noqa: PLR0911  # a table of types
    """Return a new value of an attribute in the form of the present one.

    Numbers replace numbers, arrays and sequences those of the same shape, mappings those of the
    same keys, and a table of transitions `P[s][a] = [(probability, s', reward, terminated)]` one of
    the same states and actions. Keys may be the texts of the present ones, as JSON makes them.

    Args:
        name: of the attribute, for messages.
        value: the new value.
        present: the present one; None for any.

    Raises:
        ValueError: for another shape, other keys, or a number outside its range.
        TypeError: for another type.
    """
    if present is None:
        return value
    if isinstance(present, bool | np.bool_):
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name}={shown(value)}; expected a bool")
        return bool(value)
    if isinstance(present, Real):
        return _number(name, value, present)
    if isinstance(present, np.ndarray):
        return _array(name, value, present)
    if is_table(present):
        return _table(name, value, present)
    if isinstance(present, Mapping):
        return {
            key: like(f"{name}[{key!r}]", own, present[key])
            for key, own in _by_key(name, value, present).items()
        }
    if isinstance(present, list | tuple):
        return _sequence(name, value, present)
    if callable(present) if callable(value) else isinstance(value, type(present)):
        return value
    expected = "a function" if callable(present) else f"a {type(present).__name__}"
    raise TypeError(f"{name}={shown(value)}; expected {expected}")


def is_table(value: Any) -> bool:
    """Return True for a table of transitions in the form of Gymnasium's toy-text environments."""
    try:
        actions = next(iter(value.values()))
        outcomes = next(iter(actions.values()))
        return isinstance(outcomes, list) and len(outcomes[0]) == OUTCOME
    except (AttributeError, IndexError, StopIteration, TypeError):
        return False


def jsonable(value: Any) -> Any:
    """Return a value in a form that JSON can hold; functions stay as they are."""
    if isinstance(value, np.ndarray):
        return (value.astype(np.str_) if value.dtype.kind == "S" else value).tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: jsonable(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(own) for own in value]
    return value


def _number(name: str, value: Any, present: Any) -> Any:
    number = checked_number(name, value)
    made = int(value) if isinstance(value, Integral) else number
    # A whole number may become any: an integer is often just how a default was written.
    return type(present)(made) if isinstance(present, np.floating) else made


def _array(name: str, value: Any, present: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    try:
        given = np.asarray(value)
    except ValueError:  # rows of different lengths
        given = np.asarray(None)
    if given.shape != present.shape:
        raise ValueError(f"{name} of shape {given.shape}; expected {present.shape} as at present")
    texts = (given.dtype.kind in "SU") and (present.dtype.kind in "SU")
    if not texts and not np.can_cast(given.dtype, present.dtype, "same_kind"):
        raise TypeError(f"{name} of dtype {given.dtype}; expected {present.dtype} as at present")
    made = given.astype(present.dtype)
    if texts and not np.array_equal(made.astype(np.str_), given.astype(np.str_)):
        raise ValueError(f"{name}={shown(value)}; expected texts of dtype {present.dtype}")
    return made


def _sequence(name: str, value: Any, present: Any) -> Any:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise TypeError(f"{name}={shown(value)}; expected a {type(present).__name__}")
    if len(value) != len(present):
        raise ValueError(f"{name} of length {len(value)}; expected {len(present)} as at present")
    pairs = enumerate(zip(value, present, strict=True))
    made = [like(f"{name}[{i}]", own, old) for i, (own, old) in pairs]
    make = getattr(present, "_make", type(present))  # of a named tuple
    return make(made)


def _by_key(name: str, value: Any, present: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the entries of a mapping by the keys of the present one."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}={shown(value)}; expected a mapping")
    keys = {str(key): key for key in present}
    given = {keys.get(str(key)): own for key, own in value.items()}
    if len(value) != len(present) or set(given) != set(present):
        raise ValueError(
            f"{name} with the keys {shown(list(value))}; expected those of the present one, "
            f"{shown(list(present))}"
        )
    return {key: given[key] for key in present}


def _table(name: str, value: Any, present: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a table of transitions after checking it."""
    made: dict[Any, Any] = {}
    for state, actions in _by_key(name, value, present).items():
        own = _by_key(f"{name}[{state}]", actions, present[state])
        made[state] = {
            action: _outcomes(f"{name}[{state}][{action}]", outcomes, present)
            for action, outcomes in own.items()
        }
    return made


def _outcomes(name: str, outcomes: Any, states: Mapping[Any, Any]) -> list[Any]:
    expected = "expected a list of (probability, next state, reward, terminated)"
    try:
        made = [
            (checked_number(name, p, 0, 1), int(following), reward, terminated)
            for p, following, reward, terminated in outcomes
        ]
        if not made or not all(
            isinstance(end, bool | np.bool_) and isinstance(reward, Real)
            for *_, reward, end in made
        ):
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(f"{name}={shown(outcomes)}; {expected}") from None
    total = sum(p for p, *_ in made)
    if abs(total - 1) > TOLERANCE:
        raise ValueError(f"{name} with probabilities that sum to {total:g}; expected 1")
    for _, following, *_ in made:
        if following not in states:
            raise ValueError(f"{name} leads to state {following}; expected one of the table")
    return made
