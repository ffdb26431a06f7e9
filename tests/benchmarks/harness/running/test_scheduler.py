"""Order of the scheduler's jobs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from dynamaze.benchmarks.harness.running import scheduler as scheduler_module
from dynamaze.benchmarks.harness.running.executors import ExecutorHolder
from dynamaze.benchmarks.harness.running.scheduler import Run, Scheduler
from dynamaze.benchmarks.harness.store.database import RunRecord

from .. import toy_sweeps as toy

SLOW = 2
"""The setting whose first run the executor answers last."""


class LateExecutor(Executor):
    """Executor that answers the first run of setting `SLOW` only when nothing else is left."""

    def __init__(self) -> None:
        self.submitted: list[list[tuple[int, int]]] = []
        self.late: list[tuple[Future[Any], list[RunRecord]]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Keep the job in mind, and answer it."""
        answer: Future[Any] = Future()
        if not args:  # the question whether it answers
            answer.set_result(None)
            return answer
        parts = args[1]
        runs = [(part.arguments[0], number) for part in parts for number in part.numbers]
        self.submitted.append(runs)
        records = [RunRecord(number, None, "", 0.6) for _, number in runs]
        if runs == [(SLOW, 0)]:
            self.late.append((answer, records))
        else:
            answer.set_result(records)
        return answer


class OneJobEach(ExecutorHolder):
    """Holder whose workers have one job each."""

    most_jobs = 2  # type: ignore[assignment]


def test_first_runs_leave_others_measured_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "_pickled", lambda content, trial: content)
    executor = LateExecutor()
    scheduler = Scheduler(OneJobEach(executor, 2, 1.0), toy.trial, None, [(n,) for n in range(4)])
    runs = [Run(setting, number) for setting in range(4) for number in range(3)]
    for _ in scheduler.results(runs, list):
        if executor.late and len(executor.submitted) >= 9:
            answer, records = executor.late.pop()
            answer.set_result(records)
    jobs = [run for job in executor.submitted for run in job]
    assert sorted(jobs) == runs
    assert jobs[:2] == [(0, 0), (1, 0)]  # nothing is measured yet
    # While the slow first run is in flight, all six runs of the measured settings come before the
    # first run of the last setting.
    assert jobs.index((3, 0)) == 7
