"""Command `dynamaze figures`: the figures of chapter 8, and two experiments of our own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from rich.console import Console

from dynamaze.benchmarks.harness.command_line import config_type, run_script
from dynamaze.benchmarks.harness.experiment import (
    ExperimentConfig,
    open_runner,
    print_paths,
    run_experiment,
)
from dynamaze.benchmarks.harness.registry import EXPERIMENTS
from dynamaze.benchmarks.harness.running.runner import Plan, Runner
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.options import OutputFile, ResultsFolder, Runs, Seconds, Seed
from dynamaze.common.progress import format_seconds

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

    runs: Runs | None = None
    """Runs for each curve; without it each figure has its own number, from 30 to 5000."""
    seed: Seed = 0
    """Seed of all random numbers."""
    output: ResultsFolder = Path()
    """Parent of the folder `results/` with tables and plots; the working directory by default."""
    plot_only: bool = False
    """Make plots and summaries from the stored tables, and run nothing."""
    only: tuple[FigureName, ...] = ()
    """Some of the figures instead of all, for example `--only figure-8-4 figure-8-5`."""
    workers: int | None = None
    """Processes, each on one core; by default one for each core. 1 runs all in this process."""
    store: OutputFile | None = None
    """File of all runs' results, from which a stopped command continues; by default
    `results/runs.sqlite` of the output."""
    run_limit: Seconds | None = None
    """Seconds after which a run is stopped and counts as failed; by default no limit."""
    retry_failed: bool = False
    """Run again what failed before."""
    dry_run: bool = False
    """Say how many runs are stored, how many are missing and how long they take; run nothing."""


SHARED = ("seed", "output", "plot_only", "workers", "store", "run_limit", "retry_failed", "dry_run")
"""Options that every figure has."""


def main(config: Figures) -> None:
    """Run the experiments, store their tables and plots, and print their paths.

    All experiments share the worker processes and the store.

    Raises:
        ValueError: for fewer than 2 runs, or another option with a value that it cannot have.
        OSError: if the output folder cannot be written.
        StoreError: if the store cannot be used.
        RunsFailedError: if some runs failed; the others are stored.
        MissingLibraryError: (an ImportError) before any run, if Matplotlib is missing.
    """
    optional_import("matplotlib.figure", purpose="dynamaze figures")
    options: dict[str, Any] = {name: getattr(config, name) for name in SHARED}
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
    with ExitStack() as stack:
        runner = None
        if not config.plot_only:
            runner = stack.enter_context(open_runner(chosen[0][1], console))
            console.print(announcement(chosen, runner), highlight=False, soft_wrap=True)
        for module, settings in chosen:
            paths += run_experiment(module, settings, console, runner)
    if paths:
        print_paths(console, began, paths)


def announcement(chosen: Sequence[tuple[ModuleType, ExperimentConfig]], runner: Runner) -> str:
    """Return the number of missing runs and about how long they take, in one line.

    Args:
        chosen: modules and configurations of the figures.
        runner: knows what is stored, and how long it took; what is not stored takes as long as a
            typical run.
    """
    plans = [(runner.plan(module.trial, config), config) for module, config in chosen]
    missing = sum(plan.missing for plan, _ in plans)
    total = sum(config.total_runs for _, config in plans)
    if not missing:
        return f"{len(plans)} figures: all {total:,} runs are stored"
    seconds = sum(expected_seconds(plan, config) for plan, config in plans)
    workers = plans[0][0].workers
    return (
        f"{len(plans)} figures: {missing:,} of {total:,} runs are missing; about "
        f"{format_seconds(seconds)} with {workers} worker{'s' if workers > 1 else ''}"
    )


def expected_seconds(plan: Plan, config: ExperimentConfig) -> float:
    """Return the expected duration of the missing runs, from stored or from typical ones."""
    if plan.seconds is not None:
        return plan.seconds
    return plan.missing * (config.seconds_per_run or 0.0) / plan.workers


def load_figure(name: str) -> tuple[ModuleType, ExperimentConfig]:
    """Import an experiment and return its module and its default configuration."""
    module = import_module(EXPERIMENTS[name].module)
    default: ExperimentConfig = config_type(module, EXPERIMENTS[name])()
    return module, default


if __name__ == "__main__":
    run_script(__file__)
