"""What all tests share: no display is needed, and no stale compiled code is used."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent
WINGS = ("envs", "agents", "distill", "benchmarks")

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
# The tests' matrices are small, and threads that share a core with others only wait for each other.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

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
        with suppress(FileNotFoundError):  # another session deletes them too
            if cached.stat().st_mtime < newest:
                cached.unlink()
