"""Progress bar of a training in the terminal: a line with the latest loss terms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

BAR, REST = 12, 14
"""Characters of the bar; and of percentage, remaining time and the spaces between the columns."""

INTERVAL = 0.1
"""Seconds between two changes of the terms."""


@contextmanager
def training_bar(
    total: int, console: Console | None = None
) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Show a bar inside the context; yield the function to be called with each step's terms.

    Args:
        total: number of steps.
        console: where it is shown; None for the terminal.
    """
    columns = (
        BarColumn(BAR),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[terms]}", markup=False),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total, terms="")
        taken, shown_at = 0, float("-inf")

        def show(terms: Mapping[str, float]) -> None:
            nonlocal taken, shown_at
            taken += 1
            now = time.monotonic()
            if now - shown_at >= INTERVAL or taken == total:
                text = terms_text(terms, bar.console.width - BAR - REST)
                bar.update(task, completed=taken, terms=text)
                shown_at = now

        yield show
        bar.update(task, completed=taken)


def terms_text(terms: Mapping[str, float], width: int) -> str:
    """Return loss terms in one line: "soft 0.693 hints 0.012".

    Args:
        terms: name -> value; names are "part/term", and a part that all share is left out.
        width: characters; a longer text ends in "…".
    """
    parts = {name.rpartition("/")[0] for name in terms}
    short = {name: name.rpartition("/")[2] if len(parts) == 1 else name for name in terms}
    text = " ".join(f"{short[name]} {value:.3g}" for name, value in terms.items())
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"
