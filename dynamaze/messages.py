"""What messages share: "did you mean", and which extra brings a missing library."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known name, or nothing if none is near."""
    near = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def optional_import(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a library that only an extra brings.

    Raises:
        ImportError: naming the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f'{purpose} needs {module}, which is not installed: pip install "dynamaze[{extra}]"'
        ) from error
