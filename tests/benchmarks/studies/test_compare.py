"""The comparison of agents: one run, recovery, tables, summary, plot, failures."""

from __future__ import annotations

import math
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from rich.console import Console

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.agent_runs.exact_regret import Phase
from dynamaze.benchmarks.harness.agent_runs.step_runs import run_agent
from dynamaze.benchmarks.harness.analysis.summary_grid import SummaryGrid
from dynamaze.benchmarks.harness.experiment import run_module
from dynamaze.benchmarks.harness.running.runner import Runner, RunsFailedError
from dynamaze.benchmarks.studies import compare
from dynamaze.benchmarks.studies.compare import (
    AgentEntry,
    CompareConfig,
    Entries,
    EnvEntry,
    curve_places,
    executor_for,
    plot,
    recovery_time,
    run,
    summary,
    trial,
)

LAYOUT = "S...G\n.....\n@ 60\nS.G..\n....."
MAZE = partial(gym.make, "DynaMaze-v0", layout=LAYOUT)


def right(observation: int) -> int:
    return 1


def broken(observation: int) -> int:
    raise RuntimeError("I broke")


def comparison(agents: Any, envs: Any = (("maze", MAZE),), **options: Any) -> CompareConfig:
    given: dict[str, Any] = {"steps": 100, "runs": 3, "recovery_window": 10, **options}
    config = CompareConfig(**given)
    vars(config)["entries"] = Entries(
        [AgentEntry(*each) for each in agents], [EnvEntry(*each) for each in envs]
    )
    return config


def test_trial_of_optimal_policy() -> None:
    config = comparison([("right", right)])
    (setting,) = config.settings
    table = trial(config, *setting.arguments, 0)
    assert setting.arguments[2] == (Phase(0, 60, 0.25), Phase(60, 100, 0.5))
    assert table["reward"] == table["best"] == 60 / 4 + 40 / 2
    assert table["regret"] == pytest.approx(0)
    assert table["recovery"].tolist() == [[0.0]]
    assert table["reward_curve"].shape == (1, 100)
    assert table["reward_curve"][0, [59, 99]].tolist() == [15, 35]


def test_trial_counts_episodes() -> None:
    config = comparison([("right", right)], steps=None, episodes=20)
    table = trial(config, *config.settings[0].arguments, 0)
    # 15 episodes of 4 steps, then 5 of 2
    assert (table["reward"], table["steps"], table["episodes"]) == (20, 70, 20)
    assert table["recovery"].shape == (1, 0)


@pytest.mark.parametrize(
    ("rewards", "rate", "expected"),
    [
        ([0, 0, 0, 1, 1, 1, 1], 1.0, 2),  # the window of 4 may miss one reward
        ([1, 1, 1, 1], 1.0, 0),
        ([0, 1, 0, 1, 0, 1], 1.0, math.inf),
        ([1, 1, 1], 1.0, math.inf),  # shorter than the window
        ([-3, -2, -1, -1, -1, -2], -1.0, 1),
        ([1, 1, 1, 1], math.nan, math.nan),
    ],
)
def test_recovery_time(rewards: list[float], rate: float, expected: float) -> None:
    found = recovery_time(np.array(rewards, dtype=float), rate, window=4, fraction=0.75)
    np.testing.assert_equal(found, expected)


def test_curve_places() -> None:
    assert curve_places(3).tolist() == [1, 2, 3]
    places = curve_places(6000)
    assert (len(places), places[0], places[-1]) == (100, 1, 6000)


def test_run_counts_failures() -> None:
    config = comparison(
        [("right", right), ("broken", broken)], [("maze", MAZE), ("lake", fixed_lake)]
    )
    tables = run(config, Runner())
    assert tables["compare"]["reward"].tolist() == [35.0] * 3 + [0.0] * 3
    assert tables["compare_time"]["run"].tolist() == [0, 1, 2, 0, 1, 2]
    failures = tables["compare_failures"]
    assert failures["error"].tolist() == ["RuntimeError: I broke"] * 6
    sections = summary(tables, config)
    assert sections["Comparison of agents in maze, 100 steps"] == [
        ("agent", "n", "reward of a run", "regret"),
        ("right", "3", "35.0 [35.0, 35.0] (!)", "0.0 [0.0, 0.0] (!)"),
        ("broken", "0", "-", "-"),
    ]
    recovery = sections["Recovery in maze, change at step 60"]
    assert recovery[1][:2] == ("right", "3")
    assert recovery[1][2].startswith("100% [")
    assert recovery[2] == ("broken", "0", "-", "-")
    assert sections["Runs"][2] == ("broken", "maze", "0", "3", "-", "-")
    assert sections["Runs that were not compiled"][1:] == [
        ("right", "all", "right is a function of observations")
    ]
    assert sections["Failed runs"][1] == ("broken", "maze", "3", "RuntimeError: I broke")


