"""Records of arrays and the state dictionaries of `get_state` and `set_state`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import IntArray

Record = TypeVar("Record", bound=tuple[Any, ...])


def flatten(record: Any, prefix: str = "") -> dict[str, Any]:
    """Return copies of a record's arrays and numbers by name; nested names are joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in zip(record._fields, record, strict=True):
        if hasattr(value, "_fields"):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value.copy() if isinstance(value, np.ndarray) else value
    return flat


def restore(
    record: Any, flat: dict[str, Any], prefix: str = "", growing: tuple[str, ...] = ()
) -> Any:
    """Return a record like this one with the values of `flatten`.

    Args:
        record: example of the types, dtypes and shapes.
        flat: the values by name.
        prefix: prefix of the names.
        growing: columns whose length may differ, also in nested records.

    Raises:
        ValueError: if a value is missing or of another type, dtype or shape.
    """
    values = []
    for name, value in zip(record._fields, record, strict=True):
        key = prefix + name
        if hasattr(value, "_fields"):
            values.append(restore(value, flat, f"{key}.", growing))
        else:
            values.append(_like(value, flat.get(key), key, may_grow=name in growing))
    return type(record)(*values)


def _like(value: Any, given: Any, key: str, *, may_grow: bool) -> Any:
    if not isinstance(value, np.ndarray):
        if type(given) is not type(value):
            raise ValueError(f"{key} is {given!r}; expected a {type(value).__name__}")
        return given
    if not isinstance(given, np.ndarray) or (given.dtype, given.ndim) != (value.dtype, value.ndim):
        raise ValueError(f"{key} is {given!r}; expected an array of dtype {value.dtype}")
    if given.shape != value.shape and not may_grow:
        raise ValueError(f"{key} has shape {given.shape}; expected {value.shape}")
    return given.copy()


def with_capacity(record: Record, columns: tuple[str, ...], capacity: int) -> Record:
    """Return the record with at least `capacity` rows in its growing columns; they double."""
    size = getattr(record, columns[0]).size
    if capacity <= size:
        return record
    more = max(capacity, 2 * size) - size
    grown = {}
    for name in columns:
        column = getattr(record, name)
        grown[name] = np.concatenate([column, np.zeros(more, dtype=column.dtype)])
    larger: Record = record._replace(**grown)  # type: ignore[attr-defined]  # a NamedTuple
    return larger


def checked_state(
    state: dict[str, Any],
    like: dict[str, Any],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> dict[str, Any]:
    """Return validated copies of a state's values, in the order of the own state.

    Args:
        state: the argument of `set_state`; further names are ignored.
        like: the own state: expected names, types, dtypes and shapes.
        shapes: expected shapes of arrays that differ from those in `like`.

    Raises:
        ValueError: if a value is missing or of another type, dtype or shape; names it.
    """
    given = {}
    for name, own in like.items():
        value = state.get(name)
        if isinstance(own, np.ndarray):
            shape = (shapes or {}).get(name, own.shape)
            if not isinstance(value, np.ndarray) or (value.dtype, value.shape) != (
                own.dtype,
                shape,
            ):
                found = getattr(value, "shape", value)
                raise ValueError(
                    f"state {name!r} is {found}; expected {own.dtype} of shape {shape}"
                )
            given[name] = value.copy()
        elif isinstance(value, type(own)):
            given[name] = value
        else:
            raise ValueError(f"state {name!r} is {value!r}; expected a {type(own).__name__}")
    return given


def check_indices(owner: str, indices: Iterable[tuple[IntArray, int, int]]) -> None:
    """Check restored arrays of indices: compiled code does not check them when it uses them.

    Args:
        owner: the part whose state it is, for the message.
        indices: arrays, each with its lower and its exclusive upper bound.

    Raises:
        ValueError: for the first array with an index out of range.
    """
    for numbers, low, high in indices:
        if numbers.size and not low <= numbers.min() <= numbers.max() < high:
            raise ValueError(
                f"an index from {numbers.min()} to {numbers.max()} in the {owner}'s state; "
                f"expected {low} to {high - 1}"
            )


def prefixed(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return a part's state with prefixed names."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def part_of(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return the part's state that `prefixed` added."""
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}


def generator_state(rng: np.random.Generator) -> npt.NDArray[np.uint64]:
    """Return (6,) words of an SFC64 generator's state, its buffered half word included."""
    state: Any = rng.bit_generator.state
    waiting = [state["has_uint32"], state["uinteger"]]
    return np.array([*state["state"]["state"], *waiting], dtype=np.uint64)


def set_generator_state(rng: np.random.Generator, words: npt.NDArray[np.uint64]) -> None:
    """Restore an SFC64 generator to what `generator_state` returned."""
    state: Any = rng.bit_generator.state
    state["state"]["state"] = words[:4].copy()
    state["has_uint32"], state["uinteger"] = int(words[4]), int(words[5])
    rng.bit_generator.state = state
