"""The figures of chapter 8 in one command: tables, pictures and a summary."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from dynamaze.storage import write_atomically

from . import figure_8_2, figure_8_4, figure_8_5
from .statistics import FEW_RUNS
from .table import Table, write_csv

EXPERIMENTS: dict[str, ModuleType] = {"8.2": figure_8_2, "8.4": figure_8_4, "8.5": figure_8_5}


@dataclass(frozen=True)
class Figures:
    """Reproduce the figures of chapter 8 of Sutton & Barto (2018)."""

    runs: int = 1000
    """Runs for each curve."""
    seed: int = 0
    """Settles every number."""
    output: Path = Path()
    """The folder in which `results/` is made; the working directory by default."""
    only: tuple[Literal["8.2", "8.4", "8.5"], ...] = ()
    """Some of the figures instead of all, for example `--only 8.4 8.5`."""


def main(config: Figures) -> None:
    """Run the experiments, store their tables and pictures, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs.
        OSError: if the output folder cannot be written.
    """
    if config.runs < 2:
        raise ValueError(f"runs={config.runs}; expected at least 2 for an interval")
    folder = config.output / "results"
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    began = time.perf_counter()
    written: list[Path] = []
    for name in config.only or EXPERIMENTS:
        module = EXPERIMENTS[name]
        settings = replace(module.Config(), runs=config.runs, seed=config.seed)
        tables = _run(name, module, settings, console)
        written += _store(folder, tables, module.plot(tables, settings), settings.name)
        console.print(_grid(f"Figure {name}", module.summary(tables, settings), config.runs))
    console.print(f"{time.perf_counter() - began:.1f} s; tables and pictures:")
    for path in written:
        console.print(f"  {path.resolve()}", soft_wrap=True, highlight=False)


def _run(name: str, module: ModuleType, settings: Any, console: Console) -> dict[str, Table]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"Figure {name}, runs", total=settings.total_runs)
        tables: dict[str, Table] = module.run(settings, lambda: progress.advance(task))
    return tables


def _store(folder: Path, tables: dict[str, Table], figure: Figure, name: str) -> list[Path]:
    paths = [folder / f"{table}.csv" for table in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        write_csv(path, table)
    picture = folder / f"{name}.png"
    save_picture(picture, figure)
    return [picture, *paths]


def save_picture(path: Path, figure: Figure) -> None:
    """Write a picture as PNG, atomically."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    write_atomically(path, content.getvalue())


def _grid(title: str, lines: list[tuple[str, ...]], runs: int) -> Grid:
    caption = f"mean of {runs} runs, 95% interval"
    if runs < FEW_RUNS:
        caption += f"; with fewer than {FEW_RUNS} runs it covers less than it says"
    grid = Grid(*lines[0], title=title, caption=caption)
    for line in lines[1:]:
        grid.add_row(*line)
    return grid
