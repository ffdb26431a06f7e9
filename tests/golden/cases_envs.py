"""Golden cases of the environments."""

from __future__ import annotations

from collections.abc import Callable

from .golden import Record, exact

CASES: dict[str, Callable[[], Record]] = {"zero": lambda: exact(0)}
