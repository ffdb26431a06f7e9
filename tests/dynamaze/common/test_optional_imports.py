"""Imports of libraries that only an extra installs."""

from __future__ import annotations

import pytest

from dynamaze.common.optional_imports import optional_import


def test_optional_import_names_extra() -> None:
    assert optional_import("json", extra="x", purpose="y").__name__ == "json"
    with pytest.raises(ImportError, match=r'a trip needs no_such_library.*"dynamaze\[moon\]"'):
        optional_import("no_such_library", extra="moon", purpose="a trip")
