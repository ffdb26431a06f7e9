"""Records of arrays, and the state of parts: `get_state` and `set_state` by declared fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import IntArray
from dynamaze.common.configuration import Configurable

Record = TypeVar("Record", bound=tuple[Any, ...])


class Stateful(Configurable):
    """Base class of parts, which know their arguments, and whose state are declared attributes.

    Attributes:
        state_fields: attribute -> its name in the state. A part (an object with `get_state`) and a
            record (a NamedTuple, or a tuple, whose items are numbered) contribute several names,
            which begin with the given one: `{"memory": "memory."}`, or "" for no prefix. An array,
            number or text has one name, a random generator (SFC64) also. None is not stored.
        growing_fields: attributes, or columns of records, that are arrays whose length may differ
            from the present one; an instance may have its own.
        optional_fields: attributes that may be None; they must be arrays, numbers or text.
    """

    state_fields: ClassVar[Mapping[str, str]] = {}
    growing_fields: tuple[str, ...] = ()
    optional_fields: ClassVar[tuple[str, ...]] = ()

    def get_state(self) -> dict[str, Any]:
        """Return copies of the arrays and numbers of the state, by name.

        Raises:
            TypeError: if an attribute is an object without `get_state`.
        """
        state: dict[str, Any] = {}
        for attribute, name in self.state_fields.items():
            state.update(_named_values(name, getattr(self, attribute)))
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`; one that does not fit changes nothing.

        Raises:
            ValueError: if an entry is missing, of another type, dtype or shape, or out of range;
                names it.
        """
        restored, parts = {}, {}
        for attribute, name in self.state_fields.items():
            own = getattr(self, attribute)
            if hasattr(own, "set_state"):
                parts[name.rstrip(".")] = own
            else:
                restored[attribute] = self._restored(attribute, own, name, state)
        self.check_state(restored)
        before = {name: part.get_state() for name, part in parts.items()}
        try:
            for name, part in parts.items():
                part.set_state(part_of(name, state) if name else state)
        except BaseException:
            for name, part in parts.items():
                part.set_state(before[name])
            raise
        for attribute, value in restored.items():
            setattr(self, attribute, value)

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check restored values, by attribute, before they are used; a hook for subclasses.

        Raises:
            ValueError: for a value out of range, such as an index that compiled code would use.
        """

    def _restored(self, attribute: str, own: Any, name: str, state: dict[str, Any]) -> Any:
        if attribute in self.optional_fields and (own is None or name not in state):
            return copy(state.get(name))
        if isinstance(own, tuple):
            return restore(own, state, name, self.growing_fields)
        if isinstance(own, np.random.Generator):
            restored = np.random.Generator(np.random.SFC64(0))
            words = _like(generator_state(own), state.get(name), name, may_grow=False)
            set_generator_state(restored, words)
            return restored
        return _like(own, state.get(name), name, may_grow=attribute in self.growing_fields)


def _named_values(name: str, value: Any) -> dict[str, Any]:
    """Return what an attribute contributes to the state."""
    if value is None:
        return {}
    if hasattr(value, "get_state"):
        return {f"{name}{inner}": part for inner, part in value.get_state().items()}
    if isinstance(value, tuple):
        return flatten(value, name)
    if isinstance(value, np.random.Generator):
        return {name: generator_state(value)}
    if not isinstance(value, (np.ndarray, np.generic, int, float, str, list, tuple, dict)):
        raise TypeError(f"{type(value).__name__!r} object has no attribute 'get_state'")
    return {name: value.copy() if isinstance(value, np.ndarray) else value}


def flatten(record: Any, prefix: str = "") -> dict[str, Any]:
    """Return copies of a record's arrays and numbers by name; nested names are joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in _items(record):
        if isinstance(value, tuple):
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
    for name, value in _items(record):
        key = prefix + name
        if isinstance(value, tuple):
            values.append(restore(value, flat, f"{key}.", growing))
        else:
            values.append(_like(value, flat.get(key), key, may_grow=name in growing))
    return type(record)(*values) if hasattr(record, "_fields") else tuple(values)


def _items(record: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Generate the names and values of a record; the items of a mere tuple are numbered."""
    names = getattr(record, "_fields", map(str, range(len(record))))
    return zip(names, record, strict=True)


def _like(value: Any, given: Any, key: str, *, may_grow: bool) -> Any:
    if not isinstance(value, np.ndarray):
        if type(given) is not type(value):
            raise ValueError(f"{key} is {given!r}; expected a {type(value).__name__}")
        _check_numbers(key, given)
        return given
    if not isinstance(given, np.ndarray) or (given.dtype, given.ndim) != (value.dtype, value.ndim):
        found = _kind(given) if isinstance(given, np.ndarray) else repr(given)
        raise ValueError(f"{key} is {found}; expected {_kind(value)}")
    if given.shape[may_grow:] != value.shape[may_grow:]:  # without its length where that may differ
        raise ValueError(f"{key} has shape {given.shape}; expected {value.shape}")
    _check_numbers(key, given)
    return given.copy()


COUNTERS = frozenset({"clock", "count", "counts", "steps", "visits"})
"""Names of numbers that are never negative; other whole numbers may be -1, for none."""


def _check_numbers(key: str, given: Any) -> None:
    """Check that restored numbers are finite, and that whole numbers are possible ones.

    Raises:
        ValueError: for the first that is not.
    """
    numbers = np.asarray(given)
    is_long = isinstance(given, int) and numbers.dtype.kind in "uO"  # beyond 63 bits
    if not (numbers.dtype.kind in "fi" or is_long) or not numbers.size:
        return
    least = 0 if key.rpartition(".")[2] in COUNTERS else -1
    if numbers.dtype.kind == "f":
        right = np.isfinite(numbers) & ((numbers >= 0) if least == 0 else True)
        expected = "a finite number" if least else "a finite number of at least 0"
    else:
        right = (numbers >= least) & (numbers < 2**63)
        expected = f"at least {least}, and below 2**63"
    if not right.all():
        raise ValueError(f"{key} {numbers[~right].flat[0]}; expected {expected}")


def _kind(array: npt.NDArray[Any]) -> str:
    return f"an array of dtype {array.dtype} with {array.ndim} dimensions"


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
