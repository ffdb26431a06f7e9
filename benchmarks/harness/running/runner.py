"""Runner of experiments: independent runs on any executor, stored as they finish.

An experiment has settings, each with a number of runs; a run is a call of a function,
`trial(config, *setting.arguments, number) -> Table`. A run depends on its arguments alone, so that
the results are the same whatever executes it, and in whatever order; and its key in the store is a
digest of them, so that a sweep that was stopped goes on, and an added setting or a larger number of
runs runs only what is missing.
"""

from __future__ import annotations

import math
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from itertools import groupby
from statistics import fmean, median_low
from types import TracebackType
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self, overload

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running.executors import (
    ExecutorHolder,
    MakeExecutor,
    most_workers,
)
from dynamaze.benchmarks.harness.running.live_view import (
    NoView,
    SettingProgress,
    SweepProgress,
    View,
)
from dynamaze.benchmarks.harness.running.run_tables import RunTables
from dynamaze.benchmarks.harness.running.scheduler import Finished, Run, Scheduler
from dynamaze.benchmarks.harness.running.workers import Trial
from dynamaze.benchmarks.harness.store.database import Failure, Group, Store, StoreError
from dynamaze.benchmarks.harness.store.fingerprint import (
    code_digest,
    describe_configuration,
    describe_options,
)
from dynamaze.common.compiling import compilation
from dynamaze.common.progress import format_seconds
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

POLL_SECONDS = 1.0
"""Seconds between two looks at the runs that another process has claimed."""

ANSWER_LIMIT = 600.0


class Setting(NamedTuple):
    """Runs that differ by their number, and so by their seed, alone."""

    arguments: tuple[Any, ...]
    """Arguments of the trial after the configuration: numbers, text and dataclasses."""
    runs: int
    """Number of runs; their numbers are 0, 1, ..., runs - 1."""
    label: str = ""
    """Name of the setting while it runs and in reports; by default its arguments."""
    environment: str = ""
    """Id of the environment, for reports."""

    @property
    def name(self) -> str:
        """The label, or else the arguments."""
        return self.label or ", ".join(map(str, self.arguments)) or "runs"


class Sweep(Protocol):
    """Configuration of a sweep, a frozen dataclass (`ExperimentConfig`)."""

    name: ClassVar[str]

    @property
    def settings(self) -> Sequence[Setting]:
        """Settings that are run."""


class RunsFailedError(RuntimeError):
    """Some runs failed; the others are stored."""

    def __init__(self, message: str, failures: Sequence[tuple[Setting, Failure]]) -> None:
        super().__init__(message)
        self.failures = failures
        """Settings and failed runs."""


class Plan(NamedTuple):
    """Runs that a sweep would make."""

    name: str
    stored: int
    failed: int
    missing: int
    seconds: float | None
    """Expected duration; None if it is unknown."""
    workers: int

    def line(self) -> str:
        """Return it in one line."""
        failed = f", {self.failed} failed" if self.failed else ""
        text = f"{self.name}: {self.stored} runs are stored{failed}, {self.missing} are missing"
        if not self.missing:
            return text
        unknown = "their duration is unknown"
        took = unknown if self.seconds is None else f"about {format_seconds(self.seconds)}"
        return f"{text}; {took} with {self.workers} worker{'s' if self.workers > 1 else ''}"


