"""Progress of a loop: a bar in a terminal, one line in a notebook, a line now and then elsewhere.

All three show the number of steps, their total, the rate and the time left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from .heartbeat import is_beating, line_printed, set_status

BAR = 12
"""Characters of a bar: the rest of a line of 80 is for the numbers and the text."""

INTERVAL = 0.1
"""Seconds between two updates."""

RATE_SECONDS = 3600.0
"""Steps of the latest hour count for the rate; of fast ones the latest 1000 updates."""

NOTEBOOK_SECONDS = 1.0
LINE_SECONDS = 30.0
"""Seconds between two lines in a notebook, and in a file or a pipe."""

Item = TypeVar("Item")


class Show(Protocol):
    """Function that is told the progress after each step."""

    def __call__(self, completed: int, text: Callable[[], str] = ...) -> None:
        """Show that so many steps are complete, and a text about the latest one."""


def _no_text() -> str:
    return ""


@contextmanager
def progress_bar(
    task: str, total: int, console: Console | None = None, *, transient: bool = False
) -> Iterator[Show]:
    """Show progress inside the context; yield the function to be called after each step.

    Where a command's heartbeat prints lines, these tell the progress.

    Args:
        task: name of what is done.
        total: number of steps.
        console: where it is shown; None for stdout.
        transient: leave nothing behind at the end.
    """
    console = Console() if console is None else console
    with _bar(task, total, console, transient) as bar:
        latest, describe, shown_at = 0, _no_text, time.monotonic()

        def update() -> None:
            bar.update(bar.task_ids[0], completed=latest, text=describe())

        def show(completed: int, text: Callable[[], str] = _no_text) -> None:
            nonlocal latest, describe, shown_at
            latest, describe = completed, text
            if time.monotonic() - shown_at >= INTERVAL:
                shown_at = time.monotonic()
                update()

        try:
            yield show
        finally:
            update()  # also where a loop ends early


def track(
    items: Iterable[Item],
    task: str,
    total: int,
    console: Console | None = None,
    *,
    transient: bool = False,
) -> Iterator[Item]:
    """Yield the same items, and show the progress; the arguments are those of `progress_bar`."""
    with progress_bar(task, total, console, transient=transient) as show:
        for number, item in enumerate(items, 1):
            yield item
            show(number)


class NotebookLine:
    """A line in the output of a notebook's cell, replaced in place; it needs no ipywidgets."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Display the line, or replace it."""
        content = {"text/plain": text}
        if self._handle is None:
            display = import_module("IPython.display").display
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class _LineProgress(Progress):
    """Progress that prints lines in place of a bar.

    Args:
        print_line: prints one.
        seconds: between two lines.
        transient: print none at the end.
    """

    def __init__(
        self, print_line: Callable[[str], None], seconds: float, *, transient: bool
    ) -> None:
        super().__init__(
            disable=True,
            auto_refresh=False,
            speed_estimate_period=RATE_SECONDS,
            get_time=time.monotonic,
        )
        self._print_line, self._seconds, self._is_transient = print_line, seconds, transient
        self._next = time.monotonic() + seconds

    def update(self, task_id: Any, **fields: Any) -> None:
        """Update the task, and print a line if one is due."""
        super().update(task_id, **fields)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._seconds
            if not is_beating():  # the heartbeat's lines tell the same
                self._print_line(self.line())

    def stop(self) -> None:
        """Print the last line."""
        super().stop()
        if not self._is_transient:
            self._print_line(self.line())

    def line(self) -> str:
        """Return the progress in one line."""
        return "\n".join(map(progress_line, self.tasks))


class _RateColumn(ProgressColumn):
    """Column of steps a second, as narrow as the numbers are."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Return the rate; of a complete task that of the whole."""
        return Text(_rate_text(task), style="progress.data.speed", no_wrap=True)


def progress_line(task: Task) -> str:
    """Return the progress in one line: "learning: 120 of 1,000 steps, 40/s, 0:22 left"."""
    parts = [f"{task.description}: {task.completed:,.0f} of {task.total or 0:,.0f} steps"]
    if rate := _rate_text(task):
        parts.append(rate)
    if not task.finished and task.time_remaining is not None:
        parts.append(f"{format_seconds(task.time_remaining)} left")
    if text := task.fields.get("text"):
        parts.append(text)
    return ", ".join(parts)


def format_rate(rate: float) -> str:
    """Return a number of steps a second with three digits: 0.0123/s, 12.3/s, 1,234/s."""
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def format_seconds(seconds: float) -> str:
    """Return a duration as minutes and seconds, or hours, minutes and seconds: 0:40, 1:02:03."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def _rate_text(task: Task) -> str:
    rate = task.finished_speed or task.speed
    if rate is None and task.completed and task.elapsed:  # after a single update
        rate = task.completed / task.elapsed
    return "" if rate is None else format_rate(rate)


def _bar(task: str, total: int, console: Console, transient: bool) -> Progress:
    """Return the progress that suits a console, with one task."""
    bar: Progress
    if console.is_jupyter:
        bar = _LineProgress(NotebookLine().show, NOTEBOOK_SECONDS, transient=transient)
    elif console.is_terminal and not console.is_dumb_terminal:
        bar = _terminal_bar(console, transient)
    else:
        bar = _LineProgress(partial(_print_line, console), LINE_SECONDS, transient=transient)
    bar.add_task(task, total=total, text="")
    if isinstance(bar, _LineProgress):
        set_status(bar.line)
    return bar


def _terminal_bar(console: Console, transient: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(BAR),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn(  # it takes what is left of the line, and is cut there
            "{task.fields[text]}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        console=console,
        transient=transient,
        expand=True,
        speed_estimate_period=RATE_SECONDS,
        get_time=time.monotonic,
    )


def _print_line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    line_printed()
