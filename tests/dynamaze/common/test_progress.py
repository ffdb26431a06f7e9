"""Progress of a loop in a terminal, a notebook, a pipe and a command's heartbeat."""

from __future__ import annotations

import io
import sys
from itertools import islice
from types import ModuleType

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dynamaze.common import heartbeat, progress
from dynamaze.common.progress import format_rate, format_seconds, progress_bar, track


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of the clock, which the test sets."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines_of(console: Console) -> list[str]:
    """Return all that was printed, also what was overwritten, without colours."""
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return Text.from_ansi(text.replace("\r", "\n")).plain.splitlines()


@pytest.mark.parametrize("width", [60, 80])
def test_bar_fits_the_line(width: int, clock: list[float]) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with progress_bar("distilling", 2000, console) as show:
        for number in (500, 1000, 1500):
            clock[0] += 1.0
            show(number, lambda: "soft 0.25 " * 20)
    lines = lines_of(console)
    assert max(map(cell_len, lines)) == width
    assert "1500/2000" in lines[-1]
    if width == 80:
        assert "500/s 00:01 soft 0.25" in lines[-1]
        assert lines[-1].endswith("…")


def test_bar_tells_early_end() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    for _ in islice(track(range(9), "learning", 9, console), 3):
        pass
    assert "2/9" in lines_of(console)[-1]  # the third item was not finished


def test_transient_bar_leaves_nothing() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    assert list(track(range(3), "recording", 3, console, transient=True)) == [0, 1, 2]
    assert lines_of(console)[-1].strip() == ""
    assert "3/3" in "".join(lines_of(console))


def test_pipe_gets_line_every_half_minute(clock: list[float]) -> None:
    console = Console(file=io.StringIO(), width=20)  # a line in a file is not broken
    for _ in track(range(70), "learning", 70, console):
        clock[0] += 1.0
    assert lines_of(console) == [
        "learning: 30 of 70 steps, 1/s, 0:40 left",
        "learning: 60 of 70 steps, 1/s, 0:10 left",
        "learning: 70 of 70 steps, 1/s",
    ]


def test_heartbeat_tells_progress(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    console, told = Console(file=io.StringIO()), []
    beat = heartbeat.Heartbeat("dynamaze x", io.StringIO(), lambda: clock[0])
    monkeypatch.setattr(heartbeat, "_current", beat)
    for _ in track(range(70), "learning", 70, console):
        clock[0] += 1.0
        told.append(beat.status() if callable(beat.status) else beat.status)
    assert told[59] == "learning: 59 of 70 steps, 1/s, 0:11 left"
    assert lines_of(console) == ["learning: 70 of 70 steps, 1/s"]


def test_notebook_line_is_replaced(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, str]] = []

    class Handle:
        def update(self, content: dict[str, str], *, raw: bool) -> None:
            shown.append(("update", content["text/plain"]))

    def display(content: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        shown.append(("display", content["text/plain"]))
        return Handle()

    module = ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    console = Console(file=io.StringIO(), force_jupyter=True)
    for _ in track(range(4), "learning", 4, console):
        clock[0] += 0.5
    assert shown == [
        ("display", "learning: 2 of 4 steps, 2/s, 0:01 left"),
        ("update", "learning: 4 of 4 steps, 2/s"),
        ("update", "learning: 4 of 4 steps, 2/s"),
    ]
    assert lines_of(console) == []


@pytest.mark.parametrize(
    ("rate", "text"), [(0.01234, "0.0123/s"), (12.34, "12.3/s"), (12345.6, "12,346/s")]
)
def test_format_rate(rate: float, text: str) -> None:
    assert format_rate(rate) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3723, "1:02:03")])
def test_format_seconds(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
