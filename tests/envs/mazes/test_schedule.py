"""Schedules: layouts of each phase, and the arguments that describe them."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.envs import PRESETS, Layout, LayoutError, Rewards, Schedule, read_schedule
from dynamaze.envs.mazes.layout import MAX_CELLS

OPEN, SHUT = "S.G\n...", "S#G\n..."


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_text_round_trips(name: str) -> None:
    schedule = Schedule.from_text(PRESETS[name])
    assert Schedule.from_text(schedule.to_text()) == schedule
    assert read_schedule(name) == schedule


def test_phase_at_changes_exactly() -> None:
    schedule = read_schedule(OPEN, {5: SHUT, 9: OPEN})
    assert [schedule.phase_at(step) for step in (0, 4, 5, 8, 9, 10**9)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "changes",
    [{5: SHUT}, {"5": SHUT}, [(5, SHUT)], [[5, ["S#G", "..."]]], {5: Layout.from_text(SHUT)}],
)
def test_changes_accept_many_forms(changes: Any) -> None:
    assert read_schedule(OPEN, changes) == Schedule.from_text(f"{OPEN}\n@ 5\n{SHUT}")


def test_changes_replace_layout_phases() -> None:
    schedule = read_schedule("blocking", {9: "dyna", 3: "shortcut"})
    assert schedule.steps == (0, 3, 9)
    assert schedule.layouts[2] == read_schedule("dyna").layouts[0]
    assert read_schedule("blocking", {}).steps == (0,)


def test_layout_reads_file(tmp_path: Path) -> None:
    path = tmp_path / "maze.txt"
    path.write_text(f"{OPEN}\n@7\n{SHUT}\n")
    expected = Schedule.from_text(f"{OPEN}\n@ 7\n{SHUT}")
    (tmp_path / "marked.txt").write_text(f"{OPEN}\n@7\n{SHUT}\n", encoding="utf-8-sig")
    assert read_schedule(tmp_path / "marked.txt") == expected
    assert read_schedule(path) == read_schedule(str(path)) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({-5: SHUT}, "world step -5; expected 1 to"),
        ({0: SHUT}, "world step 0; expected 1 to"),
        ({2**63: SHUT}, "expected 1 to"),
        ({2.5: SHUT}, r"world step 2\.5; expected a whole number"),
        ({True: SHUT}, "world step True; expected a whole number"),
        ({"soon": SHUT}, "world step 'soon'; expected a whole number"),
        ([(5, SHUT), (5, OPEN)], "world step 5; expected one after world step 5"),
        ({5: "S.G"}, r"step 5: the changed layout has shape \(1, 3\); expected \(2, 3\)"),
        ({5: "S#G\n###"}, "no goal can be reached"),
    ],
)
def test_changes_are_checked(changes: Any, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        read_schedule(OPEN, changes)


@pytest.mark.parametrize("step", ["-3", "0", "1e3", "2.5", "", "x"])
def test_heading_needs_step(step: str) -> None:
    with pytest.raises(LayoutError, match=f"a change at world step '?{step}'?; expected"):
        Schedule.from_text(f"{OPEN}\n@ {step}\n{SHUT}")


def test_phase_needs_rows() -> None:
    with pytest.raises(LayoutError, match="after the change at world step 4: the layout has no"):
        Schedule.from_text(f"{OPEN}\n@ 4\n")
    with pytest.raises(LayoutError, match="the layout has no rows"):
        Schedule.from_text(f"@ 4\n{OPEN}")


@pytest.mark.parametrize("steps", [(), (0, 5), (1,)])
def test_steps_match_layouts(steps: tuple[int, ...]) -> None:
    with pytest.raises(LayoutError, match="expected as many steps as layouts, the first 0"):
        Schedule((Layout.from_text(OPEN),), steps)


@pytest.mark.parametrize("steps", [(0, 5, 5), (0, 5, 3), (0, 0, 5)])
def test_steps_must_increase(steps: tuple[int, ...]) -> None:
    with pytest.raises(LayoutError, match=r"a change at world step \d; expected one after world"):
        Schedule(tuple(map(Layout.from_text, (OPEN, SHUT, OPEN))), steps)


def test_text_has_changed_numbers_only() -> None:
    changes = {5: {"slip_probability": 0.25}, 7: SHUT, 9: {"goal_reward": 2}}
    text = read_schedule(OPEN, changes, rewards=Rewards(step=-1.0)).to_text()
    assert text == (
        f"{OPEN}\n@ 5 slip_probability=0.25\n{OPEN}\n@ 7\n{SHUT}\n@ 9 goal_reward=2.0\n{SHUT}"
    )


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("@ 7 slip_probability=7", "slip_probability=7"),
        ("@ 7 goal_reward=nan", "goal_reward=nan"),
        ("@ 7 goal=2", "change='goal'; expected one of"),
        ("@ 7 layout=2", "change='layout'; expected one of"),
        ("@ 7 step_reward=1 step_reward=2", "step_reward twice"),
        ("@ 7 step_reward=x", "step_reward='x'; expected a number"),
        ("@ 5", "expected one after world step 5"),
        ("@", "world step ''; expected a whole number"),
        ("@ \x1b[31m7", r"'\\x1b\[31m7'"),
        ("@ episode 7", "one kind of them"),
        (f"@ {2**53 + 1}", "expected 1 to 9007199254740992"),
        ("@ " + "9" * 5000, "expected"),
    ],
)
def test_heading_error_says_phase_and_row(heading: str, message: str) -> None:
    with pytest.raises(
        LayoutError, match=rf"^layout phase 2, which begins at row 5: .*{message}"
    ) as info:
        Schedule.from_text(f"{OPEN}\n@ 5\n{SHUT}\n{heading}\n{OPEN}")
    assert str(info.value).isprintable()
    assert len(str(info.value)) < 500


def test_errors_escape_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J\u202e.txt"
    path.write_text("S.G\n..\x1b")
    for layout in (path, str(path), "S.G\x1c...", "\ud800", ["S.G", "\x07.."], str(path)[:-1]):
        with pytest.raises(LayoutError) as info:
            read_schedule(layout)
        assert str(info.value).isprintable()


def test_layout_accepts_arrays_and_numbers() -> None:
    expected = read_schedule(["S.G", "..."], slip_probability=0.2, rewards=Rewards(2.0))
    for rows in (np.array(["S.G", "..."]), np.array([list("S.G"), list("...")]), np.array(OPEN)):
        own = {"layout": rows, "slip_probability": 0.2, "goal_reward": 2}
        assert read_schedule(own) == read_schedule(expected) == expected


def test_text_phases_are_ordered() -> None:
    with pytest.raises(LayoutError, match="world step 3; expected one after world step 5"):
        Schedule.from_text(f"{OPEN}\n@ 5\n{SHUT}\n@ 3\n{OPEN}")
    with pytest.raises(LayoutError, match=r"^layout row 1, column 2"):
        Schedule.from_text(f"S.G\n..?\n@ 5\n{SHUT}")
    with pytest.raises(
        LayoutError,
        match=r"^layout phase 1, which begins at row 2: .*step 5: layout row 1, column 2",
    ):
        Schedule.from_text(f"{OPEN}\n@ 5\nS.G\n..?")


@pytest.mark.parametrize("wrong", [3, None, 2.5, {"a": 1}, b"S.G", {"layout": {"layout": OPEN}}])
def test_layout_rejects_other_types(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"layout[=:]"):
        read_schedule(wrong)
    with pytest.raises(TypeError, match="layout="):
        read_schedule(OPEN, {5: {"layout": wrong}})


@pytest.mark.parametrize("wrong", [3, [5], [(1, 2, 3)]])
def test_changes_reject_other_types(wrong: Any) -> None:
    with pytest.raises(TypeError, match="changes="):
        read_schedule(OPEN, wrong)


def test_unknown_name_suggests_preset() -> None:
    with pytest.raises(LayoutError, match="did you mean 'blocking'"):
        read_schedule("bloking")
    with pytest.raises(LayoutError, match="neither a maze's rows nor a file nor one of"):
        read_schedule("x" * 5000)  # too long for a file's name


def test_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)))
    (tmp_path / "wrong").write_text("S.G\n.y.")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").touch()
    with (tmp_path / "huge").open("r+b") as file:
        file.truncate(100 * MAX_CELLS)
    for name, message in (
        ("binary", "not text"),
        ("wrong", "row 1, column 1"),
        ("huge", "at most"),
        ("none", "cannot be read"),
        ("pipe", "not a regular file"),  # whose end nobody writes
        (".", "Is a directory"),
    ):
        with pytest.raises(LayoutError, match=f"{name}.*{message}"):
            read_schedule(tmp_path / name)


def test_huge_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(100 * MAX_CELLS)
    tracemalloc.start()
    try:
        with pytest.raises(LayoutError, match=r"huge cannot .* 400,000,000 bytes; expected at"):
            read_schedule(path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
