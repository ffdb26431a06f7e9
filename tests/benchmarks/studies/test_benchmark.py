"""`benchmark`: agents and environments as objects, and its results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze.benchmarks
from dynamaze.agents import DynaQ
from dynamaze.benchmarks import Results, benchmark
from dynamaze.benchmarks.harness.analysis.intervals import mean_interval
from dynamaze.benchmarks.harness.analysis.table import read_csv
from dynamaze.benchmarks.harness.reports.report import stored_report
from dynamaze.benchmarks.harness.store.database import Store

ROOT = Path(__file__).parents[3]
MAZE = partial(gym.make, "DynaMaze-v0", layout="S...G\n.....")
run = partial(benchmark, steps=60, runs=3, workers=1, progress=False)


def right(observation: int) -> int:
    return 1


def test_benchmark_is_exported() -> None:
    assert dynamaze.benchmarks.__all__ == ["Results", "benchmark"]


@pytest.fixture(scope="module")
def results() -> Results:
    agents = {"right": right, "Dyna-Q": partial(DynaQ, planning_steps=3), "chance": "random"}
    return run(agents, {"maze": MAZE, "plain": "DynaMaze-v0"})  # type: ignore[no-any-return]


def test_results_table(results: Results, tmp_path: Path) -> None:
    table = results.table
    assert table["agent"].tolist() == (["right"] * 3 + ["Dyna-Q"] * 3 + ["chance"] * 3) * 2
    assert table["reward"][:3].tolist() == [15.0] * 3
    assert repr(results) == "Results of right, Dyna-Q, chance in maze, plain: 18 runs, 0 failed"
    results.to_csv(tmp_path / "runs.csv")
    stored = read_csv(tmp_path / "runs.csv")
    np.testing.assert_array_equal(stored["regret"], table["regret"])


def test_results_summary(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.summary()
    shown = capsys.readouterr().out
    assert "Comparison of agents in maze" in shown
    assert "compiled" in shown
    assert "right is a function of observations" in shown  # the reason why it was not
    assert list(results.lines)[-4:] == [
        "All environments, interquartile mean",
        "Compared with right",
        "Runs",
        "Runs that were not compiled",
    ]


def test_results_difference(results: Results) -> None:
    one, other = (
        results.table["reward"][results.table["agent"] == name] for name in ("right", "chance")
    )
    found = results.difference("right", "chance")
    assert found.mean == pytest.approx((one - other).mean())
    assert (found.n, found.is_few, str(found)[-5:]) == (3, True, ", n=3")
    runs = (one - other).reshape(2, 3).mean(axis=0)  # over the environments
    assert found[:3] == pytest.approx([*mean_interval(runs)])
    assert results.difference("right", "chance", sample="environments").n == 2
    assert results.difference("right", "right", "regret").high == 0
    with pytest.raises(ValueError, match="did you mean 'right'"):
        results.difference("rigth", "chance")


def test_results_statistics(results: Results) -> None:
    better = results.probability_of_improvement("Dyna-Q", "chance")
    assert 0.5 < better.mean <= 1
    assert better.low < better.mean
    assert (better.n, better.is_few) == (3, better.mean < 1)
    scores = results.interquartile_mean("right")
    assert scores.n == 3
    assert 0 < scores.mean < 1  # the best in one maze, no reward in the other
    profile = results.performance_profile("right", [0.0, 0.5, 0.999, 1.0])
    assert profile.mean.tolist() == [0.5, 0.5, 0.5, 0.0]
    with pytest.raises(ValueError, match="no env; expected one of maze, plain"):
        results.recovery("right")
    with pytest.raises(ValueError, match="change=1 in maze; expected one of its 0"):
        results.recovery("right", "maze")


def test_results_recovery() -> None:
    maze = partial(gym.make, "DynaMaze-v0", layout="S...G\n.....\n@ 60\n.....\nS...G")
    config = {"steps": 1000, "runs": 4}
    curve = run({"chance": "random"}, maze, **config).recovery("chance")
    assert curve.survival.tolist() == [1.0]  # never recovers


def test_same_table_after_a_kill(tmp_path: Path) -> None:
    """Of a run that was killed and continued, and of each way of running."""
    script = tmp_path / "mine.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = subprocess.run(
        [*command, "whole.csv", "1", ""], cwd=tmp_path, env=environment, check=False
    )
    killed = subprocess.run(
        [*command, "killed.csv", "1", "kill"], cwd=tmp_path, env=environment, check=False
    )
    again = subprocess.run(
        [*command, "killed.csv", "2", ""], cwd=tmp_path, env=environment, check=False
    )
    assert (whole.returncode, killed.returncode, again.returncode) == (0, -signal.SIGKILL, 0)
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "killed.csv").read_bytes()


KILLED = """
import os, signal, sys
from dynamaze.benchmarks import benchmark

