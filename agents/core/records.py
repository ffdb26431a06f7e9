"""Records of arrays: as flat dictionaries for checkpoints, and with more room."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

Record = TypeVar("Record", bound=tuple[Any, ...])


def flatten(record: Any, prefix: str = "") -> dict[str, Any]:
    """A record's arrays and numbers as copies, a nested record's names joined by dots."""
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
    """A record like this one with the values of `flatten`.

    Args:
        record: gives the types, dtypes and shapes.
        flat: the values by name.
        prefix: what stands in front of the names.
        growing: the columns whose length may differ, also of nested records.

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


def with_room(record: Record, columns: tuple[str, ...], room: int) -> Record:
    """The record with at least `room` places in its growing columns; they double."""
    size = getattr(record, columns[0]).size
    if room <= size:
        return record
    more = max(room, 2 * size) - size
    grown = {}
    for name in columns:
        column = getattr(record, name)
        grown[name] = np.concatenate([column, np.zeros(more, dtype=column.dtype)])
    larger: Record = record._replace(**grown)  # type: ignore[attr-defined]  # a NamedTuple
    return larger
