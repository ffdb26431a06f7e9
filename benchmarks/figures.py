"""The figures of chapter 8 in one command: tables, pictures and a summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Literal

from rich.console import Console

from . import figure_8_2, figure_8_4, figure_8_5
from .runner import check_runs, interval_caption, perform, say_where

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
    check_runs(config.runs)
    console = Console()
    began = time.perf_counter()
    written: list[Path] = []
    for name in config.only or EXPERIMENTS:
        module = EXPERIMENTS[name]
        settings = replace(module.Config(), runs=config.runs, seed=config.seed)
        written += perform(
            module,
            settings,
            output=config.output,
            title=f"Figure {name}",
            caption=interval_caption(config.runs),
            console=console,
        )
    say_where(console, began, written)
