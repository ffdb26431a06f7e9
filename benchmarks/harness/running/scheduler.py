"""Scheduling of runs on an executor: batches, lost jobs, and runs that kill their worker.

A job is a batch of runs that takes about a second, so that neither the executor's overhead nor a
stop costs much. A job is lost if its worker died, if the executor broke, or if it does not answer.
Its runs are then suspects, which run in jobs of their own. Where an executor breaks as a whole, so
that the fault of one job loses all others too, a suspect runs while nothing else does.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from itertools import groupby
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, NamedTuple

import cloudpickle

from dynamaze.benchmarks.harness.running.executors import ATTEMPTS, ExecutorHolder
from dynamaze.benchmarks.harness.running.workers import Part, Trial, UnloadableTaskError, run_batch
from dynamaze.benchmarks.harness.store.database import RunRecord

JOB_SECONDS = 1.0
"""Duration that a job of several runs should have."""

SHORTEST_SECONDS = 0.1
"""Duration of the last jobs, which are smaller so that all workers end at about the same time."""

LONGEST_BATCH = 2000
"""Runs of a batch, however short they are."""

LATE_SECONDS = 60.0
"""Seconds after the limits of its runs after which a job is lost."""

TICK_SECONDS = 0.25


class Run(NamedTuple):
    """A run: the index of its setting, and its number."""

    setting: int
    number: int


Finished = list[tuple[Run, RunRecord]]
"""Records of some runs."""


class _Job(NamedTuple):
    runs: Sequence[Run]
    executor: Executor
    submitted: float
    deadline: float
    is_alone: bool


class Scheduler:
    """Scheduler of the runs of a sweep.

    Args:
        holder: the executor.
        trial: a run.
        config: its first argument.
        arguments: for each setting the arguments that follow.
        run_limit: seconds after which a run is stopped.

    Raises:
        TypeError: if the trial cannot be sent to the workers.
    """

    def __init__(
        self,
        holder: ExecutorHolder,
        trial: Trial,
        config: Any,
        arguments: Sequence[tuple[Any, ...]],
        run_limit: float | None = None,
    ) -> None:
        self._holder = holder
        self._run_limit = run_limit
        self._task: Any = (trial, config)
        self._arguments: Sequence[Any] = arguments
        if not holder.shares_memory:
            self._task = _pickled(self._task, trial)
            self._arguments = [_pickled(each, trial) for each in arguments]
        self._first: deque[Run] = deque()  # a run of each setting that is not yet measured
        self._queue: deque[Run] = deque()
        self._suspects: deque[Run] = deque()
        self._attempts: Counter[Run] = Counter()
        self._breaks_as_a_whole = False
        self._has_answered = False
        self._seconds: dict[int, float] = {}  # setting -> duration of its runs, as last measured
        self._jobs: dict[Future[Any], _Job] = {}
        self._answers: SimpleQueue[Future[Any]] = SimpleQueue()

    def results(
        self, runs: Iterable[Run], claim: Callable[[list[Run]], list[Run]]
    ) -> Iterator[Finished]:
        """Run runs and yield their records as they come.

        Args:
            runs: in the order in which they begin, but for the first of each setting.
            claim: called with a batch before it is submitted; returns the runs to be run.

        Yields:
            The records of a job, or none after a short time without any.

        Raises:
            RuntimeError: if the executor does not answer, or cannot be replaced.
        """
        known = set(self._seconds)
        for run in runs:
            (self._queue if run.setting in known else self._first).append(run)
            known.add(run.setting)
        try:
            while self._fill(claim):
                yield self._next_answer()
        finally:
            for future in self._jobs:  # after an error or Ctrl-C
                self._holder.abandon(future)
            self._jobs.clear()
            self._first.clear()
            self._queue.clear()

    # -- jobs

    def _fill(self, claim: Callable[[list[Run]], list[Run]]) -> bool:
        """Submit jobs until the workers have enough, and tell whether any is in flight."""
        while len(self._jobs) < self._holder.most_jobs:
            if self._breaks_as_a_whole and self._jobs and self._alone_is_due():
                break
            if self._suspects:
                self._submit([self._suspects.popleft()], is_suspect=True)
            elif self._first or self._queue:
                batch = claim(self._next_batch())
                if batch:
                    self._submit(batch)
            else:
                break
        return bool(self._jobs)

    def _alone_is_due(self) -> bool:
        return bool(self._suspects) or any(job.is_alone for job in self._jobs.values())

    def _next_batch(self) -> list[Run]:
        """Take runs that take about a second together, or the first of a setting alone.

        While a first run is in flight, which may compile code that other settings use, too, the
        other workers have further runs of measured settings.
        """
        is_known = bool(self._queue) and self._queue[0].setting in self._seconds
        if self._first and not (is_known and self._is_measuring()):
            return [self._first.popleft()]
        share = math.ceil(len(self._queue) / self._holder.workers)
        batch: list[Run] = []
        expected = 0.0
        while self._queue and len(batch) < LONGEST_BATCH:
            seconds = self._seconds.get(self._queue[0].setting)
            if seconds is None:  # not yet measured
                if not batch:
                    batch.append(self._queue.popleft())
                break
            is_enough = len(batch) >= share and expected >= SHORTEST_SECONDS
            if batch and (is_enough or expected + seconds > JOB_SECONDS):
                break
            expected += seconds
            batch.append(self._queue.popleft())
        return batch

    def _is_measuring(self) -> bool:
        """Return whether a run of a setting is in flight whose duration is not known."""
        return any(
            run.setting not in self._seconds for job in self._jobs.values() for run in job.runs
        )

    def _submit(self, runs: Sequence[Run], *, is_suspect: bool = False) -> None:
        parts = [
            Part(self._arguments[setting], [run.number for run in members])
            for setting, members in groupby(runs, key=lambda run: run.setting)
        ]
        now = time.monotonic()
        deadline = math.inf
        if self._run_limit is not None:
            # A job may wait for the one before it.
            ahead = max((len(job.runs) for job in self._jobs.values()), default=0)
            deadline = now + self._run_limit * (len(runs) + ahead) + LATE_SECONDS
        executor, future = self._holder.submit(run_batch, self._task, parts, self._run_limit)
        is_alone = is_suspect and self._breaks_as_a_whole and not self._jobs
        self._jobs[future] = _Job(runs, executor, now, deadline, is_alone)
        future.add_done_callback(self._answers.put)

    def _next_answer(self) -> Finished:
        """Wait for an answer, for a short time."""
        try:
            future = self._answers.get(timeout=TICK_SECONDS)
        except Empty:
            return self._lose_late_jobs()
        job = self._jobs.pop(future, None)
        if job is None:  # it was given up before
            return []
        try:
            records: list[RunRecord] = future.result()
        except UnloadableTaskError as error:
            raise RuntimeError(f"{error}; what was stored stays") from error
        except (Exception, CancelledError) as error:
            return self._lose(job, error)
        self._has_answered = True
        finished = [
            (run, record._replace(attempts=1 + self._attempts[run]))
            for run, record in zip(job.runs, records, strict=True)
        ]
        for setting, members in groupby(finished, key=lambda pair: pair[0].setting):
            durations = [record.seconds for _, record in members]
            self._seconds[setting] = max(sum(durations) / len(durations), 1e-6)
        return finished

    # -- lost jobs

    def _lose_late_jobs(self) -> Finished:
        now = time.monotonic()
        late = [future for future, job in self._jobs.items() if now > job.deadline]
        finished: Finished = []
        for future in late:
            job = self._jobs.pop(future)
            self._holder.abandon(future)
            error = TimeoutError(f"no answer after {now - job.submitted:.0f} s")
            finished += self._lose(job, error)
        return finished

    def _lose(self, job: _Job, error: BaseException) -> Finished:
        """Let the runs of a lost job run again, or return the record of one that cannot be run."""
        broke = isinstance(error, BrokenExecutor)
        if broke:
            self._breaks_as_a_whole = True
            if job.executor is self._holder.executor:
                self._holder.renew(error)
        if not self._has_answered:
            self._holder.check_answer()
            self._has_answered = True
        if len(job.runs) > 1 or (broke and not job.is_alone):
            if not broke:  # one of them is at fault
                self._attempts.update(job.runs)
            self._suspects.extend(job.runs)
            return []
        (run,) = job.runs
        self._attempts[run] += 1
        seconds = time.monotonic() - job.submitted
        is_late = self._run_limit is not None and seconds >= self._run_limit
        if self._attempts[run] < ATTEMPTS and not is_late:
            self._suspects.append(run)
            return []
        if is_late:
            text = (
                f"TimeoutError: the run took longer than run_limit={self._run_limit:g} s, and did "
                f"not return to the interpreter ({error})"
            )
        else:
            reason = "the worker process died" if broke else str(error) or type(error).__name__
            text = f"{type(error).__name__}: {reason}; {self._attempts[run]} attempts"
        record = RunRecord(run.number, None, text, seconds, self._attempts[run])
        return [(run, record)]


def send_by_value(module: ModuleType) -> None:
    """Send functions and classes of a module with the runs, as processes cannot import it."""
    cloudpickle.register_pickle_by_value(module)


def _pickled(content: Any, trial: Trial) -> bytes:
    try:
        result: bytes = cloudpickle.dumps(content)
    except Exception as error:
        name = getattr(trial, "__qualname__", repr(trial))
        raise TypeError(
            f"{name} and its arguments cannot be sent to other processes "
            f"({type(error).__name__}: {error}); run them in this process, with workers=1"
        ) from error
    return result
