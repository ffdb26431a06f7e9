"""The demo in the terminal, with few steps."""

from __future__ import annotations

import io
import math
import re
import shlex
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from rich.console import Console

from dynamaze.agents import DynaQ, DynaQPlus
from dynamaze.app import cli, demo
from dynamaze.benchmarks.harness import command_line
from dynamaze.benchmarks.harness.agent_runs.exact_regret import RegretMeter
from dynamaze.viewer.environment import make_env

WALL_MOVES = "S..G\n.#..\n....\n@ 40\nS..G\n.##.\n...."


@pytest.fixture
def maze(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let all races run in a small maze that changes at step 40; return its name."""
    monkeypatch.setattr(demo, "make_env", lambda _: make_env("DynaMaze-v0", layout=WALL_MOVES))
    return "small"


def race(env_id: str, steps: int, seed: int = 0) -> demo.Race:
    return demo.Race(env_id, steps, demo.agents(seed))


def test_agents_are_those_of_title() -> None:
    factories = demo.agents(0)
    assert list(factories) == ["Dyna-Q", "Dyna-Q+", "student"]
    kinds = [factories[name].func for name in ("Dyna-Q", "Dyna-Q+")]  # type: ignore[attr-defined]
    assert kinds == [DynaQ, DynaQPlus]


def test_race_splits_goals_and_regret_at_change(maze: str) -> None:
    whole, short = race(maze, 100), race(maze, 40)
    events = [list(each.advance())[-1] for each in (whole, short)]
    assert whole.num_steps == 100
    assert whole.events.changes == [40]
    assert all(events)
    for row, before in zip(whole.results(), short.results(), strict=True):
        assert row.regret[0] == pytest.approx(before.regret[0])
        assert row.regret[1] >= 0
        assert row.goals[0] == before.goals[0]
    ended = [run.statistics.num_episodes for run in whole.runs]
    assert [sum(row.goals) for row in whole.results()] == ended
    assert all(row.goals[1] > 0 for row in whole.results())


def test_race_regret_is_that_of_harness(maze: str) -> None:
    factory = partial(DynaQ, planning_steps=5, learning_rate=1.0, seed=3)
    ours = demo.Race(maze, 60, {"Dyna-Q": factory})
    list(ours.advance())
    env = make_env("DynaMaze-v0", layout=WALL_MOVES)
    meter, total = RegretMeter(env, demo.GAMMA), 0.0
    step = env.step

    def metered(action: Any) -> Any:
        nonlocal total
        total += meter.regret(int(action))
        return step(action)

    env.step = metered  # type: ignore[method-assign]
    factory(env).learn(60)
    assert sum(ours.results()[0].regret) == pytest.approx(total)


def test_results_before_change_have_no_second_half(maze: str) -> None:
    short = race(maze, 3)
    list(short.advance())
    assert all(math.isnan(row.regret[1]) for row in short.results())
    console = Console(file=io.StringIO(), width=cli.COLUMNS)
    console.print(demo.result_table(short.results()))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert len(re.findall(r"│\s+- │\s+[\d.]+ │\s+- │", shown)) == 3


def test_piped_demo_prints_events_table_and_commands(
    maze: str, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.main(demo.Demo(steps=60))
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= cli.COLUMNS + 40
    for env_id in demo.MAZES:
        assert f"{env_id}: 60 steps" in shown
        assert re.search(rf"│ {env_id}\s+│ Dyna-Q ", shown)
    assert "step 40: " in shown
    assert "the maze changes: 1 wall appears" in shown
    assert shown.rstrip().endswith(demo.NEXT[-1])


def test_terminal_demo_draws_mazes_in_color(maze: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(demo, "FRAME_SECONDS", 0)
    console = Console(
        file=written, force_terminal=True, color_system="truecolor", width=80, height=24
    )
    started = race(maze, 80)
    demo.draw_live(console, started)
    shown = written.getvalue()
    assert "step 80 of 80" in shown
    assert "\x1b[38;2;" in shown  # colors of cells
    for name in demo.agents(0):
        assert name in shown
    plain = Console(file=io.StringIO(), width=80)
    plain.print(started.picture())
    lines = plain.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 80
    assert sum(line.count("regret") for line in lines) == 3


def test_sparkline_shows_regret_so_far(maze: str) -> None:
    short = race(maze, 20)
    list(short.advance())
    (first, *_) = short.runs
    full = demo.sparkline(first, 20, first.regret.last)
    half = demo.sparkline(first, 40, first.regret.last)
    assert (len(full), len(half)) == (18, 9)
    assert full[0] == "▁"
    assert full[-1] == "█"


def test_next_commands_exist() -> None:
    assert len(demo.NEXT) == len(demo.NEXT_TEXTS) == 3
    for line in demo.NEXT:
        name, options = cli.split_command(shlex.split(line)[1:])
        command = cli.COMMANDS[name]
        kind = command_line.config_type(import_module(command.module), command)
        assert command_line.parse_options(name, kind, options) is not None
