"""Dyna for Stable-Baselines3, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from dynamaze.benchmarks.harness.analysis.table import (
    Table,
    from_rows,
    read_csv,
    rename_entries,
    write_csv,
)
from dynamaze.benchmarks.harness.experiment import read_tables, run_module
from dynamaze.benchmarks.studies import sb3_dyna
from dynamaze.benchmarks.studies.sb3_dyna import (
    METHODS,
    TASKS,
    SB3DynaConfig,
    SolvedCallback,
    TrueEnvModel,
    arms,
)

TOY = SB3DynaConfig(runs=2, seed=1, workers=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, task in TASKS.items():
        toy = task._replace(
            settings={**task.settings, "learning_starts": 20, "policy_kwargs": {"net_arch": [4]}},
            gradient_steps=task.gradient_steps[:1],
            planning={**task.planning, "rollouts": 8, "train_every": 8},
            limit=60,
            evaluation_interval=20,
            episodes=1,
            true_env_gradient_steps=None,
        )
        monkeypatch.setitem(TASKS, name, toy)


@pytest.mark.usefixtures("small")
def test_run_module_writes_row_per_run(tmp_path: Path) -> None:
    run_module(sb3_dyna, replace(TOY, output=tmp_path))
    table = read_csv(tmp_path / "results" / "sb3_dyna.csv")
    assert len(table["run"]) == TOY.total_runs == 2 * 2 * len(TASKS)
    assert set(table["method"]) == set(METHODS[:2])
    assert (table["steps"] <= 60).all()
    assert (tmp_path / "results" / "sb3_dyna.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("small")
def test_run_is_reproducible() -> None:
    arguments = ("grid-dqn", METHODS[1], 4, 0)
    first, again = (sb3_dyna.trial(config, *arguments) for config in (TOY, replace(TOY, runs=9)))
    assert {name: column[0] for name, column in first.items()} == {
        name: column[0] for name, column in again.items()
    }


class Walker:
    """Follows a policy of the maze of example 8.1."""

    num_timesteps = 0

    def __init__(self, best: Any) -> None:
        self.best = best

    def predict(self, observation: Any, deterministic: bool) -> tuple[Any, None]:
        return self.best[int(observation)], None


def test_solved_after_two_evaluations() -> None:
    task = TASKS["grid-dqn"]
    env: Any = task.make_env().unwrapped
    walker = Walker(env.optimal_policy().argmax(axis=1))
    callback = SolvedCallback(task, 0)

    def report(step: int, reward: float = 0.0) -> bool:
        walker.num_timesteps = step
        return callback({"self": walker, "rewards": np.array([reward])}, {})

    assert report(task.evaluation_interval - 1, 1.0)
    assert callback.first_reward == task.evaluation_interval - 1
    right, walker.best = walker.best, np.zeros_like(walker.best)
    assert report(task.evaluation_interval)  # always up
    walker.best = right
    assert report(2 * task.evaluation_interval)
    assert not callback.solved
    assert not report(3 * task.evaluation_interval)
    assert (callback.solved, callback.steps) == (True, 2 * task.evaluation_interval)


def test_true_env_model_simulates() -> None:
    model = TrueEnvModel(TASKS["point-dqn"].make_env(), 0)
    observations = np.array([[-0.9, -0.9], [0.0, -0.9]])
    imagined = model.sample_transitions(observations, np.array([2, 0]), np.random.default_rng(0))
    moved = imagined.next_observation - observations
    assert moved[0, 0] > 0.2  # down, by a cell of six, of two units
    assert moved[1, 0] < -0.2
    assert np.abs(moved[:, 1]).max() < 0.1
    assert not imagined.terminated.any()


def toy_table(config: SB3DynaConfig) -> Table:
    rows = [
        (name, method, steps / TASKS[name].settings["train_freq"], run, 50, 100 * (1 + run), 1)
        for name, method, steps in arms(config)
        for run in range(3)
    ]
    names = ("task", "method", "gradient_steps", "run", "first_reward", "steps", "solved")
    return from_rows([dict(zip(names, row, strict=True)) for row in rows])


def test_summary_and_plot_of_table() -> None:
    for config in (TOY, replace(TOY, tasks=("point-sac",))):
        tables = {"sb3_dyna": toy_table(config)}
        lines = sb3_dyna.summary(tables, config)
        assert len(lines) == 1 + len(arms(config))
        assert lines[1][3] == "3"
        assert lines[1][4].startswith("100% [")
        assert lines[1][5:] == ("50 [50, 50] (!)", "200 [100, 300] (!)", "", "")
        assert lines[2][-2:] == ("0 (all equal)", "0 (all equal)")
        # Model-free with more updates: only against model-free with the fewest.
        assert lines[-2][-1] == "0 (all equal)"
        figure = sb3_dyna.plot(tables, config)
        assert "n = 3," in figure.get_suptitle()
        assert len(figure.axes) == len(config.tasks or TASKS)
        assert sb3_dyna.summary(tables, SB3DynaConfig()) == lines  # of the stored tasks


def test_old_tables_are_read(tmp_path: Path) -> None:
    config = TOY
    today = {new: old for old, new in config.old_names.items()}
    for name, table in {"sb3_dyna": toy_table(config)}.items():
        stem = name.replace("sb3_dyna", today["sb3_dyna"])
        write_csv(tmp_path / f"{stem}.csv", rename_entries(table, today))
    header = (tmp_path / "dyna_sb3.csv").read_text().splitlines()[0]
    assert header.startswith("task,method,gradient_steps")
    assert "with a model" in (tmp_path / "dyna_sb3.csv").read_text()
    assert '"grid, DQN"' in (tmp_path / "dyna_sb3.csv").read_text()
    np.testing.assert_equal(
        read_tables(tmp_path, config.name, config.old_names), {"sb3_dyna": toy_table(config)}
    )
