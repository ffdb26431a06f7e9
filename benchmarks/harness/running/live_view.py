"""Live view of a sweep: a table in a terminal, one text in a notebook, a plain line elsewhere.

The runner drives it. The terminal's cursor is never hidden, so that even SIGKILL leaves a good
terminal behind.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from dynamaze.common.heartbeat import line_printed, set_status
from dynamaze.common.progress import (
    LINE_SECONDS,
    NOTEBOOK_SECONDS,
    NotebookLine,
    format_rate,
    format_seconds,
)

ROWS = 15
"""Settings that have a row of their own; the others share one."""

REFRESH_SECONDS = 0.25
TICK_SECONDS = 1.0
"""Interval at which a view is updated while no run ends."""

COMPILE_SECONDS = 10.0
"""A first run that is shorter may be compilation for the most part, and tells no duration."""

LATEST_BATCHES = 15
"""Batches of a setting whose median duration of a run is used for estimates."""


@dataclass
class SettingProgress:
    """Progress of the runs of a setting."""

    label: str
    total: int
    done: int = 0
    """Stored runs, the failed ones excepted."""
    failed: int = 0
    finished: int = 0
    """Runs that ended, well or not, in this sweep."""
    batches: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST_BATCHES))
    """Mean durations of the runs of the latest batches."""
    first: float | None = None
    """That of the first batch, which includes compilation."""

    @property
    def remaining(self) -> int:
        """Runs that have not ended."""
        return self.total - self.done - self.failed

    @property
    def seconds_per_run(self) -> float | None:
        """Estimated duration of a run; None if it is not known yet."""
        if self.batches:
            return median(self.batches)
        return self.first if self.first is not None and self.first >= COMPILE_SECONDS else None

    def add(self, durations: Sequence[float]) -> None:
        """Count the runs of a batch that ended."""
        self.finished += len(durations)
        if self.first is None:
            self.first = fmean(durations)
        else:
            self.batches.append(fmean(durations))


@dataclass
class SweepProgress:
    """Progress of a sweep."""

    name: str
    settings: list[SettingProgress]
    elsewhere: int = 0
    """Runs that another process has claimed."""
    running: int = 0
    """Runs that are in progress."""
    workers: int = 1
    began: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> SettingProgress:
        """Sum over the settings."""
        return summed("total", self.settings)

    @property
    def elapsed(self) -> float:
        """Seconds since the sweep began."""
        return max(time.monotonic() - self.began, 1e-9)

    def seconds_left(self, settings: Iterable[SettingProgress] | None = None) -> float | None:
        """Return the estimated seconds until the end, or until that of some settings.

        Returns:
            None if the duration of a run is not known yet.
        """
        known = [each.seconds_per_run for each in self.settings]
        measured = [seconds for seconds in known if seconds is not None]
        if not measured:
            return None
        mean = fmean(measured)
        members = self.settings if settings is None else settings
        chosen = [each for each in members if each.remaining]
        work = sum(
            each.remaining * (mean if each.seconds_per_run is None else each.seconds_per_run)
            for each in chosen
        )
        remaining = sum(each.remaining for each in chosen)
        return work / max(min(self.workers, remaining), 1)

    def line(self) -> str:
        """Return the progress in one line."""
        total = self.total
        text = f"{self.name}: {total.done + total.failed} of {total.total} runs"
        if total.failed:
            text += f", {total.failed} failed"
        if self.running:
            text += f", {self.running} in progress"
        if self.elsewhere:
            text += f", {self.elsewhere} in another process"
        text += f", {format_seconds(self.elapsed)} elapsed"
        if total.finished:
            text += f", {format_rate(total.finished / self.elapsed)}"
        left = self.seconds_left()
        if total.remaining and left is not None:
            text += f", {format_seconds(left)} left"
        return text


class View(Protocol):
    """Shows the progress of sweeps."""

    def begin(self, progress: SweepProgress) -> None:
        """Show the beginning of a sweep."""

    def update(self, progress: SweepProgress) -> None:
        """Show progress; called often."""

    def end(self, progress: SweepProgress) -> None:
        """Show the end of a sweep, also after an error."""


class NoView:
    """View that shows nothing."""

    def begin(self, progress: SweepProgress) -> None:
        """Show nothing."""

    update = end = begin


class _Ticker(threading.Thread):
    """Thread that calls a function regularly: a run in this process may take hours."""

    def __init__(self, action: Callable[[], None]) -> None:
        super().__init__(name="live view", daemon=True)
        self._action = action
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Call the function until it is stopped, or fails, as where a pipe was closed."""
        while not self._stopped.wait(TICK_SECONDS):
            try:
                self._action()
            except (OSError, SystemExit) as error:  # Rich exits where a pipe was closed
                self._error = error
                return

    def check(self) -> None:
        """Raise the error of the function in the thread that drives the view."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self.join()


class LineView:
    """A plain line at the beginning, every 30 s and at the end.

    Args:
        console: prints it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0
        self._lock = threading.Lock()
        self._ticker: _Ticker | None = None

    def begin(self, progress: SweepProgress) -> None:
        """Print the first line."""
        set_status(progress.line)
        self._print(progress)
        self._ticker = _Ticker(lambda: self._update(progress))

    def update(self, progress: SweepProgress) -> None:
        """Print a line if 30 s have passed."""
        if self._ticker is not None:
            self._ticker.check()
        self._update(progress)

    def _update(self, progress: SweepProgress) -> None:
        with self._lock:
            if time.monotonic() >= self._next:
                self._print(progress)

    def end(self, progress: SweepProgress) -> None:
        """Print the last line."""
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        self._print(progress)

    def _print(self, progress: SweepProgress) -> None:
        self._next = time.monotonic() + LINE_SECONDS
        self._console.print(progress.line(), highlight=False, markup=False, soft_wrap=True)
        line_printed()


