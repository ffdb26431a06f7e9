"""Interface of experiments, and their running: stored tables, plot and summary.

An experiment is a module with a frozen dataclass (its numbers, and the options of its command),
`run(config, runner) -> tables`, `plot(tables, config) -> figure` and `summary(tables, config) ->
lines`, or a mapping of titles to lines. Plots and summaries need the stored tables alone, so either
can be made again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from rich.console import Console

from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, few_runs
from dynamaze.benchmarks.harness.analysis.plots import styled
from dynamaze.benchmarks.harness.analysis.summary_grid import SummaryGrid
from dynamaze.benchmarks.harness.analysis.table import (
    Table,
    TableError,
    Tables,
    csv_content,
    read_csv,
    rename_entries,
)
from dynamaze.benchmarks.harness.old_names import OLD_NAMES
from dynamaze.benchmarks.harness.reports.report import report_html, stored_report
from dynamaze.benchmarks.harness.running.executors import (
    MakeExecutor,
    available_cores,
    most_workers,
)
from dynamaze.benchmarks.harness.running.live_view import open_view
from dynamaze.benchmarks.harness.running.runner import DryRunEnd, Runner, RunsFailedError
from dynamaze.benchmarks.harness.running.runner import (
    Setting as Setting,  # noqa: PLC0414  # experiments import it from here
)
from dynamaze.benchmarks.harness.store.database import Store
from dynamaze.common.atomic_files import write_atomically, write_together
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.options import (
    Fraction,
    OutputFile,
    PositiveFraction,
    ResultsFolder,
    Runs,
    Seconds,
    Seed,
    check_numbers,
)
from dynamaze.common.validation import checked_integer

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ExperimentConfig:
    """Options of every experiment; each gives its own number of runs."""

    name: ClassVar[str]
    """The name of its tables and of its plot."""
    title: ClassVar[str]
    """Above the summary."""
    swept: ClassVar[tuple[str, ...]] = ()
    """Options that change no run's result: those that list settings, or concern the summary."""
    seconds_per_run: ClassVar[float | None] = None
    """Typical CPU seconds of a run with the default settings, for an estimate; None if unknown."""
    interval_kind: ClassVar[str] = "mean"
    """Of the kinds of its intervals (`intervals.FEW_RUNS_BY_KIND`) that which needs most runs."""
    other_intervals: ClassVar[str] = ""
    """Intervals of its summary that are not Student's, for the caption: "shares: Wilson's"."""
    failures: ClassVar[str] = ""
    """Name of the table of failed runs, where an experiment goes on without them."""

    output: ResultsFolder = Path()
    """Parent of the folder `results/` with tables and plots; the working directory by default."""
    plot_only: bool = False
    """Make plot and summary from the stored tables, and run nothing."""
    runs: Runs = 2
    """Runs; at least 2, for intervals."""
    seed: Seed = 0
    """Seed of all random numbers."""
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

    @property
    def old_names(self) -> Mapping[str, str]:
        """Names in its stored tables of version 0.1 (tables, columns, text values) -> today's."""
        return OLD_NAMES.get(self.name, {})

    @property
    def settings(self) -> Sequence[Setting]:
        """Settings of the runs: the arguments and the number of each one's."""
        return [Setting((), self.runs)]

    @property
    def total_runs(self) -> int:
        """Runs of the whole experiment."""
        return sum(setting.runs for setting in self.settings)

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return interval_caption(self.runs, self.interval_kind, self.other_intervals)

    def make_executor(self, workers: int) -> MakeExecutor | None:
        """Return what makes the executor of the runs; None for processes."""
        return None

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an option with a value that it cannot have.
        """
        check_numbers(self)
        if self.workers is not None:
            checked_integer("workers", self.workers, 1, most_workers())


@dataclass(frozen=True)
class AgentConfig(ExperimentConfig):
    """Options of the experiments whose agents all learn and explore in one way."""

    learning_rate: PositiveFraction = 1.0
    """Step size alpha; 1 is right in a deterministic environment."""
    gamma: Fraction = 0.95
    """Discount."""
    epsilon: Fraction = 0.1
    """Probability of a random action."""

    @property
    def learning(self) -> dict[str, Any]:
        """Arguments of the agents."""
        return {
            "learning_rate": self.learning_rate,
            "gamma": self.gamma,
            "epsilon": self.epsilon,
        }


def run_module(experiment: Any, config: ExperimentConfig) -> list[Path]:
    """Run an experiment, store its tables and plot, and print summary, time and files.

    Args:
        experiment: the module.
        config: its settings.

    Returns:
        The files, the plot first.

    Raises:
        ValueError: for an option with a value that it cannot have.
        FileNotFoundError: if stored tables are to be plotted and there are none.
        OSError: if the output folder cannot be written.
        StoreError: if the store cannot be used.
        RunsFailedError: if some runs failed; the others are stored.
        MissingLibraryError: (an ImportError) before any run, if Matplotlib is missing.
    """
    config.check()
    optional_import("matplotlib.figure", purpose="the plot of an experiment")
    console = Console()
    began = time.perf_counter()
    paths = run_experiment(experiment, config, console)
    if paths:
        print_paths(console, began, paths)
    if paths and config.failures:
        check_failures(read_csv(config.output / "results" / f"{config.failures}.csv"))
    return paths


def check_failures(failures: Table) -> None:
    """Check that no run failed.

    Args:
        failures: columns agent, environment, run and error.

    Raises:
        RunsFailedError: if some did; names the first one.
    """
    count = len(failures["run"])
    if count:
        agent, env, number, error = (
            failures[name].tolist()[0] for name in ("agent", "environment", "run", "error")
        )
        raise RunsFailedError(
            f"{count} runs failed, the first one is run {number} of {agent!r} in {env}: {error}; "
            "--retry-failed runs them again",
            [],
        )


def run_experiment(
    experiment: Any, config: ExperimentConfig, console: Console, runner: Runner | None = None
) -> list[Path]:
    """Run an experiment with a live view, store its tables and plot, and print its summary.

    Args:
        experiment: the module.
        config: its settings, which were checked.
        console: prints.
        runner: may serve several experiments; by default that of `open_runner`.

    Returns:
        The files, the plot first; none after a dry run.

    Raises:
        Exception: those of `run_module`.
    """
    folder = config.output / "results"
    with ExitStack() as stack:
        if config.plot_only:
            tables = read_tables(folder, config.name, config.old_names)
            with _readable(config):
                config = replace(config, runs=stored_runs(tables[config.name]))
        else:
            runner = runner or stack.enter_context(open_runner(config, console))
            try:
                tables = experiment.run(config, runner)
            except DryRunEnd as end:
                console.print(end.plan.line(), highlight=False, markup=False, soft_wrap=True)
                return []
            if config.dry_run:
                console.print(f"{config.name}: all runs are stored", highlight=False)
                return []
        with _readable(config):
            picture = figure_content(styled(experiment.plot, tables, config))
            lines = experiment.summary(tables, config)
        sections = lines if isinstance(lines, dict) else {config.title: lines}
        derived = {folder / f"{config.name}.png": picture}
        if config.plot_only:
            write_atomically(folder / f"{config.name}.png", picture)
            paths = [*derived, *(folder / f"{name}.csv" for name in tables)]
        else:
            page = folder / f"{config.name}.html"
            if runner is not None and runner.end_sweeps(
                tables,
                title=config.title,
                sections=sections,
                caption=config.caption,
                pictures=[picture],
            ):
                derived[page] = report_html(stored_report(runner.store, config.name)).encode()
            csvs = {folder / f"{name}.csv": csv_content(table) for name, table in tables.items()}
            folder.mkdir(parents=True, exist_ok=True)
            main, *others = csvs.items()
            write_together(main, [*others, *derived.items()], [page])
            paths = [*list(derived)[:1], *csvs, *list(derived)[1:]]
    for name, section in sections.items():
        console.print(SummaryGrid(name, section))
    console.print(config.caption, style="italic")
    return paths


@contextmanager
def _readable(config: ExperimentConfig) -> Iterator[None]:
    """Let an error of stored tables name them, and what to do.

    Raises:
        TableError: if stored tables cannot be shown; tables that were just made raise their own.
    """
    try:
        yield
    except Exception as error:  # a foreign table raises many types of errors
        if not config.plot_only:
            raise
        reason = f"no column {error}" if isinstance(error, KeyError) else error
        raise TableError(
            f"{config.output / 'results' / config.name}*.csv are no tables of {config.name} "
            f"({reason}); run the experiment again without --plot-only"
        ) from error


@contextmanager
def open_runner(config: ExperimentConfig, console: Console) -> Iterator[Runner]:
    """Open the store of a command and the runner that its options describe.

    Args:
        config: its options.
        console: shows the progress.

    Yields:
        The runner.

    Raises:
        StoreError: if the store cannot be used.
    """
    workers = config.workers or available_cores()
    path = config.store or config.output / "results" / "runs.sqlite"
    # A dry run leaves no file behind.
    with (
        Store(None if config.dry_run and not path.exists() else path) as store,
        Runner(
            executor=None if config.dry_run else config.make_executor(workers),
            workers=workers,
            store=store,
            view=open_view(console),
            run_limit=config.run_limit,
            retry_failed=config.retry_failed,
            dry_run=config.dry_run,
        ) as runner,
    ):
        yield runner


def read_tables(folder: Path, name: str, old_names: Mapping[str, str] | None = None) -> Tables:
    """Read the tables of an experiment: `name`.csv and those whose names begin with `name`_.

    Args:
        folder: the folder of the tables.
        name: the experiment's name.
        old_names: names in tables of version 0.1 -> today's (`ExperimentConfig.old_names`).

    Raises:
        FileNotFoundError: if there are none.
    """
    names = old_names or {}
    stems = [name, *(old for old, new in names.items() if new == name)]
    found = [stem for stem in stems if (folder / f"{stem}.csv").exists()]
    if not found:
        raise FileNotFoundError(
            f"{folder / name}.csv: no such table; run the experiment without --plot-only"
        )
    paths = [folder / f"{found[0]}.csv", *sorted(folder.glob(f"{found[0]}_*.csv"))]
    return {
        name + path.stem.removeprefix(found[0]): rename_entries(read_csv(path), names)
        for path in paths
    }


def stored_runs(table: Table) -> int:
    """Return the number of runs of a stored table: its rows tell it, or which run they are of."""
    return int(table["runs"].max()) if "runs" in table else len(np.unique(table["run"]))


def print_paths(console: Console, began: float, paths: Sequence[Path]) -> None:
    """Print the elapsed time since `began` and the files."""
    console.print(f"{time.perf_counter() - began:.1f} s; tables and plots:")
    for path in paths:
        console.print(f"  {path.resolve()}", soft_wrap=True, highlight=False)


def figure_content(figure: Figure, kind: str = "png", dpi: int = 150) -> bytes:
    """Return the content of a figure's file, which is equal for equal figures.

    Args:
        figure: the figure.
        kind: "png", "svg", "pdf" or another format of Matplotlib.
        dpi: pixels per inch.

    Raises:
        ValueError: for an unknown format.
    """
    from matplotlib import rc_context

    content = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with rc_context({"svg.hashsalt": "dynamaze"}):  # else the ids are random
        figure.savefig(content, format=kind, dpi=dpi, metadata=dates.get(kind))
    return content.getvalue()


def interval_caption(runs: int, kind: str = "mean", others: str = "") -> str:
    """Return the caption of a summary of means, with a warning where the runs are few.

    Args:
        runs: their number.
        kind: of its intervals (`intervals.FEW_RUNS_BY_KIND`) that which needs most runs.
        others: the intervals that are not Student's.
    """
    caption = f"mean of {runs} runs, Student's 95% interval"
    if others:
        caption += f"; {others}"
    if few_runs(kind, runs):
        caption += f"; {FEW_RUNS_NOTE}"
    return caption
