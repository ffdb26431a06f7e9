"""Imports of libraries that only an extra installs, with an error that names the extra."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

EXTRAS = {"torch": "distill", "safetensors": "distill", "stable_baselines3": "distill"}
"""Library that whole modules and commands need -> the extra that installs it."""


def optional_import(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a library that only an extra installs.

    Args:
        module: name of the library's module.
        extra: name of the extra, as in `pip install "dynamaze[extra]"`.
        purpose: what needs the library, for the message.

    Raises:
        ImportError: if it is missing; the message names the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise missing_library_error(module, extra=extra, purpose=purpose) from error


def missing_library_error(module: str, *, extra: str, purpose: str) -> ImportError:
    """Return the error that names the extra which installs a missing library."""
    return ImportError(
        f'{purpose} needs {module}, which is not installed: pip install "dynamaze[{extra}]"'
    )
