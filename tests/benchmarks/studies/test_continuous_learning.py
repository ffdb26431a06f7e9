"""Learning curves of PPO and SAC in a continuous maze, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import Table, read_csv
from dynamaze.benchmarks.harness.experiment import run_module
from dynamaze.benchmarks.studies import continuous_learning
from dynamaze.benchmarks.studies.continuous_learning import (
    ContinuousLearningConfig,
    plot,
    summary,
)

TOY = ContinuousLearningConfig(
    runs=2, ppo_steps=64, sac_steps=40, points=2, episodes=2, seed=3, workers=1
)


def toy_table() -> dict[str, Table]:
    rows = [
        (algorithm, run, step, 500 - 100 * point - run, point / 4)
        for algorithm in ("PPO", "SAC")
        for run in range(3)
        for point, step in enumerate((0, 4000, 8000))
    ]
    names = ("algorithm", "run", "step", "length", "reached")
    columns = zip(*rows, strict=True)
    return {TOY.name: {name: np.array(column) for name, column in zip(names, columns, strict=True)}}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("stable_baselines3")
    settings = continuous_learning.SETTINGS
    sizes: dict[str, dict[str, Any]] = {
        "PPO": {"n_steps": 4, "batch_size": 16},
        "SAC": {"learning_starts": 8},
    }
    for name, more in sizes.items():
        monkeypatch.setitem(settings, name, {**settings[name], **more})
    monkeypatch.setattr(continuous_learning, "TIME_LIMIT", 20)


@pytest.mark.usefixtures("small")
def test_run_is_reproducible() -> None:
    assert TOY.total_runs == 4
    table = continuous_learning.run(TOY)[TOY.name]
    assert table["algorithm"].tolist() == ["PPO"] * 6 + ["SAC"] * 6
    assert table["run"].tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert table["step"].tolist() == [0, 32, 64] * 2 + [0, 24, 40] * 2
    again = continuous_learning.run(TOY)[TOY.name]
    for name, column in table.items():
        np.testing.assert_array_equal(column, again[name])


@pytest.mark.usefixtures("small")
def test_trial_depends_on_its_arguments() -> None:
    other = replace(TOY, runs=9, sac_steps=80)
    for name, column in continuous_learning.trial(TOY, "PPO", 64, 1).items():
        np.testing.assert_array_equal(column, continuous_learning.trial(other, "PPO", 64, 1)[name])


@pytest.mark.usefixtures("small")
def test_run_module_writes_table_and_plot(tmp_path: Path) -> None:
    run_module(continuous_learning, replace(TOY, output=tmp_path))
    table = read_csv(tmp_path / "results" / "continuous_learning.csv")
    assert len(table["step"]) == 12
    assert (tmp_path / "results" / "continuous_learning.png").stat().st_size > 1000


def test_plot_and_summary_of_table() -> None:
    tables = toy_table()
    figure = plot(tables, TOY)
    assert "n = 3," in figure.get_suptitle()
    _, ppo, sac = summary(tables, TOY)
    assert ppo[:4] == ("PPO", "3", "8,000", "299.0 [298.0, 300.0] (!)")
    assert ppo[4].startswith("50% [")
    assert sac[0] == "SAC"


@pytest.mark.parametrize("name", ["runs", "ppo_steps", "sac_steps", "points", "episodes"])
def test_run_rejects_small_numbers(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0; expected"):
        continuous_learning.run(ContinuousLearningConfig(**{name: 0}))
