"""Ends of a driver: by signals, with its workers, its terminal and its store."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dynamaze.benchmarks.harness.running.termination import Terminated, orderly_termination
from dynamaze.benchmarks.harness.store.database import Store
from tests.process_tree import HAS_PROC, descendants, is_running, wait_until

DRIVER = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # `nohup pytest &` ignores both signals,
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and programs that it starts, too
from collections import deque
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
import numpy as np
from rich.console import Console
from dynamaze.benchmarks.harness.command_line import guard
from dynamaze.benchmarks.harness.running.live_view import open_view
from dynamaze.benchmarks.harness.running.runner import Runner, Setting
from dynamaze.benchmarks.harness.store.database import Store

folder = Path(sys.argv[1])

@dataclass(frozen=True)
class Config:
    name = "toy"
    settings = [Setting((), 8)]

def trial(config, number):
    (folder / f"{number}_{os.getpid()}").touch()
    if number == 2:
        deque(repeat(0), maxlen=0)  # never returns to the interpreter
    time.sleep(100 if number == 5 else 0.2)  # a job has the three runs from 2 or 5 on
    return {"value": np.array([number])}

def main():
    with (
        Store(folder / "runs.sqlite") as store,
        Runner(workers=2, store=store, view=open_view(Console())) as runner,
    ):
        runner.run(trial, Config())
    return 0

sys.exit(guard(main))
"""


@pytest.mark.skipif(not HAS_PROC, reason="processes are found in /proc")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_no_worker_outlives_driver(number: int, code: int, tmp_path: Path) -> None:
    """One worker computes without the interpreter, and one sleeps, when the driver ends."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER, encoding="utf-8")
    controller, terminal = pty.openpty()
    driver = subprocess.Popen(
        [sys.executable, os.fspath(script), os.fspath(tmp_path)],
        stdout=terminal,
        stderr=terminal,
        stdin=terminal,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    try:
        begun = [f"{number}_*" for number in (2, 5)]
        assert wait_until(lambda: all(list(tmp_path.glob(name)) for name in begun), 30)
        time.sleep(0.3)
        processes = descendants(driver.pid)
        assert len(processes) >= 2
        driver.send_signal(number)
        assert driver.wait(5) == code
        assert wait_until(lambda: not any(map(is_running, processes)), 5)
    finally:
        driver.kill()
        driver.wait()
    shown = read_all(controller)
    assert "toy" in shown
    assert "Traceback" not in shown
    assert "\x1b[?25l" not in shown  # the cursor was never hidden
    with Store(tmp_path / "runs.sqlite") as store:
        (group,) = store.groups()
        assert set(store.states(group.id)) == {0, 1}
        assert store.claim(group.id, range(8)) == [2, 3, 4, 5, 6, 7]


def read_all(controller: int) -> str:
    """Read what a pseudo-terminal has shown."""
    content = b""
    try:
        while part := os.read(controller, 65536):
            content += part
    except OSError:  # Linux reports so that all other ends are closed
        pass
    os.close(controller)
    return content.decode()


def test_orderly_termination_restores_handlers() -> None:
    with pytest.raises(Terminated) as caught, orderly_termination():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_ignored_signal_stays_ignored() -> None:
    """As after nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orderly_termination():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
