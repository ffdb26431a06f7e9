"""The figures of chapter 8, and two of our own, in one command: tables, pictures, a summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Literal

from rich.console import Console

from ..harness.runner import check_runs, interval_caption, perform, say_where
from . import (
    background_or_decision,
    equal_budgets,
    example_8_4,
    exercise_8_4,
    figure_8_2,
    figure_8_4,
    figure_8_5,
    figure_8_7,
    figure_8_8,
)

Name = Literal[
    "8.2",
    "8.4",
    "8.5",
    "exercise-8.4",
    "example-8.4",
    "8.7",
    "8.8",
    "equal-budgets",
    "background-or-decision",
]
"""What the command line calls a figure: those of the book in its order, then two of our own."""

EXPERIMENTS: dict[Name, ModuleType] = {
    "8.2": figure_8_2,
    "8.4": figure_8_4,
    "8.5": figure_8_5,
    "exercise-8.4": exercise_8_4,
    "example-8.4": example_8_4,
    "8.7": figure_8_7,
    "8.8": figure_8_8,
    "equal-budgets": equal_budgets,
    "background-or-decision": background_or_decision,
}


@dataclass(frozen=True)
class Figures:
    """Reproduce the figures of chapter 8 of Sutton & Barto (2018)."""

    runs: int | None = None
    """Runs for each curve; without it each figure has its own number, from 50 to 5000."""
    seed: int = 0
    """Settles every number."""
    output: Path = Path()
    """The folder in which `results/` is made; the working directory by default."""
    only: tuple[Name, ...] = ()
    """Some of the figures instead of all, for example `--only 8.4 8.5`."""


def main(config: Figures) -> None:
    """Run the experiments, store their tables and pictures, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs.
        OSError: if the output folder cannot be written.
    """
    numbers: dict[str, int] = {"seed": config.seed}
    if config.runs is not None:
        check_runs(config.runs)
        numbers["runs"] = config.runs
    console = Console()
    began = time.perf_counter()
    written: list[Path] = []
    for name in config.only or EXPERIMENTS:
        module = EXPERIMENTS[name]
        settings = replace(module.Config(), **numbers)
        written += perform(
            module,
            settings,
            output=config.output,
            title=_title(name),
            caption=getattr(module, "caption", interval_caption)(settings.runs),
            console=console,
        )
    say_where(console, began, written)


def _title(name: str) -> str:
    """What the command line calls a figure, as the book does."""
    return f"Figure {name}" if name[0].isdigit() else name.replace("-", " ").capitalize()
