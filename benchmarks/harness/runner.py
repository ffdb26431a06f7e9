"""What all experiments share: the bar, the processes, the store, and going on after a stop.

An experiment is a module with a frozen dataclass (its numbers, and the options of its command),
`run(config, on_run) -> tables`, `plot(tables, config) -> figure` and `summary(tables, config) ->
lines`, or a mapping of titles to lines. Pictures and summaries are made of the stored tables alone,
so either can be made again.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from dynamaze.common.storage import write_atomically
from dynamaze.common.version import __version__

from .statistics import FEW_RUNS
from .table import Table, read_csv, write_csv

OnRun = Callable[[], None] | None

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Each process has a core of its own; more threads than cores make linear algebra crawl."""


@dataclass(frozen=True)
class Storing:
    """The options of every experiment that stores what it found."""

    name: ClassVar[str]
    """The name of its tables and of its picture."""

    output: Path = Path()
    """The folder in which `results/` is made; the working directory by default."""
    redraw: bool = False
    """Make picture and summary of the tables that are stored, and run nothing."""


def perform(
    experiment: Any,
    config: Any,
    *,
    output: Path,
    title: str,
    caption: str,
    redraw: bool = False,
    console: Console,
    **more: Any,
) -> list[Path]:
    """Run an experiment under a bar, store its tables and picture, and print its summary.

    Args:
        experiment: the module.
        config: its numbers, with `name` and `total_runs`.
        output: the folder in which `results/` is made.
        title: above the summary.
        caption: what its numbers are, below it.
        redraw: take the stored tables instead of running.
        console: where to print.
        more: further arguments of the experiment's `run`.

    Returns:
        The files, the picture first.

    Raises:
        FileNotFoundError: if stored tables are to be drawn and there are none.
        OSError: if the output folder cannot be written.
    """
    folder = output / "results"
    if redraw:
        tables = stored_tables(folder, config.name)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with _bar(console) as bar:
            task = bar.add_task(f"{title}, runs", total=config.total_runs)
            tables = experiment.run(config, lambda: bar.advance(task), **more)
        for name, table in tables.items():
            write_csv(folder / f"{name}.csv", table)
    picture = folder / f"{config.name}.png"
    save_picture(picture, experiment.plot(tables, config))
    lines = experiment.summary(tables, config)
    for name, section in lines.items() if isinstance(lines, dict) else [(title, lines)]:
        console.print(summary_grid(name, section))
    console.print(caption, style="italic")
    return [picture, *(folder / f"{name}.csv" for name in tables)]


def run_alone(experiment: str, config: Any, *, title: str, caption: str, **more: Any) -> list[Path]:
    """What the command of a single experiment does: `perform` it and say where the files are.

    Args:
        experiment: the module's name, `__name__`.
        config: its numbers and options, a `Storing` with `runs`.
        title: above the summary.
        caption: below it.
        more: further arguments of its `run`.

    Raises:
        ValueError: for fewer than 2 runs.
    """
    check_runs(config.runs)
    console = Console()
    began = time.perf_counter()
    paths = perform(
        sys.modules[experiment],
        config,
        output=config.output,
        title=title,
        caption=caption,
        redraw=config.redraw,
        console=console,
        **more,
    )
    say_where(console, began, paths)
    return paths


def check_runs(runs: int, name: str = "runs") -> None:
    """Refuse numbers of runs of which no interval could be told.

    Raises:
        ValueError: for fewer than 2.
    """
    if runs < 2:
        raise ValueError(f"{name}={runs}; expected at least 2 for an interval")


def stored_tables(folder: Path, name: str) -> dict[str, Table]:
    """The tables that an experiment stored: `name`.csv and those whose names begin with `name`_.

    Raises:
        FileNotFoundError: if there are none.
    """
    paths = [folder / f"{name}.csv", *sorted(folder.glob(f"{name}_*.csv"))]
    if not paths[0].exists():
        raise FileNotFoundError(f"{paths[0]}: no such table; run the experiment without --redraw")
    return {path.stem: read_csv(path) for path in paths}


def say_where(console: Console, began: float, paths: Sequence[Path]) -> None:
    """Print how long it took and where the files are."""
    console.print(f"{time.perf_counter() - began:.1f} s; tables and pictures:")
    for path in paths:
        console.print(f"  {path.resolve()}", soft_wrap=True, highlight=False)


def save_picture(path: Path, figure: Figure) -> None:
    """Write a picture as PNG, atomically."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    write_atomically(path, content.getvalue())


def interval_caption(runs: int) -> str:
    """What a summary's numbers are, and what to think of them where the runs are few."""
    caption = f"mean of {runs} runs, 95% interval"
    if runs < FEW_RUNS:
        caption += f"; with fewer than {FEW_RUNS} runs it covers less than it says"
    return caption


def summary_grid(title: str, lines: Sequence[tuple[str, ...]]) -> Grid:
    """Lines, the first of which names the columns, for the terminal."""
    grid = Grid(*lines[0], title=title)
    for line in lines[1:]:
        grid.add_row(*line)
    return grid


# -- runs in processes -------------------------------------------------------------------------


def work(
    job: Callable[..., Table],
    arguments: Sequence[tuple[Any, ...]],
    *,
    workers: int,
    keep: Path | None = None,
    on_run: OnRun = None,
) -> list[Table]:
    """The tables of many jobs, in their order, whatever the number of processes.

    Args:
        job: a function of a module; it gives a table of at least one row.
        arguments: of each job; numbers, text and dataclasses.
        workers: processes, one core each; with 1 the jobs run in this one.
        keep: a folder for the tables of jobs that are done, so that a run that was stopped goes on
            from them; it is removed when all are done. None keeps nothing.
        on_run: called after each job, in this process.

    Raises:
        ValueError: for fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers={workers}; expected at least 1")
    done: dict[int, Table] = {}
    for number in range(len(arguments)):
        path = None if keep is None else keep / f"{number}.csv"
        if path is not None and path.exists():
            done[number] = read_csv(path)
            if on_run is not None:
                on_run()
    todo = [number for number in range(len(arguments)) if number not in done]
    for number, table in _as_they_come(job, arguments, todo, workers):
        done[number] = table
        if keep is not None:
            write_csv(keep / f"{number}.csv", table)
        if on_run is not None:
            on_run()
    if keep is not None:
        shutil.rmtree(keep, ignore_errors=True)
    return [done[number] for number in range(len(arguments))]


def kept_folder(config: Storing, *, apart_from: Sequence[str] = ()) -> Path:
    """Where the jobs of exactly these numbers, and of this version, are kept.

    Args:
        config: the experiment's numbers.
        apart_from: names of fields that change no job's result.
    """
    unimportant = {"output", "redraw", "workers", *apart_from}
    numbers = [
        (field.name, getattr(config, field.name))
        for field in fields(config)
        if field.name not in unimportant
    ]
    digest = hashlib.sha256(repr((__version__, numbers)).encode()).hexdigest()[:12]
    return config.output / "results" / f".{config.name}-{digest}"


def _as_they_come(
    job: Callable[..., Table],
    arguments: Sequence[tuple[Any, ...]],
    todo: Sequence[int],
    workers: int,
) -> Iterator[tuple[int, Table]]:
    if workers == 1:
        for number in todo:
            yield number, job(*arguments[number])
        return
    # A process that is forked would share the locks of torch's threads.
    with (
        _environment(ONE_THREAD),
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        futures = {pool.submit(job, *arguments[number]): number for number in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:  # Ctrl-C above all: what has not begun need not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    """Have these variables for a while, for the processes that are started in it."""
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)