class DryRunEnd(Exception):  # noqa: N818  # no error
    """A dry run has come to runs that are missing."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.line())
        self.plan = plan


class Runner:
    """Runner of the runs of experiments; a context manager. It may serve several experiments.

    Args:
        executor: any `concurrent.futures.Executor`, which stays open, or a function that makes one,
            which is called again when it breaks. By default worker processes.
        workers: without an executor, 1 (and None) runs everything in this process, more are
            processes. With one, the number of its workers; None asks it, or else counts the cores.
        store: results; by default in memory.
        view: shows progress; by default nothing.
        run_limit: seconds after which a run is stopped, which then counts as failed. In a thread
            a run cannot be stopped.
        retry_failed: run again what failed in an earlier sweep.
        dry_run: run nothing; `run` raises `DryRunEnd` where runs are missing.
        answer_limit: seconds within which an executor has to answer for the first time.

    Attributes:
        failures: failed runs of each setting of the last call of `run`.
        seconds: number of a run -> its duration, of each setting of the last call.
        group_ids: groups in the store of the settings of the last call.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self,
        *,
        executor: Executor | MakeExecutor | None = None,
        workers: int | None = None,
        store: Store | None = None,
        view: View | None = None,
        run_limit: float | None = None,
        retry_failed: bool = False,
        dry_run: bool = False,
        answer_limit: float = ANSWER_LIMIT,
    ) -> None:
        if workers is not None:
            most = most_workers() if executor is None else math.inf
            checked_integer("workers", workers, 1, most)
        if run_limit is not None:
            checked_number("run_limit", run_limit, 0, above=True)
        self._holder = ExecutorHolder(executor, workers, answer_limit)
        self.store = Store() if store is None else store
        self._close_store: Callable[[], Any] | None = None
        if store is None:
            self._close_store = weakref.finalize(self, self.store.close)
        self.view: View = NoView() if view is None else view
        self.run_limit = run_limit
        self.retry_failed = retry_failed
        self.dry_run = dry_run
        self._sweep_ids: list[int] = []
        self.failures: list[list[Failure]] = []
        self.seconds: list[dict[int, float]] = []
        self.group_ids: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(at_once=error is not None)

    def close(self, *, at_once: bool = False) -> None:
        """End the worker processes, with `at_once` also those that are at work."""
        self._holder.close(at_once=at_once)
        if self._close_store is not None:
            self._close_store()

    @overload
    def run(
        self, trial: Trial, config: Sweep, *, failures: Literal["raise"] = "raise"
    ) -> list[Sequence[Table]]: ...

    @overload
    def run(
        self, trial: Trial, config: Sweep, *, failures: Literal["keep"]
    ) -> list[Sequence[Table | None]]: ...

    def run(self, trial: Trial, config: Sweep, *, failures: str = "raise") -> Any:
        """Run what is missing of an experiment, and return the tables of all its runs.

        Args:
            trial: a run.
            config: its settings tell what is run.
            failures: "raise" an error after the last run if some failed, or "keep" None in the
                place of their tables.

        Returns:
            For each of `config.settings` the tables of its runs, in the order of their numbers
            (`RunTables`; `column` stacks one column of them).

        Raises:
            RunsFailedError: if runs failed, now or in an earlier sweep.
            RuntimeError: if the executor does not answer, or cannot be replaced.
            StoreError: if the store cannot be written.
            DryRunEnd: with `dry_run`, if runs are missing.
        """
        checked_choice("failures", failures, ("raise", "keep"))
        sweep = _Sweep(self.store, trial, config, self.retry_failed)
        self.group_ids = sweep.group_ids
        if self.dry_run:
            plan = sweep.plan(self._holder.workers)
            if plan.missing:
                raise DryRunEnd(plan)
        elif self.store.path is not None:
            self._sweep_ids.append(
                self.store.begin_sweep(config.name, describe_options(config), sweep.group_ids)
            )
        self._complete(sweep)
        try:
            tables = sweep.tables()
        except StoreError:
            if not sweep.drop_damaged():
                raise
            self._complete(sweep)
            tables = sweep.tables()
        self.failures, self.seconds = sweep.failures(), sweep.seconds()
        if failures == "raise":
            sweep.check_failures()
        return tables

    def plan(self, trial: Trial, config: Sweep) -> Plan:
        """Return what `run` would run, and about how long it would take."""
        return _Sweep(self.store, trial, config, self.retry_failed).plan(self._holder.workers)

    def end_sweeps(self, tables: Mapping[str, Table], **report: Any) -> bool:
        """Record the end of the sweeps since the last call, and tell whether there were any.

        Args:
            tables: the experiment's result.
            report: arguments of `Store.end_sweep`: title, sections, caption, pictures.
        """
        for sweep_id in self._sweep_ids:
            self.store.end_sweep(sweep_id, dict(tables), **report)
        had_any = bool(self._sweep_ids)
        self._sweep_ids.clear()
        return had_any

    def _complete(self, sweep: _Sweep) -> None:
        """Run what is missing."""
        pending = sweep.missing()
        if not pending:
            return
        scheduler = Scheduler(
            self._holder,
            sweep.trial,
            sweep.config,
            [setting.arguments for setting in sweep.settings],
            self.run_limit,
        )
        sweep.progress.workers = self._holder.workers
        with sweep.claims(), _shown(self.view, sweep.progress):
            while pending:
                for finished in scheduler.results(pending, sweep.claim):
                    sweep.record(finished)
                    self.view.update(sweep.progress)
                pending = sweep.held_elsewhere()
                if pending:
                    self.view.update(sweep.progress)
                    time.sleep(POLL_SECONDS)


