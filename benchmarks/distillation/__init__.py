"""Experiments of distillation: teachers, students, frontiers."""

from __future__ import annotations

from importlib.util import find_spec

from dynamaze.common.optional_imports import MissingLibraryError

if find_spec("torch") is None:  # named here for `python -m`, which imports this package first
    _error = MissingLibraryError("torch", purpose=__name__)
    raise ModuleNotFoundError(str(_error), name="torch")
