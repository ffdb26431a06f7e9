"""What all tests share: no display is needed, and no stale compiled code is used."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent
WINGS = ("envs", "agents", "benchmarks")

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

# No test measures time, the first call of compiled code is slow, and a failure must come again.
hypothesis.settings.register_profile("dynamaze", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("dynamaze")


def pytest_configure(config: pytest.Config) -> None:
    # Numba's cache notices a change of the file it compiled, not of what that file calls.
    if hasattr(config, "workerinput"):
        return
    sources = [path for wing in WINGS for path in (ROOT / wing).rglob("*.py")]
    newest = max(path.stat().st_mtime for path in sources)
    for cached in (path for wing in WINGS for path in (ROOT / wing).rglob("*.nb[ic]")):
        if cached.stat().st_mtime < newest:
            cached.unlink()
