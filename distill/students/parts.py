"""Students that are made of others."""

from __future__ import annotations

from typing import Any

from .base import Student
from .quantise import is_quantised


def checked_part(name: str, part: Any) -> Student:
    """A student that may be part of another.

    Raises:
        TypeError: for what is no network.
        ValueError: for one that is quantised already, which only the whole may be.
    """
    if not isinstance(part, Student):
        raise TypeError(f"{name} of type {type(part).__name__}; expected a student (a network)")
    if is_quantised(part):
        raise ValueError(f"{name} is quantised already; expected the whole to be: quantised(whole)")
    return part


def check_outputs(name: str, part: Student, outputs: int) -> None:
    """Refuse a part made with another number of outputs, where that is known.

    Raises:
        ValueError: for another number.
    """
    known = part.config.get("num_actions", outputs)
    if known != outputs:
        raise ValueError(f"{name} has {known} outputs; expected {outputs}")
