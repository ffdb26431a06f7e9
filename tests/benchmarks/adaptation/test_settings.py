"""Settings of the adaptation suite: the list that is never edited, and those of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dynamaze.benchmarks.adaptation.settings import (
    SETTINGS,
    SUITE,
    SuiteSetting,
    run_seed,
    suite_digest,
)
from dynamaze.benchmarks.adaptation.suites import checked_setting, find_setting

DIGEST = "b648514837e22b04d3c15d91b3ff6e98e78b3d8232e5e09f905908f690d6deb1"
"""Of adaptation-v1. Another list is another version: never change this one."""


def test_list_is_never_edited() -> None:
    assert SUITE == "adaptation-v1"
    assert suite_digest() == DIGEST


def test_settings_serve_every_kind_of_change() -> None:
    assert list(SETTINGS) == [
        *("blocking", "shortcut", "drifting_slow", "drifting", "drifting_fast", "slip"),
        *("goal_moves", "loca", "partially_seen", "generated", "continuous"),
    ]
    assert all(setting.suite == SUITE for setting in SETTINGS.values())


@pytest.mark.parametrize("name", SETTINGS)
def test_environments_change_as_declared(name: str) -> None:
    """A run of some steps of one action sees the changes that the setting declares."""
    setting = SETTINGS[name]
    env = setting.make_env(0)
    env.reset(seed=0)
    maze = env.unwrapped
    schedule = maze.schedule.steps[1:]  # type: ignore[attr-defined]
    config = maze.maze_config  # type: ignore[attr-defined]
    if setting.change_steps is None:
        assert 0 < maze.maze.next_change < setting.steps  # type: ignore[attr-defined]
    elif setting.change_steps:
        assert schedule == setting.change_steps
    else:
        assert config.random_changes is not None or config.levels is not None


def test_levels_follow_the_run() -> None:
    setting = SETTINGS["partially_seen"]
    levels = [setting.make_env(number).reset(seed=0)[1]["level"] for number in (0, 7)]
    assert levels == [10**6, 10**6 + 7]
    mazes = [setting.make_env(3).unwrapped for _ in range(2)]
    for maze in mazes:
        maze.reset(seed=1)
    assert mazes[0].layout == mazes[1].layout  # type: ignore[attr-defined]


def test_seeds_differ() -> None:
    assert len({run_seed(number) for number in range(100)}) == 100


def test_setting_of_another_version_is_refused() -> None:
    with pytest.raises(
        ValueError, match="is of suite adaptation-v2; expected one of adaptation-v1"
    ):
        find_setting("adaptation-v2/blocking")
    other = replace(SETTINGS["blocking"], suite="adaptation-v2")
    with pytest.raises(
        ValueError, match="is of suite adaptation-v2; expected one of adaptation-v1"
    ):
        checked_setting(other, "mine")
    edited = replace(SETTINGS["blocking"], steps=2000)
    with pytest.raises(ValueError, match="differs from that of adaptation-v1"):
        checked_setting(edited, "mine")
    assert (
        find_setting("adaptation-v1/blocking") is find_setting("blocking") is SETTINGS["blocking"]
    )


def test_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'shortcut'"):
        find_setting("shortcuts")


def test_own_setting(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dynamaze.benchmarks.adaptation.settings import SuiteSetting\n"
        "LONG = SuiteSetting('long', 'DynaMazeBlocking-v0', steps=5000, change_steps=(1000,))\n"
        "NONE = 3\n"
    )
    setting = find_setting(f"{file}:LONG")
    assert (setting.name, setting.suite, setting.steps) == ("long", "own", 5000)
    with pytest.raises(ValueError, match="is a int; expected a SuiteSetting"):
        find_setting(f"{file}:NONE")


@pytest.mark.parametrize("steps", [(5, 3), (0,), (100,), (3, 3)])
def test_changes_are_inside_the_run(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected ascending steps of a run of 100"):
        SuiteSetting("bad", "DynaMaze-v0", steps=100, change_steps=steps)
