"""Kill trial of saves with a few kills (`make trials` has 600)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import kill_saves


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked writer")
def test_killed_saves_lose_nothing() -> None:
    # In a process of its own, because one with threads must not fork.
    command = [sys.executable, "-W", "ignore", kill_saves.__file__, "--kills", "30", "--longest"]
    command += ["0.03", "--kinds", "checkpoint", "tables", "store"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=100
    )
    assert ended.stdout.endswith("all pairs agree, no temporary file left\n"), ended.stderr


def test_trial_notices_disagreement(tmp_path: Path) -> None:
    kill_saves.save_tables(tmp_path, 1)
    old = (tmp_path / "t_2.csv").read_bytes()
    kill_saves.save_tables(tmp_path, 2)
    kill_saves.check_tables(tmp_path)
    (tmp_path / "t_2.csv").write_bytes(old)
    with pytest.raises(AssertionError):
        kill_saves.check_tables(tmp_path)
