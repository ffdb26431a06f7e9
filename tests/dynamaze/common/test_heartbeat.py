"""Lines of a command whose output goes to a pipe."""

from __future__ import annotations

import io
import sys

import pytest

from dynamaze.common import heartbeat
from dynamaze.common.heartbeat import Heartbeat, line_printed, set_status


class Clock:
    """Clock that is set by the test."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_line_at_least_every_30_seconds() -> None:
    clock, text = Clock(), io.StringIO()
    beat = Heartbeat("dynamaze x", text, clock)
    for second in range(0, 301):
        clock.now = float(second)
        beat.status = f"step {second}" if second >= 60 else ""
        beat.beat()
    lines = text.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "dynamaze x: at work (0:30 since the start)"
    assert lines[-1] == "dynamaze x: step 300 (5:00 since the start)"


def test_status_may_be_function() -> None:
    clock, text = Clock(), io.StringIO()
    beat = Heartbeat("x", text, clock)
    beat.status = lambda: "as now"
    clock.now = 31.0
    beat.defer()
    clock.now = 60.0
    beat.beat()
    assert text.getvalue() == ""
    clock.now = 61.0
    beat.beat()
    assert text.getvalue() == "x: as now (1:01 since the start)\n"


def test_heartbeat_prints_while_code_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 0.0)
    monkeypatch.setattr(heartbeat, "TICK", 0.001)
    shown = ""
    with heartbeat.heartbeat("dynamaze x"):
        set_status("busy")
        line_printed()
        while "busy" not in shown:
            shown += capsys.readouterr().err
    set_status("idle")
    capsys.readouterr()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with heartbeat.heartbeat("dynamaze x"):
        assert heartbeat._current is None
    assert capsys.readouterr().err == ""
