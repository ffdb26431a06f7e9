"""Kill trial with a few kills (`make trials` runs it with 200)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from . import kill_runs


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_kills_lose_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    config = kill_runs.Sweep(runs=60, milliseconds=10.0)
    total = kill_runs.run_trial(tmp_path, config, 3, random.Random(0), lines.append)
    assert total.total() == 3
    assert "3" not in lines[0] or total


def test_trial_notices_changed_row(tmp_path: Path) -> None:
    import sqlite3

    config = kill_runs.Sweep(runs=2, milliseconds=0.0)
