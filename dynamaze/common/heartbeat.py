"""Lines on stderr, every 30 s, of a command whose output goes to a file or a pipe.

In a terminal a command draws its progress. Where there is none, the heartbeat prints what the
command does now, as the command has told by `set_status`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

SECONDS = 30.0
"""Longest time without a line."""

TICK = 0.5
"""Interval in seconds at which the thread looks whether a line is due."""


class Heartbeat:
    """Lines at regular intervals.

    Args:
        name: the command.
        stream: takes the lines; None stands for stderr.
        clock: seconds.

    Attributes:
        status: what the command does now, as text or a function of it.
    """

    def __init__(
        self,
        name: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self._stream, self._clock = name, stream, clock
        self.status: str | Callable[[], str] = ""
        self._began = self._last = clock()

    def beat(self) -> None:
        """Print a line if one is due."""
        now = self._clock()
        if now - self._last < SECONDS:
            return
        self._last = now
        status = self.status() if callable(self.status) else self.status
        whole = round(now - self._began)
        text = f"{self.name}: {status or 'at work'} ({whole // 60}:{whole % 60:02} since the start)"
        print(text, file=self._stream or sys.stderr, flush=True)

    def defer(self) -> None:
        """Wait for the next interval: another line was printed there."""
        self._last = self._clock()


_current: Heartbeat | None = None


def set_status(status: str | Callable[[], str]) -> None:
    """Tell what the command does now, for the next line."""
    if _current is not None:
        _current.status = status


def is_beating() -> bool:
    """Return True where a command's lines are printed."""
    return _current is not None


def line_printed() -> None:
    """Tell that a line of progress was printed on stdout, which may be the same file as stderr."""
    if _current is not None and _is_one_file():
        _current.defer()


@contextmanager
def heartbeat(name: str) -> Iterator[None]:
    """Print lines while the code inside runs, unless stdout is a terminal."""
    global _current  # noqa: PLW0603  # there is one command in a process
    if _current is not None or sys.stdout.isatty():
        yield
        return
    beat = Heartbeat(name)
    stopped = threading.Event()

    def run() -> None:
        with suppress(OSError, ValueError):  # the reader has gone, or stderr is closed
            while not stopped.wait(TICK):
                beat.beat()

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    _current = beat
    thread.start()
    try:
        yield
    finally:
        _current = None
        stopped.set()
        thread.join()


def _is_one_file() -> bool:
    try:
        one, other = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
    except (OSError, ValueError, AttributeError):  # no files, as in a test or a notebook
        return False
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