class _Sweep:
    """Runs of an experiment in a store."""

    def __init__(self, store: Store, trial: Trial, config: Sweep, retry_failed: bool) -> None:
        self.store, self.trial, self.config = store, trial, config
        self.settings = list(config.settings)
        self.group_ids = [
            store.open_group(
                Group(
                    config.name,
                    setting.name,
                    setting.environment,
                    describe_configuration(config, setting.arguments),
                    code_digest(trial, *setting.arguments),
                )
            )
            for setting in self.settings
        ]
        if retry_failed:
            for group_id in set(self.group_ids):
                store.forget_failed(group_id)
        self.progress = SweepProgress(config.name, [])
        self._claimed: set[Run] = set()
        self._elsewhere: set[Run] = set()
        self._count()

    def _count(self) -> None:
        """Read the states of all runs."""
        states = {group_id: self.store.states(group_id) for group_id in set(self.group_ids)}
        self.progress.settings = []
        self._missing: list[Run] = []
        seen: set[tuple[int, int]] = set()
        for index, (setting, group_id) in enumerate(
            zip(self.settings, self.group_ids, strict=True)
        ):
            known = states[group_id]
            found = [known.get(number) for number in range(setting.runs)]
            failed = found.count("failed")
            done = found.count("done")
            for number, state in enumerate(found):
                if state is not None:
                    continue
                if (group_id, number) in seen:  # two settings are equal
                    done += 1
                else:
                    seen.add((group_id, number))
                    self._missing.append(Run(index, number))
            self.progress.settings.append(SettingProgress(setting.name, setting.runs, done, failed))

    def missing(self) -> list[Run]:
        """Return the runs that are not stored: the first of each setting, then the rest in order.

        So the workers begin with different settings, and do not compile the same code twice.
        """
        first = {run.setting: run for run in reversed(self._missing)}
        return sorted(self._missing, key=lambda run: run is not first[run.setting])

    def plan(self, workers: int) -> Plan:
        """Return what would be run."""
        total = self.progress.total
        # The median, as the first run of a worker includes compilation.
        known = {
            each.id: median_low(self.store.seconds(each.id).values())
            for each in self.store.groups(self.config.name)
            if each.done
        }
        typical = fmean(known.values()) if known else getattr(self.config, "seconds_per_run", None)
        seconds = None
        if typical is not None:
            work = sum(known.get(self.group_ids[run.setting], typical) for run in self._missing)
            seconds = work / max(min(workers, len(self._missing)), 1)
        return Plan(
            self.config.name, total.done, total.failed, len(self._missing), seconds, workers
        )

    # -- while it runs

    @contextmanager
    def claims(self) -> Iterator[None]:
        """Give back the claims on runs that did not end."""
        try:
            yield
        finally:
            for group_id, runs in self._by_group(sorted(self._claimed)):
                self.store.release(group_id, [run.number for run in runs])
            self._claimed.clear()
            self.progress.running = 0

    def claim(self, runs: Iterable[Run]) -> list[Run]:
        """Return the runs that no other process runs or has run."""
        granted: list[Run] = []
        for group_id, members in self._by_group(runs):
            numbers = set(self.store.claim(group_id, [run.number for run in members]))
            granted += [run for run in members if run.number in numbers]
            self._elsewhere.update(run for run in members if run.number not in numbers)
        self._claimed.update(granted)
        self._elsewhere.difference_update(granted)
        self.progress.elsewhere = len(self._elsewhere)
        self.progress.running = len(self._claimed)
        return granted

    def record(self, finished: Finished) -> None:
        """Store the records of runs."""
        for group_id, members in self._by_group(finished, lambda pair: pair[0]):
            self.store.record(group_id, [record for _, record in members])
        for setting, pairs in groupby(finished, key=lambda pair: pair[0].setting):
            self.progress.settings[setting].add([record.seconds for _, record in pairs])
        for run, record in finished:
            self._ended(run, "failed" if record.table is None else "done")
        self.progress.running = len(self._claimed)

    def held_elsewhere(self) -> list[Run]:
        """Return the runs that another process still has, and count those that it has ended."""
        states = {
            setting: self.store.states(self.group_ids[setting])
            for setting in {run.setting for run in self._elsewhere}
        }
        for run in list(self._elsewhere):
            state = states[run.setting].get(run.number)
            if state is not None:
                self._ended(run, state)
        self.progress.elsewhere = len(self._elsewhere)
        return sorted(self._elsewhere)

    def _ended(self, run: Run, state: str) -> None:
        self._claimed.discard(run)
        self._elsewhere.discard(run)
        progress = self.progress.settings[run.setting]
        if state == "done":
            progress.done += 1
        else:
            progress.failed += 1

    def _by_group(
        self, items: Iterable[Any], run_of: Any = lambda item: item
    ) -> Iterator[tuple[int, list[Any]]]:
        for setting, members in groupby(items, key=lambda item: run_of(item).setting):
            yield self.group_ids[setting], list(members)

    # -- results

    def tables(self) -> list[RunTables]:
        """Return the tables of all runs; None for those that failed."""
        results = []
        for setting, group_id in zip(self.settings, self.group_ids, strict=True):
            chunks = self.store.chunks(group_id, range(setting.runs))
            stacks = ((chunk.numbers, chunk.columns) for chunk in chunks)
            results.append(RunTables(setting.runs, stacks))
        return results

    def failures(self) -> list[list[Failure]]:
        """Return the failed runs of each setting."""
        return [
            [each for each in self.store.failures(group_id) if each.number < setting.runs]
            for setting, group_id in zip(self.settings, self.group_ids, strict=True)
        ]

    def seconds(self) -> list[dict[int, float]]:
        """Return the durations of the runs of each setting by their numbers."""
        return [
            {
                number: took
                for number, took in self.store.seconds(group_id).items()
                if number < setting.runs
            }
            for setting, group_id in zip(self.settings, self.group_ids, strict=True)
        ]

    def drop_damaged(self) -> bool:
        """Remove damaged runs, so that they are run again, and tell whether there were any."""
        count = sum(len(self.store.drop_damaged(group_id)) for group_id in set(self.group_ids))
        if count:
            warnings.warn(
                f"{self.store.path}: {count} damaged runs of {self.config.name} are run again",
                RuntimeWarning,
                stacklevel=4,
            )
            self._count()
        return bool(count)

    def check_failures(self) -> None:
        """Raise an error if runs failed."""
        failed = [
            (setting, failure)
            for setting, failures in zip(self.settings, self.failures(), strict=True)
            for failure in failures
        ]
        if not failed:
            return
        setting, failure = failed[0]
        total = sum(setting.runs for setting in self.settings)
        reason = (failure.error.strip().splitlines() or ["unknown"])[-1]
        message = (
            f"{len(failed)} of {total} runs of {self.config.name} failed, first run "
            f"{failure.number} of {setting.name!r}: {reason}"
        )
        if self.store.path is not None:
            message += (
                f"; `dynamaze bench report --store {self.store.path}` lists them, --retry-failed "
                "runs them again"
            )
        error = RunsFailedError(message, failed)
        error.add_note(f"first failed run:\n{failure.error}")
        raise error


