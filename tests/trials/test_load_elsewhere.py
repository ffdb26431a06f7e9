"""Checkpoints of eight environments loaded into each other (`make trials` has more agents)."""

from __future__ import annotations

from pathlib import Path

from . import load_elsewhere


def test_checkpoints_know_their_environment(tmp_path: Path) -> None:
    counts = load_elsewhere.run_trial(tmp_path, ["DynaQ"], steps=250, after=8)
    assert counts["continued"] == 8
    assert counts["new episode"] == 8 * 7
    assert counts.total() == 2 * 8 * 8
