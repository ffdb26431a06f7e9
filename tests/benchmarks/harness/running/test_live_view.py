"""Live view of a sweep in a terminal, a pipe and a notebook."""

from __future__ import annotations

import io
import sys
import threading
import time
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from dynamaze.benchmarks.harness.running import live_view
from dynamaze.benchmarks.harness.running.live_view import (
    LineView,
    NotebookView,
    SettingProgress,
    SweepProgress,
    TerminalView,
    open_view,
    progress_grid,
)


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> SweepProgress:
    """Two settings after 10 s: 20 runs of 1 s in two processes."""
    settings = [
        SettingProgress("n = 0", 100, done=58, failed=2),
        SettingProgress("n = 5", 40),
    ]
    settings[0].add([9.0])
    settings[0].add([1.0] * 19)
    monkeypatch.setattr(live_view.time, "monotonic", lambda: 110.0)
    return SweepProgress("toy", settings, workers=2, began=100.0)


def printed(progress: SweepProgress) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(progress_grid(progress))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_line_tells_progress(progress: SweepProgress) -> None:
    assert progress.line() == "toy: 60 of 140 runs, 2 failed, 0:10 elapsed, 2/s, 0:40 left"
    progress.elsewhere, progress.running = 3, 2
    assert progress.line() == (
        "toy: 60 of 140 runs, 2 failed, 2 in progress, 3 in another process, 0:10 elapsed, "
        "2/s, 0:40 left"
    )


def test_line_without_finished_runs() -> None:
    line = SweepProgress("toy", [SettingProgress("", 4)]).line()
    assert line == "toy: 0 of 4 runs, 0:00 elapsed"


def test_estimate_leaves_out_compilation() -> None:
    setting = SettingProgress("", 100)
    setting.add([4.0])
    assert setting.seconds_per_run is None
    for seconds in (0.1, 3.0, 0.1):  # another worker compiled too
        setting.add([seconds])
    assert setting.seconds_per_run == 0.1


def test_estimate_uses_long_first_run() -> None:
    setting = SettingProgress("", 4, done=1)
    setting.add([60.0])
    assert SweepProgress("toy", [setting], workers=2).seconds_left() == 90.0


def test_estimate_counts_no_idle_workers() -> None:
    setting = SettingProgress("", 4, done=3)
    setting.add([60.0])
    assert SweepProgress("toy", [setting], workers=8).seconds_left() == 60.0


def test_grid_has_row_for_each_setting(progress: SweepProgress) -> None:
    progress.running = 2
    header, first, second, total, notes = printed(progress).splitlines()
    assert header.split() == ["toy", "runs", "failed", "rate", "left"]
    assert first.split()[-4:] == ["60/100", "2", "2/s", "0:20"]
    assert second.split()[-2:] == ["0/40", "0:20"]
    assert total.split()[-4:] == ["60/140", "2", "2/s", "0:40"]
    assert notes == "0:10 elapsed, 2 in progress"


def test_grid_shortens_long_labels() -> None:
    progress = SweepProgress("toy", [SettingProgress("word " * 20, 10**6) for _ in range(40)])
    console = Console(file=io.StringIO(), width=80, height=24)
    console.print(progress_grid(progress))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1 + live_view.ROWS + 2
    assert "0/1000000" in lines[1]


def test_grid_shows_brackets() -> None:
    assert "sizes [1, 2]" in printed(SweepProgress("toy", [SettingProgress("sizes [1, 2]", 2)]))
    assert "[red]" in printed(SweepProgress("toy", [SettingProgress("[red]", 2)]))


def test_grid_sums_many_settings() -> None:
    settings = [SettingProgress(f"setting {n}", 2, done=2 * (n < 20)) for n in range(40)]
    lines = printed(SweepProgress("toy", settings)).splitlines()
    assert len(lines) == 1 + live_view.ROWS + 2
    assert lines[1].startswith("setting 20")  # those that are complete are the first to go
    assert lines[-3].startswith("26 others")
    assert "40/52" in lines[-3]


def test_terminal_view_never_hides_cursor(progress: SweepProgress) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    assert isinstance(open_view(console), TerminalView)
    view = TerminalView(console)
    view.begin(progress)
    progress.settings[0].done += 1
    view.update(progress)
    view.end(progress)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "60/140" in text
    assert "61/140" in text
    assert "\x1b[?25l" not in text


def test_line_view_prints_every_half_minute(
    progress: SweepProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(file=io.StringIO())
    view = open_view(console)
    assert isinstance(view, LineView)
    now = [0.0]
    monkeypatch.setattr(live_view.time, "monotonic", lambda: now[0])
    view.begin(progress)
    for second in range(1, 65):
        now[0] = float(second)
        view.update(progress)
    view.end(progress)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 4
    assert lines[0].startswith("toy: 60 of 140 runs")


def test_line_view_prints_during_long_run(
    progress: SweepProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing calls `update` while a run occupies this process."""
    monkeypatch.setattr(live_view, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(live_view, "LINE_SECONDS", 0.0)
    console = Console(file=io.StringIO())
    view = LineView(console)
    view.begin(progress)
    end = time.perf_counter() + 5
    while console.file.getvalue().count("\n") < 3:  # type: ignore[attr-defined]
        assert time.perf_counter() < end
    view.end(progress)
    assert not [each for each in threading.enumerate() if each.name == "live view"]


def test_notebook_view_replaces_line(
    progress: SweepProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []

    class Handle:
        def update(self, content: Any, *, raw: bool) -> None:
            shown.append(content)

    def display(content: Any, *, raw: bool, display_id: bool) -> Handle:
        shown.append(content)
        return Handle()

    module = ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    view = open_view(Console(file=io.StringIO(), force_jupyter=True))
    assert isinstance(view, NotebookView)
    view.begin(progress)
    progress.settings[1].done = 40
    view.end(progress)
    assert [each["text/plain"].split(" runs")[0] for each in shown] == [
        "toy: 60 of 140",
        "toy: 100 of 140",
    ]
