"""Models that detect their own errors, on toy sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import (
    Table,
    make_table,
    rename_entries,
    stack,
    write_csv,
)
from dynamaze.benchmarks.harness.curves import reward_curve
from dynamaze.benchmarks.harness.experiment import read_tables, run_module
from dynamaze.benchmarks.studies import model_confidence
from dynamaze.benchmarks.studies.model_confidence import (
    MAZES,
    METHODS,
    ModelConfidenceConfig,
    paired_gain,
    run_columns,
)


def toy(config: ModelConfidenceConfig) -> dict[str, Table]:
    """Return tables: Dyna-Q earns 1 before and 2 after the change, each further method one more."""
    curves, ends = [], []
    for maze in MAZES:
        for model in config.models:
            for number, method in enumerate(METHODS):
                rewards = np.zeros((3, 6000))
                rewards[:, 500] = 1 + number
                rewards[:, 4000] = [number, 2 + number, 4 + number]
                labels: dict[str, Any] = {"maze": maze, "model": model, "method": method}
                curves.append(reward_curve(rewards, **labels))
                ends.append(make_table(**labels, **run_columns(rewards, 1000)))
    return {"model_confidence": stack(curves), "model_confidence_runs": stack(ends)}


def test_summary_and_plot_of_tables() -> None:
    config = ModelConfidenceConfig(runs=3)
    tables = toy(config)
    sections = model_confidence.summary(tables, config)
    assert len(sections) == len(MAZES) * len(config.models)
    lines = sections["blocking maze, latest outcome"]
    assert len(lines) == 1 + len(METHODS)
    assert lines[1][:3] == ("Dyna-Q", "3", "1.0 (all equal)")
    assert lines[1][5] == "-"
    assert lines[2][4].startswith("3.0 [")
    assert lines[2][5] == "1.0 (all equal)"  # paired, run by run
    figure = model_confidence.plot(tables, config)
    assert [len(axes.lines) for axes in figure.axes] == [len(METHODS) + 1] * 4
    assert "n = 3," in str(figure.get_suptitle())


def test_five_goals_count_from_change() -> None:
    rewards = np.zeros((2, 30))
    rewards[:, :10] = 1
    rewards[0, 12:18] = 1
    ends = run_columns(rewards, 10)
    assert ends["steps_to_five"].tolist() == [7, 20]
    assert ends["reward_before"].tolist() == [10, 10]
    assert ends["reward_after"].tolist() == [6, 0]


def test_uncertainty_bonus_recovers_faster() -> None:
    model = "maximum_likelihood"
    config = ModelConfidenceConfig(runs=20, models=(model,))
    ends = model_confidence.run(config)["model_confidence_runs"]
    assert len(ends["run"]) == config.total_runs
    for maze in MAZES:
        assert paired_gain(ends, maze, model, "Scored + uncertainty", "reward_after").low > 20
        assert paired_gain(ends, maze, model, "Scored + uncertainty", "reward_before").mean > 0
    assert paired_gain(ends, "blocking", model, "Scored + uncertainty", "steps_to_five").high < -500


def test_run_module_plots_stored_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ModelConfidenceConfig(runs=3, models=("maximum_likelihood",), output=tmp_path)
    monkeypatch.setattr(model_confidence, "run", lambda config, runner: toy(config))
    run_module(model_confidence, config)
    assert "shortcut maze, maximum likelihood" in capsys.readouterr().out
    files = {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()}
    assert set(files) == {
        "model_confidence.csv",
        "model_confidence_runs.csv",
        "model_confidence.png",
        "runs.sqlite",
    }
    monkeypatch.delattr(model_confidence, "run")
    run_module(model_confidence, ModelConfidenceConfig(output=tmp_path, plot_only=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()} == files


def test_run_rejects_invalid_config() -> None:
    with pytest.raises(ValueError, match="runs=1; expected at least 2"):
        model_confidence.run(ModelConfidenceConfig(runs=1))
    with pytest.raises(ValueError, match="did you mean 'latest_outcome'"):
        model_confidence.run(ModelConfidenceConfig(models=("latest_outcomes",)))


def test_old_tables_are_read(tmp_path: Path) -> None:
    config = ModelConfidenceConfig(runs=3)
    today = {new: old for old, new in config.old_names.items()}
    for name, table in toy(config).items():
        stem = name.replace("model_confidence", today["model_confidence"])
        write_csv(tmp_path / f"{stem}.csv", rename_entries(table, today))
    header = (tmp_path / "model_doubt.csv").read_text().splitlines()[0]
    assert header.startswith("maze,model,method,step")
    assert "Scored + doubt" in (tmp_path / "model_doubt_runs.csv").read_text()
    np.testing.assert_equal(read_tables(tmp_path, config.name, config.old_names), toy(config))
