"""The figures of chapter 8 with few runs: tables, plots and claims of the book."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.benchmarks.figures import command as figures
from dynamaze.benchmarks.figures import figure_8_7
from dynamaze.benchmarks.figures.command import (
    FIGURES,
    FigureName,
    Figures,
    announcement,
    expected_seconds,
    load_figure,
    main,
)
from dynamaze.benchmarks.figures.figures_8_4_and_8_5 import optimal_rewards
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE
from dynamaze.benchmarks.harness.analysis.table import Tables, read_csv, rows_where
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, interval_caption
from dynamaze.benchmarks.harness.registry import EXPERIMENTS
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.progress import format_seconds


def interval(kind: str) -> list[str]:
    return [f"{kind}_{part}" for part in ("mean", "low", "high")]


CHANGING = ["agent", "step", *interval("reward"), "runs"]
COLUMNS = {
    "figure_8_2": ["planning_steps", "episode", *interval("steps"), "runs"],
    "figure_8_4": CHANGING,
    "figure_8_5": CHANGING,
    "exercise_8_4": ["maze", "epsilon", "bonus", "step", *interval("reward"), "runs"],
    "exercise_8_4_kappas": [
        *("maze", "epsilon", "bonus", "kappa"),
        *interval("regret"),
        *interval("found"),
        "runs",
    ],
    "figure_8_7": [
        *("branching", "updates", "computation"),
        *interval("rms"),
        *("closed_form", "runs"),
    ],
    "figure_8_8": [
        *("states", "branching", "updates"),
        *interval("on_policy"),
        *interval("uniform"),
        *interval("difference"),
        "runs",
    ],
}
ROWS = {
    "figure_8_2": 3 * 50,
    "figure_8_4": 2 * 3000,
    "figure_8_5": 2 * 6000,
    "exercise_8_4": 2 * 3 * (300 + 600),
    "exercise_8_4_kappas": 2 * 2 * (1 + 2 * 5),
    "figure_8_7": sum(figure_8_7.curve_points(b).size for b in (2, 10, 100, 1000, 10_000)),
    "figure_8_8": 4 * 101,
}
DRAWN = {
    "figure_8_2": ["steps"],
    "figure_8_4": ["reward"],
    "figure_8_5": ["reward"],
    "exercise_8_4": ["reward"],
    "figure_8_7": ["rms"],
    "figure_8_8": ["on_policy", "uniform"],
}
LEARNING: tuple[FigureName, ...] = ("figure-8-2", "figure-8-4", "figure-8-5")  # results below
OTHERS: tuple[FigureName, ...] = ("exercise-8-4", "figure-8-7", "figure-8-8")  # own test files
# The first has quantiles, not means, the others have fewer runs; each has its own test file.
SEPARATE: tuple[FigureName, ...] = ("example-8-4", "equal-budgets", "background-or-decision")
LEARNED = {load_figure(name)[1].name for name in LEARNING}
RUNS, FEW = 40, 5


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert {*LEARNING, *OTHERS, *SEPARATE} == set(FIGURES)
    folder = tmp_path_factory.mktemp("figures")
    main(Figures(runs=RUNS, output=folder, only=LEARNING, workers=2))
    main(Figures(runs=FEW, output=folder, only=OTHERS, workers=2))
    return folder / "results"


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_table_columns_and_rows(results: Path, name: str) -> None:
    table = read_csv(results / f"{name}.csv")
    assert list(table) == COLUMNS[name]
    assert {len(column) for column in table.values()} == {ROWS[name]}
    assert set(table["runs"]) == {RUNS if name in LEARNED else FEW}
    kinds = [column.removesuffix("_mean") for column in table if column.endswith("_mean")]
    assert kinds
    for kind in kinds:
        assert (table[f"{kind}_low"] <= table[f"{kind}_mean"]).all()
        assert (table[f"{kind}_mean"] <= table[f"{kind}_high"]).all()


def stored(results: Path, name: str) -> tuple[ModuleType, ExperimentConfig, Tables]:
    """Return the module, the configuration and the stored tables of a figure."""
    figures_by_name = {
        config.name: (module, config) for module, config in map(load_figure, FIGURES)
    }
    tables = {path.stem: read_csv(path) for path in results.glob(f"{name}*.csv")}
    return *figures_by_name[name], tables


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_plot_from_stored_tables(results: Path, name: str) -> None:
    assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    module, config, tables = stored(results, name)
    figure = module.plot(tables, config)
    lines = [line for axes in figure.axes for line in axes.lines]
    drawn = np.concatenate([line.get_ydata() for line in lines])
    for kind in DRAWN[name]:
        assert np.isin(tables[name][f"{kind}_mean"], drawn).all()
    assert module.summary(tables, config)


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_plot_explains_panels(results: Path, name: str) -> None:
    module, config, tables = stored(results, name)
    for axes in module.plot(tables, config).axes:
        assert axes.get_xlabel() if axes.axison else axes.get_title()
        if axes.patches:  # a histogram
            assert axes.get_legend() is not None


def test_figure_8_2_has_maze_beside(results: Path) -> None:
    module, config, tables = stored(results, "figure_8_2")
    _, beside = module.plot(tables, config).axes
    assert len(beside.get_images()) == 1
    assert not beside.axison


def test_figure_8_2_planning_helps(results: Path) -> None:
    table = read_csv(results / "figure_8_2.csv")
    second = {n: rows_where(table, planning_steps=n)["steps_mean"][1] for n in (0, 5, 50)}
    assert second[50] < second[5] < second[0]
    last = rows_where(table, planning_steps=50)["steps_mean"][-20:].mean()
    assert 15.88 - 0.5 < last < 18


@pytest.mark.parametrize("name", ["figure_8_4", "figure_8_5"])
def test_dyna_q_plus_earns_more(results: Path, name: str) -> None:
    table = read_csv(results / f"{name}.csv")
    ends = {agent: rows_where(table, agent=agent) for agent in ("DynaQ", "DynaQPlus")}
    assert ends["DynaQPlus"]["reward_low"][-1] > ends["DynaQ"]["reward_high"][-1]


def test_figures_same_seed(results: Path, tmp_path: Path) -> None:
    main(Figures(runs=RUNS, output=tmp_path, only=("figure-8-4",), workers=1))
    again = tmp_path / "results"
    assert sorted(path.name for path in again.iterdir()) == [
        "figure_8_4.csv",
        "figure_8_4.html",
        "figure_8_4.png",
        "figure_8_4_runs.csv",
        "runs.sqlite",
    ]
    assert (again / "figure_8_4.csv").read_bytes() == (results / "figure_8_4.csv").read_bytes()


def test_default_runs_at_least_500() -> None:
    names = (*LEARNING, *OTHERS)
    assert all(load_figure(name)[1].runs >= 500 for name in names)


@pytest.mark.parametrize("given", [None, 7])
def test_figures_default_or_given_runs(
    given: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers: dict[str, int] = {}

    def record(
        module: ModuleType, config: ExperimentConfig, console: Any, runner: Runner
    ) -> list[Path]:
        numbers[config.title] = config.runs
        assert (config.seed, config.output, config.workers) == (3, tmp_path, 1)
        assert runner.store.path == tmp_path / "results" / "runs.sqlite"
        assert f"{config.runs} runs" in config.caption
        return []

    monkeypatch.setattr(figures, "run_experiment", record)
    main(Figures(runs=given, seed=3, output=tmp_path, workers=1))
    defaults = [load_figure(name)[1] for name in FIGURES]
    assert numbers == {
        default.title: default.runs if given is None else given for default in defaults
    }


def test_announcement_of_typical_and_stored_runs() -> None:
    chosen = [load_figure(name) for name in ("figure-8-2", "figure-8-7")]
    expected = sum(config.total_runs * config.seconds_per_run for _, config in chosen)
    assert sum(
        expected_seconds(Runner().plan(module.trial, config), config) for module, config in chosen
    ) == pytest.approx(expected)
    assert announcement(chosen, Runner()) == (
        "2 figures: 28,000 of 28,000 runs are missing; about "
        f"{format_seconds(expected)} with 1 worker"
    )
    few = [(module, replace(config, runs=2)) for module, config in chosen]
    runner = Runner()
    few[0][0].run(few[0][1], runner)
    assert "2 figures: 10 of 16 runs are missing" in announcement(few, runner)
    few[1][0].run(few[1][1], runner)
    assert announcement(few, runner) == "2 figures: all 16 runs are stored"


def test_dry_run_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(Figures(runs=2, output=tmp_path, dry_run=True, only=("figure-8-7",)))
    assert "1 figures: 10 of 10 runs are missing" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_figures_have_typical_seconds() -> None:
    for name in FIGURES:
        module, config = load_figure(name)
        assert config.seconds_per_run
        assert config.settings[0].runs == config.runs
        assert callable(module.trial)


def test_figures_are_registered() -> None:
    assert set(FIGURES) < set(EXPERIMENTS)
    assert len(FIGURES) == 9


def test_optimal_rewards_exact_rate() -> None:
    env: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    best = optimal_rewards(env, 3000, gamma=0.95, epsilon=0.1)
    assert best[999] == pytest.approx(1000 / 11.2639, rel=1e-5)
    assert best[-1] == pytest.approx(1000 / 11.2639 + 2000 / 17.9198, rel=1e-5)


def test_figures_reject_one_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="runs=1"):
        main(Figures(runs=1, output=tmp_path))
    assert not list(tmp_path.iterdir())


def test_interval_caption_warns_few_runs() -> None:
    assert interval_caption(5).endswith(FEW_RUNS_NOTE)
    assert interval_caption(500) == "mean of 500 runs, Student's 95% interval"


def test_config_replace() -> None:
    module, default = load_figure("figure-8-2")
    options: dict[str, Any] = {"episodes": 3, "planning_steps": (1,)}
    config = replace(default, runs=2, **options)
    (table,) = module.run(config).values()
    assert len(table["episode"]) == 3
