"""Rows of the table of speeds, and measurements without their libraries."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import pytest

from dynamaze.benchmarks.harness import timing
from dynamaze.benchmarks.harness.timing import (
    SpeedRow,
    import_obstacle,
    time_alternately,
    time_row,
    with_libraries,
)


@with_libraries("json", "absent_library")
def speed_of_nothing(repeats: int) -> list[SpeedRow]:
    """Return a row."""
    return [time_row("nothing", repeats, "s")]


def test_missing_library_gives_row(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = SpeedRow("speed of nothing", "", "absent_library", "not installed", met=False)
    assert speed_of_nothing(3) == [missing]
    monkeypatch.setitem(sys.modules, "absent_library", timing)
    assert speed_of_nothing(3) == [SpeedRow("nothing", "3.0 s")]


def test_failing_import_is_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library_that_fails.py").write_text("raise TypeError('no argument')")
    monkeypatch.syspath_prepend(tmp_path)
    assert import_obstacle("library_that_fails") == "fails: TypeError"
    assert import_obstacle("json") == ""


def test_time_alternately_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    calls: list[str] = []
    pair = time_alternately(
        lambda: calls.append("ours"),
        lambda: (calls.append("baseline"), next(clock), next(clock)),  # takes 3 seconds
        repeats=2,
    )
    assert calls == 3 * ["ours", "baseline"]
    assert pair == (1, 3, 3)
