"""The figures of chapter 8, with few runs: their tables, their pictures, their claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.benchmarks.figures import command as figures
from dynamaze.benchmarks.figures import figure_8_7
from dynamaze.benchmarks.figures.command import EXPERIMENTS, Figures, Name, main
from dynamaze.benchmarks.figures.figures_8_4_and_8_5 import best_reward
from dynamaze.benchmarks.harness.runner import interval_caption
from dynamaze.benchmarks.harness.table import read_csv, rows_where, write_csv


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
    "figure_8_7": sum(figure_8_7.moments(b).size for b in (2, 10, 100, 1000, 10_000)),
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
LEARNING: tuple[Name, ...] = ("8.2", "8.4", "8.5")  # what is learned is looked at here
OTHERS: tuple[Name, ...] = ("exercise-8.4", "8.7", "8.8")  # and of these in files of their own
APART: tuple[Name, ...] = ("example-8.4", "equal-budgets", "background-or-decision")
# The first has quantiles, not means, the others have fewer runs; each has a file of its own.
LEARNED = {EXPERIMENTS[name].Config.name for name in LEARNING}
RUNS, FEW = 40, 5


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert {*LEARNING, *OTHERS, *APART} == set(EXPERIMENTS)
    folder = tmp_path_factory.mktemp("figures")
    main(Figures(runs=RUNS, output=folder, only=LEARNING))
    main(Figures(runs=FEW, output=folder, only=OTHERS))
    return folder / "results"


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_table_has_its_columns_and_rows(results: Path, name: str) -> None:
    table = read_csv(results / f"{name}.csv")
    assert list(table) == COLUMNS[name]
    assert {len(column) for column in table.values()} == {ROWS[name]}
    assert set(table["runs"]) == {RUNS if name in LEARNED else FEW}
    kinds = [column.removesuffix("_mean") for column in table if column.endswith("_mean")]
    assert kinds
    for kind in kinds:
        assert (table[f"{kind}_low"] <= table[f"{kind}_mean"]).all()
        assert (table[f"{kind}_mean"] <= table[f"{kind}_high"]).all()


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_picture_can_be_drawn_again_from_the_stored_tables(results: Path, name: str) -> None:
    assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    module: ModuleType = next(m for m in EXPERIMENTS.values() if name == m.Config.name)
    tables = {path.stem: read_csv(path) for path in results.glob(f"{name}*.csv")}
    figure = module.plot(tables, module.Config())
    lines = [line for axes in figure.axes for line in axes.lines]
    drawn = np.concatenate([line.get_ydata() for line in lines])
    for kind in DRAWN[name]:
        assert np.isin(tables[name][f"{kind}_mean"], drawn).all()
    assert module.summary(tables, module.Config())


def test_planning_makes_learning_faster(results: Path) -> None:
    table = read_csv(results / "figure_8_2.csv")
    second = {n: rows_where(table, "planning_steps", n)["steps_mean"][1] for n in (0, 5, 50)}
    assert second[50] < second[5] < second[0]
    last = rows_where(table, "planning_steps", 50)["steps_mean"][-20:].mean()
    assert 15.88 - 0.5 < last < 18


@pytest.mark.parametrize("name", ["figure_8_4", "figure_8_5"])
def test_dyna_q_plus_earns_more_in_a_maze_that_changes(results: Path, name: str) -> None:
    table = read_csv(results / f"{name}.csv")
    ends = {agent: rows_where(table, "agent", agent) for agent in ("DynaQ", "DynaQPlus")}
    assert ends["DynaQPlus"]["reward_low"][-1] > ends["DynaQ"]["reward_high"][-1]


def test_the_same_seed_gives_the_same_table(results: Path, tmp_path: Path) -> None:
    main(Figures(runs=RUNS, output=tmp_path, only=("8.4",)))
    again = tmp_path / "results"
    assert sorted(path.name for path in again.iterdir()) == [
        "figure_8_4.csv",
        "figure_8_4.png",
        "figure_8_4_runs.csv",
    ]
    assert (again / "figure_8_4.csv").read_bytes() == (results / "figure_8_4.csv").read_bytes()


def test_means_are_of_at_least_500_runs() -> None:
    names = (*LEARNING, *OTHERS)
    assert all(EXPERIMENTS[name].Config().runs >= 500 for name in names)


@pytest.mark.parametrize("given", [None, 7])
def test_each_figure_has_its_own_runs_unless_a_number_is_given(
    given: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers = {}

    def perform(module: ModuleType, config: Any, **options: Any) -> list[Path]:
        numbers[module] = config.runs
        assert config.seed == 3
        caption = getattr(module, "caption", interval_caption)
        assert options["caption"] == caption(config.runs)
        return []

    monkeypatch.setattr(figures, "perform", perform)
    main(Figures(runs=given, seed=3, output=tmp_path))
    assert list(numbers) == list(EXPERIMENTS.values())
    for module, runs in numbers.items():
        assert runs == (module.Config().runs if given is None else given)


def test_every_figure_can_be_asked_for_by_its_name() -> None:
    assert get_args(Name) == tuple(EXPERIMENTS)


def test_who_knows_the_maze_earns_at_the_exact_rate() -> None:
    env: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    best = best_reward(env, 3000, gamma=0.95, epsilon=0.1)
    assert best[999] == pytest.approx(1000 / 11.2639, rel=1e-5)
    assert best[-1] == pytest.approx(1000 / 11.2639 + 2000 / 17.9198, rel=1e-5)


def test_a_single_run_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="runs=1"):
        main(Figures(runs=1, output=tmp_path))
    assert not list(tmp_path.iterdir())


def test_few_runs_are_marked() -> None:
    assert "covers less" in interval_caption(5)
    assert "covers less" not in interval_caption(500)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = {
        "agent": np.array(["a", "b, c"]),
        "step": np.array([1, 2]),
        "reward": np.array([0.1, 1 / 3]),
    }
    write_csv(tmp_path / "deep" / "t.csv", table)
    again = read_csv(tmp_path / "deep" / "t.csv")
    for name, column in table.items():
        np.testing.assert_array_equal(again[name], column)
    (tmp_path / "bad.csv").write_text("a,b\n1\n")
    with pytest.raises(ValueError, match="line 2: 1 fields; expected 2"):
        read_csv(tmp_path / "bad.csv")


def test_a_configuration_can_be_changed_by_one_field() -> None:
    module = EXPERIMENTS["8.2"]
    config = replace(module.Config(), runs=2, episodes=3, planning_steps=(1,))
    (table,) = module.run(config).values()
    assert len(table["episode"]) == 3
