"""Commands of experiments that take a runner: store, dry run, report, failures, options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.analysis.table import Lines, Table, Tables, make_table, read_csv
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting, run_module
from dynamaze.benchmarks.harness.running.runner import Runner, RunsFailedError
from dynamaze.benchmarks.harness.store.database import Store


@dataclass(frozen=True)
class SquaresConfig(ExperimentConfig):
    name: ClassVar[str] = "squares"
    title: ClassVar[str] = "Squares"

    workers: int | None = 1
    poison: int = -1

    @property
    def settings(self) -> Sequence[Setting]:
        return [Setting((power,), self.runs, f"power {power}") for power in (1, 2)]


def trial(config: SquaresConfig, power: int, number: int) -> Table:
    if number == config.poison:
        raise ArithmeticError("poison")
    return {"value": np.array([number**power])}


def run(config: SquaresConfig, runner: Runner | None = None) -> Tables:
    results = (runner or Runner()).run(trial, config)
    means = [np.mean([table["value"][0] for table in tables]) for tables in results]
    return {config.name: make_table(power=[1, 2], mean=means, runs=config.runs)}


def summary(tables: Tables, config: SquaresConfig) -> Lines:
    return [("mean",), *((f"{mean:.2f}",) for mean in tables[config.name]["mean"])]


EXPERIMENT = SimpleNamespace(run=run, plot=lambda *_: Figure(), summary=summary)


def test_run_module_stores_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = run_module(EXPERIMENT, SquaresConfig(output=tmp_path, runs=4))
    assert [path.name for path in paths] == ["squares.png", "squares.csv", "squares.html"]
    assert "Squares" in paths[2].read_text(encoding="utf-8")
    assert read_csv(paths[1])["mean"].tolist() == [1.5, 3.5]
    text = capsys.readouterr().out
    assert "squares: 0 of 8 runs, " in text
    assert "squares: 8 of 8 runs, " in text
    run_module(EXPERIMENT, SquaresConfig(output=tmp_path, runs=5))
    assert "squares: 8 of 10 runs, " in capsys.readouterr().out


def test_dry_run_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = SquaresConfig(output=tmp_path, dry_run=True)
    assert not run_module(EXPERIMENT, config)
    assert "squares: 0 runs are stored, 4 are missing" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    run_module(EXPERIMENT, replace(config, dry_run=False))
    capsys.readouterr()
    run_module(EXPERIMENT, config)
    assert capsys.readouterr().out == "squares: all runs are stored\n"


def test_failed_runs_keep_the_others(tmp_path: Path) -> None:
    store = tmp_path / "other.sqlite"
    config = SquaresConfig(output=tmp_path, store=store, runs=3, poison=1)
    with pytest.raises(RunsFailedError, match="2 of 6 runs of squares failed, first run 1"):
        run_module(EXPERIMENT, config)
    with Store(store, write=False) as stored:
        assert [(each.done, each.failed) for each in stored.groups()] == [(2, 1), (2, 1)]
    assert not (tmp_path / "results" / "runs.sqlite").exists()


@pytest.mark.parametrize("options", [{"workers": 0}, {"run_limit": -1.0}, {"runs": 1}])
def test_options_are_checked(options: dict[str, Any], tmp_path: Path) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}="):
        run_module(EXPERIMENT, SquaresConfig(output=tmp_path, **options))


def test_output_folder_is_made_beside_store(tmp_path: Path) -> None:
    config = SquaresConfig(output=tmp_path / "new", store=tmp_path / "other.sqlite")
    assert all(path.exists() for path in run_module(EXPERIMENT, config))


@pytest.mark.parametrize("options", [{"workers": 10**6}, {"runs": 10**12}, {"runs": 1}])
def test_config_rejects_absurd_numbers(options: dict[str, int], tmp_path: Path) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=f"^{name}={value}; expected "):
        run_module(EXPERIMENT, replace(SquaresConfig(output=tmp_path), **options))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
