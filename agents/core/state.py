"""What `get_state` gives and `set_state` takes: named arrays and numbers, checked by one rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def checked_state(
    state: dict[str, Any],
    like: dict[str, Any],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> dict[str, Any]:
    """The values of a state as copies, in the order of one's own, if they are like those.

    Args:
        state: what `set_state` was given; other names in it are left alone.
        like: one's own state: the names, types, dtypes and shapes that are expected.
        shapes: of the arrays whose shape differs from that in `like`.

    Raises:
        ValueError: if a value is missing or of another type, dtype or shape, naming it.
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


def prefixed(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    """A part's state under names of its own."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def part_of(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    """The part's state that `prefixed` put in."""
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}


def generator_state(rng: np.random.Generator) -> npt.NDArray[np.uint64]:
    """(6,) where a generator of SFC64 stands: its words, and half a word that waits."""
    state: Any = rng.bit_generator.state
    waiting = [state["has_uint32"], state["uinteger"]]
    return np.array([*state["state"]["state"], *waiting], dtype=np.uint64)


def set_generator_state(rng: np.random.Generator, words: npt.NDArray[np.uint64]) -> None:
    """Put a generator of SFC64 where `generator_state` found one."""
    state: Any = rng.bit_generator.state
    state["state"]["state"] = words[:4].copy()
    state["has_uint32"], state["uinteger"] = int(words[4]), int(words[5])
    rng.bit_generator.state = state
