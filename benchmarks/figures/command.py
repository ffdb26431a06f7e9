"""Command `dynamaze figures`: the figures of chapter 8, and two experiments of our own."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from rich.console import Console

from dynamaze.benchmarks.harness.command_line import config_type, run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, print_paths, run_experiment
from dynamaze.benchmarks.harness.registry import EXPERIMENTS

FigureName = Literal[
    "figure-8-2",
    "figure-8-4",
    "figure-8-5",
    "exercise-8-4",
    "example-8-4",
    "figure-8-7",
    "figure-8-8",
    "equal-budgets",
    "background-or-decision",
]
"""Names of experiments: those of the book in its order, then two of our own."""

FIGURES: tuple[FigureName, ...] = get_args(FigureName)


@dataclass(frozen=True)
class Figures:
    """Reproduce the figures of chapter 8 of Sutton & Barto (2018)."""

    runs: int | None = None
    """Runs for each curve; without it each figure has its own number, from 30 to 5000."""
    seed: int = 0
    """Seed of all random numbers."""
    output: Path = Path()
    """Parent of the folder `results/` with tables and plots; the working directory by default."""
    plot_only: bool = False
    """Make plots and summaries from the stored tables, and run nothing."""
    only: tuple[FigureName, ...] = ()
    """Some of the figures instead of all, for example `--only figure-8-4 figure-8-5`."""


def main(config: Figures) -> None:
    """Run the experiments, store their tables and plots, and print their paths.

    Raises:
        ValueError: for fewer than 2 runs.
        OSError: if the output folder cannot be written.
    """
    options: dict[str, Any] = {
        "seed": config.seed,
        "output": config.output,
        "plot_only": config.plot_only,
    }
    if config.runs is not None:
        options["runs"] = config.runs
    chosen = []
    for name in config.only or FIGURES:
        module, default = load_figure(name)
        chosen.append((module, replace(default, **options)))
        chosen[-1][1].check()
    console = Console()
    began = time.perf_counter()
    paths: list[Path] = []
    for module, settings in chosen:
        paths += run_experiment(module, settings, console)
    print_paths(console, began, paths)


def load_figure(name: str) -> tuple[ModuleType, ExperimentConfig]:
    """Import an experiment and return its module and its default configuration."""
    module = import_module(EXPERIMENTS[name].module)
    default: ExperimentConfig = config_type(module, EXPERIMENTS[name])()
    return module, default


if __name__ == "__main__":
    run_script(__file__)