def column(tables: Sequence[Table], name: str) -> np.ndarray[Any, Any]:
    """Return (runs, rows) a column of the tables of several runs.

    Raises:
        ValueError: if a table has no such column, or another number of rows than the first one.
    """
    if isinstance(tables, RunTables):
        stacked = tables.column(name)
        if stacked is not None:
            return stacked
    arrays: list[np.ndarray[Any, Any]] = []
    for number, table in enumerate(tables):
        if name not in table:
            raise ValueError(f"run {number} has no column {name!r}; it has {', '.join(table)}")
        arrays.append(table[name])
        if arrays[-1].shape != arrays[0].shape:
            raise ValueError(
                f"column {name!r} of run {number} has shape {arrays[-1].shape}; expected "
                f"{arrays[0].shape} as of the first run"
            )
    return np.stack(arrays)


def run_seed(seed: int, number: int) -> np.random.SeedSequence:
    """Return the seed of a run: the same as `SeedSequence(seed).spawn(runs)[number]`."""
    return np.random.SeedSequence(seed, spawn_key=(number,))


def derive_seed(*numbers: int) -> int:
    """Return the seed of a run for a library that takes one number below 2^31."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


@contextmanager
def _shown(view: View, progress: SweepProgress) -> Iterator[None]:
    progress.began = time.monotonic()
    is_shown = not isinstance(view, NoView)
    with compilation.announced() if is_shown else nullcontext():
        view.begin(progress)
        try:
            yield
        finally:
            view.end(progress)
