"""The study of model errors, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one
from dynamaze.benchmarks.harness.analysis.table import Table, rename_entries, rows_where, write_csv
from dynamaze.benchmarks.harness.experiment import read_tables, run_module
from dynamaze.benchmarks.studies import model_error
from dynamaze.benchmarks.studies.corrupted_model import KINDS
from dynamaze.benchmarks.studies.model_error import (
    MODEL_FREE,
    PLANNERS,
    ModelErrorConfig,
    PlannerSetting,
    make_agent,
    planner_settings,
    relative_to_model_free,
    run_setting,
    summarise,
)


@pytest.mark.parametrize("planner", ["uniform", "prioritised_sweeping"])
def test_selective_planning_identical_at_zero(planner: str) -> None:
    config = ModelErrorConfig(steps=1500)
    agents = [
        make_agent(config, KINDS["noise"], PlannerSetting(0.0, planner, selective), 3)[0]
        for selective in (False, True)
    ]
    plain, selective = (run_one(agent, config.steps, 0) for agent in agents)
    np.testing.assert_array_equal(plain.rewards, selective.rewards)
    np.testing.assert_array_equal(plain.q, selective.q)


def test_selective_planning_beats_model_free() -> None:
    """With 30% noise; paired, 12 seeds.

    False alarm: the gain is 15.2 +- 0.2% in 100 runs, of a deviation of 1% each; a bound at 10%
    fails with a probability below 1e-9. That of plain planning is -96%, and -30% the bound.
    """
    config = ModelErrorConfig(runs=12)
    rewards = {
        setting: np.array(
            [run_setting(config, KINDS["noise"], setting, n)[1] for n in range(config.runs)]
        )
        for setting in (
            PlannerSetting(0.0, MODEL_FREE, False),
            PlannerSetting(0.3, "uniform", False),
            PlannerSetting(0.3, "uniform", True),
        )
    }
    free, plain, selective = (each.mean() for each in rewards.values())
    assert plain < 0.7 * free
    assert selective > 1.1 * free


def toy(runs: int = 3) -> Table:
    """Return runs: Q-learning earns 2, 4, 6, planners about half of it, selectively one more."""
    rows = []
    for name, kind in KINDS.items():
        for setting in planner_settings(kind):
            for run in range(runs):
                reward = 2.0 + 2 * run
                if setting.planner != MODEL_FREE:
                    reward = reward + 1 if setting.selective else reward - 1 - 0.1 * run
                rows.append((name, *setting, run, setting.level / 10, reward))
    names = ("kind", *PlannerSetting._fields, "run", "error", "reward")
    table = {n: np.array(c) for n, c in zip(names, zip(*rows, strict=True), strict=True)}
    return {**table, "selective": table["selective"].astype(np.int64)}


def tables() -> dict[str, Table]:
    return {"model_error": summarise(toy()), "model_error_runs": toy()}


def test_gains_are_paired_percentages() -> None:
    table = summarise(toy())
    uniform = rows_where(table, planner="uniform", selective=1)
    assert (uniform["gain_low"] == 1).all()  # the same in each run
    assert (uniform["gain_high"] == 1).all()
    assert not uniform["worse_than_model_free"].any()
    plain = rows_where(table, planner="uniform", selective=0)
    np.testing.assert_allclose(plain["gain_mean"], -1.1)
    assert plain["worse_than_model_free"].all()
    percent = relative_to_model_free(table)
    assert set(rows_where(percent, planner=MODEL_FREE)["reward_mean"]) == {100.0}
    assert set(rows_where(percent, selective=1)["gain_mean"]) == {25.0}
    assert table["kind"].size == sum(1 + 2 * len(PLANNERS) * len(k.levels) for k in KINDS.values())


def test_summary_and_plot_of_tables() -> None:
    config = ModelErrorConfig(runs=3)
    sections = model_error.summary(tables(), config)
    assert list(sections) == [kind.title for kind in KINDS.values()]
    lines = sections["Noise"]
    assert len(lines) == 1 + len(PLANNERS) * len(KINDS["noise"].levels)
    assert lines[1][:4] == ("Dyna-Q", "0", "3", "0.000")
    assert lines[2][4:] == ("-28 [-34, -21] (!)", "worse", "25 (all equal)", "")
    figure = model_error.plot(tables(), config)
    assert [len(axes.lines) for axes in figure.axes] == [1 + 2 * len(PLANNERS)] * len(KINDS)
    assert "n = 3 of each agent" in str(figure.get_suptitle())
    styles = [line.get_linestyle() for line in figure.axes[0].lines[1:]]
    assert styles == ["-", "--"] * len(PLANNERS)


def test_run_module_plots_stored_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ModelErrorConfig(runs=3, output=tmp_path)
    monkeypatch.setattr(model_error, "run", lambda config, runner: tables())
    run_module(model_error, config)
    assert "Too little capacity" in capsys.readouterr().out
    files = {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()}
    names = {"model_error.csv", "model_error_runs.csv", "model_error.png", "runs.sqlite"}
    assert set(files) == names
    monkeypatch.delattr(model_error, "run")
    run_module(model_error, replace(config, plot_only=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()} == files


def test_kinds_are_literals() -> None:
    assert ModelErrorConfig().kinds == tuple(KINDS)


def test_run_rejects_invalid_config() -> None:
    with pytest.raises(ValueError, match="runs=1; expected at least 2"):
        model_error.run(ModelErrorConfig(runs=1))
    with pytest.raises(ValueError, match="did you mean 'closed'"):
        model_error.run(ModelErrorConfig(kinds=("closd",)))  # type: ignore[arg-type]


def test_old_tables_are_read(tmp_path: Path) -> None:
    config = ModelErrorConfig()
    today = {new: old for old, new in config.old_names.items()}
    for name, table in tables().items():
        stem = name.replace("model_error", today["model_error"])
        write_csv(tmp_path / f"{stem}.csv", rename_entries(table, today))
    header = (tmp_path / "wrong_models.csv").read_text().splitlines()[0]
    assert header.startswith("kind,dial,planner,selective,error_mean")
    np.testing.assert_equal(read_tables(tmp_path, config.name, config.old_names), tables())
