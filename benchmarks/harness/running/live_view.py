"""Live view of a sweep: a table in a terminal, one text in a notebook, a plain line elsewhere.

The runner drives it. The terminal's cursor is never hidden, so that even SIGKILL leaves a good
terminal behind.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

ROWS = 15
"""Settings that have a row of their own; the others share one."""

REFRESH_SECONDS = 0.25
LINE_SECONDS = 30.0
"""Seconds between two plain lines."""


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
    seconds: float = 0.0
    """Sum of their durations."""

    @property
    def remaining(self) -> int:
        """Runs that have not ended."""
        return self.total - self.done - self.failed


@dataclass
class SweepProgress:
    """Progress of a sweep."""

    name: str
    settings: list[SettingProgress]
    elsewhere: int = 0
    """Runs that another process has claimed."""
    began: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> SettingProgress:
        """Sum over the settings."""
        return summed("total", self.settings)

    @property
    def elapsed(self) -> float:
        """Seconds since the sweep began."""
        return max(time.monotonic() - self.began, 1e-9)

    def seconds_left(self, setting: SettingProgress | None = None) -> float | None:
        """Return the estimated seconds until the end, or until that of one setting.

        Returns:
            None if no run has ended yet.
        """
        total = self.total
        if not total.finished or not total.seconds:
            return None
        mean = total.seconds / total.finished
        work = sum(
            each.remaining * (each.seconds / each.finished if each.finished else mean)
            for each in (self.settings if setting is None else [setting])
        )
        return work * self.elapsed / total.seconds

    def line(self) -> str:
        """Return the progress in one line."""
        total = self.total
        text = f"{self.name}: {total.done + total.failed} of {total.total} runs"
        if total.failed:
            text += f", {total.failed} failed"
        if self.elsewhere:
            text += f", {self.elsewhere} in another process"
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


class LineView:
    """A plain line at the beginning, every 30 s and at the end.

    Args:
        console: prints it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def begin(self, progress: SweepProgress) -> None:
        """Print the first line."""
        self._print(progress)

    def update(self, progress: SweepProgress) -> None:
        """Print a line if 30 s have passed."""
        if time.monotonic() >= self._next:
            self._print(progress)

    def end(self, progress: SweepProgress) -> None:
        """Print the last line."""
        self._print(progress)

    def _print(self, progress: SweepProgress) -> None:
        self._next = time.monotonic() + LINE_SECONDS
        self._console.print(progress.line(), highlight=False, markup=False, soft_wrap=True)


class TerminalView:
    """Table with a row for each setting, redrawn in place.

    Args:
        console: of a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._next = 0.0

    def begin(self, progress: SweepProgress) -> None:
        """Draw the table."""
        self._live = _VisibleCursorLive(
            progress_grid(progress), console=self._console, auto_refresh=False
        )
        self._live.start(refresh=True)

    def update(self, progress: SweepProgress) -> None:
        """Draw the table again, a few times a second at most."""
        if self._live is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_SECONDS
            self._live.update(progress_grid(progress), refresh=True)

    def end(self, progress: SweepProgress) -> None:
        """Draw the table for the last time."""
        if self._live is not None:
            self._live.update(progress_grid(progress), refresh=True)
            self._live.stop()
            self._live = None


class NotebookView:
    """The line of a sweep in the output of a notebook's cell, replaced in place."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._next = 0.0

    def begin(self, progress: SweepProgress) -> None:
        """Display the line."""
        self._handle = import_module("IPython.display").display(
            {"text/plain": progress.line()}, raw=True, display_id=True
        )

    def update(self, progress: SweepProgress) -> None:
        """Replace the line, once a second at most."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 4 * REFRESH_SECONDS
            self.end(progress)

    def end(self, progress: SweepProgress) -> None:
        """Replace the line."""
        if self._handle is not None:
            self._handle.update({"text/plain": progress.line()}, raw=True)


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


def progress_grid(progress: SweepProgress) -> Grid:
    """Return the table of a sweep: runs, failures, runs a second, time left."""
    grid = Grid.grid(padding=(0, 2))
    for name, justify in (("", "left"), ("", "left"), *((name, "right") for name in _HEADINGS)):
        grid.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    grid.add_row(progress.name, "", *_HEADINGS, style="bold")
    rows: Sequence[SettingProgress] = progress.settings
    if len(rows) > ROWS:
        # Those at work first; a setting that is complete is the least interesting.
        order = sorted(rows, key=lambda row: (not row.remaining, not row.finished))
        chosen = {id(row) for row in order[: ROWS - 1]}
        others = [row for row in rows if id(row) not in chosen]
        rows = [row for row in rows if id(row) in chosen]
        rows = [*rows, summed(f"{len(others)} others", others)]
    for row in rows:
        grid.add_row(*_cells(progress, row))
    if len(rows) > 1:
        grid.add_row(*_cells(progress, progress.total), style="bold")
    if progress.elsewhere:
        grid.add_row(f"waiting for {progress.elsewhere} runs of another process")
    return grid


_HEADINGS = ("runs", "failed", "runs/s", "left")


def _cells(progress: SweepProgress, row: SettingProgress) -> tuple[Any, ...]:
    ended = row.done + row.failed
    left = progress.seconds_left(row)
    return (
        Text(row.label),  # a bracket is no markup
        ProgressBar(total=max(row.total, 1), completed=ended if row.total else 1, width=20),
        f"{ended}/{row.total}",
        str(row.failed) if row.failed else "",
        f"{row.finished / progress.elapsed:.1f}" if row.finished else "",
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
        sum(each.seconds for each in settings),
    )


def format_seconds(seconds: float) -> str:
    """Return a duration as minutes and seconds, or hours, minutes and seconds: 0:40, 1:02:03."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"