class TerminalView:
    """Table with a row for each setting, redrawn in place.

    Args:
        console: of a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._next = 0.0
        self._ticker: _Ticker | None = None

    def begin(self, progress: SweepProgress) -> None:
        """Draw the table."""
        self._live = _VisibleCursorLive(
            progress_grid(progress), console=self._console, auto_refresh=False
        )
        self._live.start(refresh=True)
        self._ticker = _Ticker(lambda: self._update(progress))

    def update(self, progress: SweepProgress) -> None:
        """Draw the table again, a few times a second at most."""
        if self._ticker is not None:
            self._ticker.check()
        self._update(progress)

    def _update(self, progress: SweepProgress) -> None:
        live = self._live
        if live is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_SECONDS
            live.update(progress_grid(progress), refresh=True)

    def end(self, progress: SweepProgress) -> None:
        """Draw the table for the last time."""
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        if self._live is not None:
            self._live.update(progress_grid(progress), refresh=True)
            self._live.stop()
            self._live = None


class NotebookView:
    """The line of a sweep in the output of a notebook's cell, replaced in place."""

    def __init__(self) -> None:
        self._line: NotebookLine | None = None
        self._next = 0.0

    def begin(self, progress: SweepProgress) -> None:
        """Display the line."""
        self._line = NotebookLine()
        self._line.show(progress.line())

    def update(self, progress: SweepProgress) -> None:
        """Replace the line, once a second at most."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + NOTEBOOK_SECONDS
            self.end(progress)

    def end(self, progress: SweepProgress) -> None:
        """Replace the line."""
        if self._line is not None:
            self._line.show(progress.line())


class _VisibleCursorLive(Live):
    """Rich's live display, which does not hide the cursor."""

    def start(self, refresh: bool = False) -> None:
        show_cursor = self.console.show_cursor
        self.console.show_cursor = lambda show=True: False  # type: ignore[method-assign]
        try:
            super().start(refresh)
        finally:
            self.console.show_cursor = show_cursor  # type: ignore[method-assign]


def open_view(console: Console) -> View:
    """Return the view that suits a console: notebook, terminal, or a file or pipe."""
    if console.is_jupyter:
        return NotebookView()
    is_drawn = console.is_terminal and not console.is_dumb_terminal
    return TerminalView(console) if is_drawn else LineView(console)


def progress_grid(progress: SweepProgress) -> Group:
    """Return the table of a sweep (runs, failures, runs a second, time left), and a line."""
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(no_wrap=False)  # the only one that is narrowed; its text is cut
    grid.add_column(no_wrap=True)
    for _ in _HEADINGS:
        grid.add_column(justify="right", no_wrap=True)
    grid.add_row(progress.name, "", *_HEADINGS, style="bold")
    rows: Sequence[SettingProgress] = progress.settings
    if len(rows) > ROWS:
        # Those at work first; a setting that is complete is the least interesting.
        order = sorted(rows, key=lambda row: (not row.remaining, not row.finished))
        chosen = {id(row) for row in order[: ROWS - 1]}
        others = [row for row in rows if id(row) not in chosen]
        rows = [row for row in rows if id(row) in chosen]
    else:
        others = []
    for row in rows:
        grid.add_row(*_cells(progress, row, [row]))
    if others:
        grid.add_row(*_cells(progress, summed(f"{len(others)} others", others), others))
    if len(rows) > 1:
        grid.add_row(*_cells(progress, progress.total, progress.settings), style="bold")
    notes = [f"{format_seconds(progress.elapsed)} elapsed"]
    if progress.running:
        notes.append(f"{progress.running} in progress")
    if progress.elsewhere:
        notes.append(f"{progress.elsewhere} in another process")
    return Group(grid, Text(", ".join(notes), style="dim"))


_HEADINGS = ("runs", "failed", "rate", "left")


def _cells(
    progress: SweepProgress, row: SettingProgress, members: Sequence[SettingProgress]
) -> tuple[Any, ...]:
    ended = row.done + row.failed
    left = progress.seconds_left(members)
    return (
        Text(row.label, no_wrap=True, overflow="ellipsis"),  # a bracket is no markup
        ProgressBar(total=max(row.total, 1), completed=ended if row.total else 1, width=20),
        f"{ended}/{row.total}",
        str(row.failed) if row.failed else "",
        format_rate(row.finished / progress.elapsed) if row.finished else "",
        format_seconds(left) if left is not None and row.remaining else "",
    )


def summed(label: str, settings: Sequence[SettingProgress]) -> SettingProgress:
    """Return the progress of several settings as that of one."""
    return SettingProgress(
        label,
        sum(each.total for each in settings),
        sum(each.done for each in settings),
        sum(each.failed for each in settings),
        sum(each.finished for each in settings),
    )
