"""The experiment of Dyna for Stable-Baselines3, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from dynamaze.benchmarks.harness.table import Table, read_csv
from dynamaze.benchmarks.studies import sb3_dyna as dyna_sb3
from dynamaze.benchmarks.studies.sb3_dyna import METHODS, TASKS, DynaForSB3, Judge, TrueWorld, arms

TOY = DynaForSB3(runs=2, workers=1, seed=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, task in TASKS.items():
        toy = task._replace(
            settings={**task.settings, "learning_starts": 20, "policy_kwargs": {"net_arch": [4]}},
            gradient_steps=task.gradient_steps[:1],
            planning={**task.planning, "rollouts": 8, "train_every": 8},
            limit=60,
            every=20,
            episodes=1,
            true_world=None,
        )
        monkeypatch.setitem(TASKS, name, toy)


@pytest.mark.usefixtures("small")
def test_the_command_stores_a_row_for_each_run(tmp_path: Path) -> None:
    dyna_sb3.main(replace(TOY, output=tmp_path))
    table = read_csv(tmp_path / "results" / "dyna_sb3.csv")
    assert len(table["run"]) == TOY.total_runs == 2 * 2 * len(TASKS)
    assert set(table["method"]) == set(METHODS[:2])
    assert (table["steps"] <= 60).all()
    assert (tmp_path / "results" / "dyna_sb3.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("small")
def test_a_run_again_gives_the_same_row() -> None:
    job = (1, "grid, DQN", METHODS[1], 4, 0)
    first, again = dyna_sb3.learn(*job), dyna_sb3.learn(*job)
    assert {name: column[0] for name, column in first.items()} == {
        name: column[0] for name, column in again.items()
    }


class Walker:
    """Goes the shortest way of the maze of example 8.1, cell by cell."""

    num_timesteps = 0

    def __init__(self, best: Any) -> None:
        self.best = best

    def predict(self, observation: Any, deterministic: bool) -> tuple[Any, None]:
        return self.best[int(observation)], None


def test_a_maze_is_solved_by_who_reaches_the_goal_at_two_looks_in_a_row() -> None:
    task = TASKS["grid, DQN"]
    world: Any = task.world().unwrapped
    walker = Walker(world.optimal_policy().argmax(axis=1))
    judge = Judge(task, 0)

    def tell(step: int, reward: float = 0.0) -> bool:
        walker.num_timesteps = step
        return judge({"self": walker, "rewards": np.array([reward])}, {})

    assert tell(task.every - 1, 1.0)
    assert judge.first_reward == task.every - 1
    right, walker.best = walker.best, np.zeros_like(walker.best)
    assert tell(task.every)  # goes up for ever
    walker.best = right
    assert tell(2 * task.every)
    assert not judge.solved
    assert not tell(3 * task.every)
    assert (judge.solved, judge.steps) == (True, 2 * task.every)


def test_the_true_world_imagines_what_would_happen() -> None:
    model = TrueWorld(TASKS["point, DQN"].world(), 0)
    observations = np.array([[-0.9, -0.9], [0.0, -0.9]])
    imagined = model.imagine(observations, np.array([2, 0]), np.random.default_rng(0))
    moved = imagined.next_observation - observations
    assert moved[0, 0] > 0.2  # down, by a cell of six, of two units
    assert moved[1, 0] < -0.2
    assert np.abs(moved[:, 1]).max() < 0.1
    assert not imagined.terminated.any()


def toy_table(config: DynaForSB3) -> Table:
    rows = [
        (name, method, steps / TASKS[name].settings["train_freq"], run, 50, 100 * (1 + run), 1)
        for name, method, steps in arms(config)
        for run in range(3)
    ]
    names = ("task", "method", "gradient_steps", "run", "first_reward", "steps", "solved")
    return {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def test_summary_and_picture_come_from_the_stored_table() -> None:
    for config in (TOY, replace(TOY, tasks=("point, SAC",))):
        tables = {"dyna_sb3": toy_table(config)}
        lines = dyna_sb3.summary(tables, config)
        assert len(lines) == 1 + len(arms(config))
        assert lines[1][3:] == ("3 of 3", "50 [50, 50]", "200 [-47, 447]", "", "")
        assert lines[2][-2:] == ("0 [0, 0]", "0 [0, 0]")
        # Alone with more updates: only against alone with the fewest.
        assert lines[-2][-1] == "0 [0, 0]"
        figure = dyna_sb3.plot(tables, config)
        assert "mean of 3 runs" in figure.get_suptitle()
        assert len(figure.axes) == len(config.tasks or TASKS)
