"""Notice that code is being compiled, for commands that would else stand still without a word.

The compile cache reports when Numba begins and ends to compile a function that is not stored.
Inside `announced` a notice follows, once, when half a second of compilation has passed. Outside
nothing does: a library does not print.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOTICE = "compiling (once) ..."

UNSTORED = "compiled code cannot be stored, so every process compiles it again"
"""Begin of the warning where no folder can be written; a driver gives it for its workers."""

DELAY = 0.5
"""Seconds of compilation before the notice."""


class Compilation:
    """State of the compilation in this process.

    Attributes:
        depth: compilations in progress; compiling a function may need that of another.
    """

    def __init__(self) -> None:
        self.depth = 0
        self._show: Callable[[], None] | None = None
        self._seconds = 0.0
        self._began = 0.0
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    def begin(self) -> None:
        """Record that a compilation begins."""
        with self._lock:
            self.depth += 1
            if self.depth == 1:
                self._began = time.monotonic()
                self._set_timer()

    def end(self) -> None:
        """Record that a compilation has ended."""
        with self._lock:
            self.depth = max(self.depth - 1, 0)
            if not self.depth:
                self._seconds += time.monotonic() - self._began
                self._cancel_timer()

    @contextmanager
    def announced(self, show: Callable[[], None] | None = None) -> Iterator[None]:
        """Give notice, once, if the code inside compiles.

        Args:
            show: gives the notice, in any thread; by default a line on stderr. Inside another
                such block that one's notice is the only one.
        """
        with self._lock:
            is_outer = self._show is None
            if is_outer:
                self._show, self._seconds = show or print_notice, 0.0
        try:
            yield
        finally:
            if is_outer:
                with self._lock:
                    self._cancel_timer()
                    self._show = None

    @property
    def is_announced(self) -> bool:
        """True if the code that runs now is inside `announced`."""
        return self._show is not None

    def notify(self) -> None:
        """Give the notice, unless it was given; also called for other processes."""
        with self._lock:
            show = self._show
            if show is not None:
                self._show = _given
        if show is not None:
            show()

    def _set_timer(self) -> None:
        if self._show is None or self._show is _given:
            return
        self._timer = threading.Timer(max(DELAY - self._seconds, 0.0), self.notify)
        self._timer.daemon = True
        self._timer.start()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def print_notice() -> None:
    """Print the notice on stderr."""
    print(f"dynamaze: {NOTICE}", file=sys.stderr, flush=True)


def _given() -> None:
    """Stand for a notice that was given."""


compilation = Compilation()
"""That of this process."""
