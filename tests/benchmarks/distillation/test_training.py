"""Shared parts of the commands that train networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynamaze.benchmarks.distillation.training import TrainingConfig, begin_training, seed_of


def test_seeds_differ_by_run_and_restart() -> None:
    seeds = {seed_of(run, restart) for run in range(20) for restart in range(5)}
    assert len(seeds) == 100
    assert max(seeds) < 2**31


def test_begin_training_makes_folder(tmp_path: Path) -> None:
    config = TrainingConfig(tmp_path / "new" / "n.safetensors", mazes=2)
    begin_training(config)
    assert (tmp_path / "new").is_dir()
    with pytest.raises(ValueError, match="mazes=1; expected"):
        begin_training(TrainingConfig(tmp_path / "other" / "n.safetensors", mazes=1))
    assert not (tmp_path / "other").exists()