def test_plot_panels() -> None:
    config = comparison(
        [("right", right), ("DynaQ", DynaQ)], [("maze", MAZE), ("lake", fixed_lake)]
    )
    titles = [axes.get_title() for axes in plot(run(config, Runner()), config).axes]
    assert titles[:4] == [
        "maze: mean, 95% interval, n=3",
        "lake: mean, 95% interval, n=3",
        "maze: Kaplan-Meier, 95% interval, n=3",
        "All environments: performance profile, 95% interval, n=6",
    ]


def test_summary_fits_80_columns() -> None:
    config = comparison([("a name of 17 chars", right), ("DynaQ", DynaQ)], runs=20)
    sections = summary(run(config, Runner()), config)
    console = Console(width=200, record=True, file=StringIO())
    for title, lines in sections.items():
        console.print(SummaryGrid(title, lines))
    assert len(sections) == 5
    assert max(map(len, console.export_text().rstrip().splitlines())) <= 80


def fixed_lake() -> Any:
    return gym.make("FrozenLake-v1", is_slippery=False)


def test_run_adds_only_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner()
    calls: list[Any] = []

    def counting(agent: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(agent)
        return run_agent(agent, *arguments, **options)

    monkeypatch.setattr("dynamaze.benchmarks.studies.compare.run_agent", counting)
    first = run(comparison([("right", right)], runs=2), runner)
    more = run(comparison([("right", right), ("DynaQ", DynaQ)], runs=3), runner)
    assert calls == [right, right, right, DynaQ, DynaQ, DynaQ]
    assert more["compare"]["reward"][:2].tolist() == first["compare"]["reward"].tolist()


def test_executor_for() -> None:
    maze, lake = EnvEntry("maze", MAZE), EnvEntry("lake", fixed_lake)
    ours, other = AgentEntry("DynaQ", DynaQ), AgentEntry("right", right)
    assert executor_for(Entries([ours], [maze]), 2) is not None
    for agents, envs in (([ours, other], [maze]), ([ours], [maze, lake])):
        assert executor_for(Entries(agents, envs), 2) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 5, "episodes": 5}, "steps=5 and episodes=5; expected one"),
        ({"seed": -3}, "seed=-3; expected a whole number of at least 0"),
        ({"steps": 0}, "steps=0; expected a whole number of at least 1"),
        ({"steps": 5, "gamma": 1.5}, "gamma=1.5"),
        ({"steps": 5, "agent": ("DynaR",)}, "did you mean 'DynaQ'"),
        ({"steps": 5, "env": ("DynaMaz-v0",)}, "did you mean 'DynaMaze-v0'"),
        ({"steps": 5, "agent": ("DynaQ", "DynaQ")}, "'DynaQ' is there twice in agents"),
        ({"env": ("math:pi",)}, "environment 'math:pi' cannot be made .TypeError"),
    ],
)
def test_check_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompareConfig(**options).check()


def test_default_length() -> None:
    assert CompareConfig().budget == (6000, 0)
    assert CompareConfig(episodes=3).budget == (0, 3)


def test_command_fails_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.py").write_text("def policy(observation):\n    return 9\n")
    config = CompareConfig(
        agent=("DynaQ", f"{tmp_path}/own.py:policy"),
        env=("DynaMaze-v0",),
        steps=30,
        runs=2,
        workers=1,
        output=tmp_path,
    )
    sentence = (
        r"2 runs failed, .* in DynaMaze-v0: action 9 at step 1; expected one of Discrete\(4\)"
    )
    with pytest.raises(RunsFailedError, match=sentence):
        run_module(compare, config)
    assert "compiled" in capsys.readouterr().out
    assert (tmp_path / "results" / "compare.html").exists()
