"""Comparison of the environment models, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents.models import MODELS
from dynamaze.benchmarks.harness.analysis.table import Table, stack
from dynamaze.benchmarks.harness.experiment import read_tables, run_module
from dynamaze.benchmarks.studies import model_comparison
from dynamaze.benchmarks.studies.model_comparison import (
    ModelComparisonConfig,
    plot,
    ratio_to_table,
    summarise,
    summary,
)
from dynamaze.benchmarks.studies.model_trial import (
    MAZES,
)

NAMES = ("latest_outcome", "maximum_likelihood", "bayesian_linear")


TOY = ModelComparisonConfig(
    runs=2, slow_runs=2, models=NAMES, mazes=("static", "blocking"), workers=1
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, maze in MAZES.items():
        sizes: dict[str, Any] = {"limit": 120, "measured_at": 60, "solve_from": 0, "episodes": 0}
        monkeypatch.setitem(MAZES, name, maze._replace(**sizes, evaluation_interval=40))


@pytest.mark.usefixtures("small")
def test_run_is_reproducible() -> None:
    tables = model_comparison.run(TOY)
    assert len(tables["models_runs"]["run"]) == TOY.total_runs == 2 * 2 * len(NAMES)
    again = model_comparison.run(TOY)["models_runs"]
    for name, column in tables["models_runs"].items():
        if name not in ("update_us", "sample_ms"):
            np.testing.assert_array_equal(column, again[name])
    assert (again["update_us"] > 0).all()


@pytest.mark.usefixtures("small")
def test_run_module_plots_stored_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(TOY, output=tmp_path)
    run_module(model_comparison, config)
    folder = tmp_path / "results"
    assert sorted(path.name for path in folder.iterdir()) == [
        "models.csv",
        "models.html",
        "models.png",
        "models_runs.csv",
        "runs.sqlite",
    ]
    monkeypatch.setattr(model_comparison, "run", None)
    picture = (folder / "models.png").read_bytes()
    (folder / "models.png").unlink()
    run_module(model_comparison, replace(config, plot_only=True))
    assert (folder / "models.png").read_bytes() == picture
    sections = summary(read_tables(folder, "models"), config)
    assert list(sections) == ["static maze", "blocking maze", "Times in the static maze"]


def test_settings_cover_supported_models() -> None:
    settings = ModelComparisonConfig(runs=3, slow_runs=2).settings
    runs = {setting.arguments: setting.runs for setting in settings}
    assert {model for maze, model in runs if maze == "blocking"} == set(MODELS)
    continuous = {model for maze, model in runs if maze == "continuous"}
    assert continuous == {*model_comparison.LEARNED_MODELS, "stored_experience"}
    assert runs["static", "ensemble"] == 2
    assert runs["static", "linear"] == 3


def toy_runs(model: str, lengths: list[float]) -> Table:
    table: Table = {
        "maze": np.array(["static"] * len(lengths)),
        "model": np.array([model] * len(lengths)),
        "run": np.arange(len(lengths)),
        "solved": np.ones(len(lengths), dtype=np.int64),
    }
    for name in ("steps_to_solve", "next_error", "reward_error", "update_us", "sample_ms"):
        table[name] = np.arange(1.0, len(lengths) + 1)
    return {**table, "steps_after": np.array(lengths), "coverage": np.full(len(lengths), np.nan)}


def test_ratio_is_paired() -> None:
    runs = stack([toy_runs("latest_outcome", [10, 20, 40]), toy_runs("linear", [20, 40])])
    assert ratio_to_table(runs, "linear") == pytest.approx((2, 2, 2))
    assert ratio_to_table(runs, "latest_outcome") == pytest.approx((1, 1, 1))


def test_means_skip_missing_values() -> None:
    runs = stack([toy_runs("latest_outcome", [10, 20, 40]), toy_runs("linear", [20, 40])])
    tables = {"models": summarise(runs), "models_runs": runs}
    assert tables["models"]["runs"].tolist() == [3, 2]
    assert tables["models"]["next_error"].tolist() == [2.0, 1.5]
    line = summary(tables, TOY)["static maze"][1]
    assert line[:2] == ("latest_outcome", "3")
    assert line[2].startswith("100% [")
    assert line[3] == "2 [1, 3] (!)"
    assert line[5] == ""
    assert "n = 2 to 3" in str(plot(tables, TOY).get_suptitle())
    assert len(plot(tables, TOY).axes) == len(model_comparison.MEASURES)


def test_summary_shows_unsolved_runs() -> None:
    runs = toy_runs("latest_outcome", [10.0] * 12)
    runs["solved"][:4] = 0
    runs["steps_to_solve"] = np.where(runs["solved"] == 1, 100.0, 2000.0)
    line = summary({"models": summarise(runs), "models_runs": runs}, TOY)["static maze"][1]
    assert line[2].startswith("67% [")
    assert line[3] == "100 [100, over 2000]"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"runs": 1}, "runs=1; expected at least 2"),
        ({"slow_runs": 0}, "slow_runs=0; expected at least 2"),
        ({"models": ("linaer",)}, "did you mean 'linear'?"),
    ],
)
def test_run_module_rejects_invalid_config(
    wrong: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        run_module(model_comparison, ModelComparisonConfig(output=tmp_path, **wrong))
    assert not list(tmp_path.iterdir())
