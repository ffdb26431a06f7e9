"""Fixtures of the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamaze.benchmarks.harness.store.database import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "runs.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, provenance={"command": "test"}) as opened:
        yield opened