path, workers, kill = sys.argv[1:]

class Mine:
    def __init__(self, env, seed):
        self.space = env.action_space
        self.space.seed(seed)

    def act(self, observation):
        if kill and os.path.exists("second"):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.space.sample()

def second(env, seed):
    if kill:
        open("second", "w").close()
    return Mine(env, seed)

results = benchmark(
    {"mine": Mine, "second": second}, "DynaMaze-v0", steps=200, runs=4,
    store=path + ".sqlite", workers=int(workers), progress=False,
)
results.to_csv(path)
"""


def test_results_files(results: Results, tmp_path: Path) -> None:
    assert len(results.plot(tmp_path / "plot.png").axes) == 3
    results.report(tmp_path / "report.html")
    assert (tmp_path / "plot.png").stat().st_size > 0
    text = (tmp_path / "report.html").read_text()
    assert "Comparison of agents in maze" in text
    assert f'<th scope="col">{len(results.table["run"])} runs</th>' in text  # of one machine
    assert np.__version__ in text


def test_stored_benchmark_has_ended(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        run({"Dyna-Q": DynaQ}, MAZE, store=store)
        report = stored_report(store, "compare")
    assert not report.note
    assert len(report.pictures) == 1


def test_benchmark_same_bits_in_threads() -> None:
    agents = {"Dyna-Q": DynaQ, "other": partial(DynaQ, planning_steps=3)}
    one, many = run(agents, MAZE), run(agents, MAZE, workers=2)
    given = run(agents, MAZE, executor=partial(ThreadPoolExecutor, 2), workers=2)
    for each in (many, given):
        for name, column in one.table.items():
            np.testing.assert_array_equal(each.table[name], column)


def test_benchmark_goes_on_from_store(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    first = run(DynaQ, MAZE, store=store)
    again = run(DynaQ, MAZE, store=store, runs=5)
    assert again.table["reward"][:3].tolist() == first.table["reward"].tolist()
    assert again.tables["compare_time"]["seconds"][:3].tolist() == (
        first.tables["compare_time"]["seconds"].tolist()
    )


def test_benchmark_keeps_failures() -> None:
    def broken(observation: int) -> int:
        raise RuntimeError("I broke")

    results = run({"broken": broken, "right": right}, MAZE)
    assert len(results.failures) == 3
    assert "RuntimeError: I broke" in results.failures[0].error
    assert results.table["agent"].tolist() == ["right"] * 3


def test_benchmark_stable_baselines_class() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    results = run(sb3.DQN, "CartPole-v1", steps=20, runs=2)
    assert results.config.agent == ("DQN",)
    assert results.table["reward"].tolist() == [20.0, 20.0]
    assert np.isnan(results.table["regret"]).all()


@pytest.mark.parametrize(
    ("agents", "env", "message"),
    [
        ({"mine": 3}, MAZE, "agent 'mine' is 3; expected a factory"),
        ("DynaR", MAZE, "did you mean 'DynaQ'"),
        (DynaQ, gym.make("DynaMaze-v0"), "expected an id, or a function that makes"),
        (DynaQ, lambda: 3, "environment '<lambda>' made 3; expected a gymnasium.Env"),
        ({}, MAZE, "no agents; expected at least one"),
        ([DynaQ, DynaQ], MAZE, "'DynaQ' is there twice in agents"),
        ([DynaQ, None], MAZE, "agent 'NoneType' is None; expected a factory"),
    ],
)
def test_benchmark_refuses(agents: Any, env: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        run(agents, env)


def test_file_with_a_benchmark_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dynamaze.benchmarks import benchmark\n"
        "def right(observation):\n    return 1\n"
        "benchmark(right, 'DynaMaze-v0', steps=10, runs=2)\n"
        "raise RuntimeError('comes after it')\n"
    )
    results = run(f"{path}:right", MAZE)
    assert results.table["reward"].tolist() == [15.0] * 3


def test_benchmark_stops_hanging_run() -> None:
    def hangs(observation: int) -> int:
        while True:
            time.sleep(0.01)

    results = run(hangs, MAZE, runs=2, run_limit=0.2)
    assert "run_limit=0.2" in results.failures[0].error
    assert results.lines["Runs"][1][1:3] == ("0", "2")
    assert "run_limit=0.2" in results.lines["Failed runs"][1][3]
