"""Kill trial with a few kills (`make trials` has 200), and what it notices."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from . import kill_runs

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are found in /proc"
)


def test_kills_lose_nothing(tmp_path: Path) -> None:
    config = kill_runs.Sweep(runs=50, milliseconds=10.0)
    lines: list[str] = []
    total = kill_runs.run_trial(tmp_path, config, 2, np.random.default_rng(1), lines.append, 4.0)
    assert total.total() == 2
    assert lines[-1].endswith(f"kills so far: {dict(total)}")


def test_trial_notices_changed_row(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    config = kill_runs.Sweep(runs=2, milliseconds=0.0)
    kill_runs.drive(path, config)
    disturbed = kill_runs.KillTrial(path, config, 0, np.random.default_rng(0))
    disturbed.check_rows()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET metrics = '{}' WHERE number = 1 AND group_id = 1")
    with pytest.raises(AssertionError, match="a stored run was lost or changed"):
        disturbed.check_rows()
