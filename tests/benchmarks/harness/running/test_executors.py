"""Runs on worker processes, threads, and an executor that loses, delays and reorders jobs."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.harness.running import scheduler
from dynamaze.benchmarks.harness.running.executors import WorkerProcesses
from dynamaze.benchmarks.harness.running.runner import Runner, RunsFailedError
from dynamaze.benchmarks.harness.store.database import Store
from dynamaze.common.compiling import UNSTORED

from .. import toy_sweeps as toy
from ..toy_sweeps import EXPECTED, ToyConfig, begun, values


@pytest.fixture
def config(tmp_path: Path) -> ToyConfig:
    marks = tmp_path / "marks"
    marks.mkdir()
    return ToyConfig(marks=marks)


@pytest.fixture(scope="module")
def processes() -> Iterator[WorkerProcesses]:
    with WorkerProcesses(2) as executor:
        yield executor


@pytest.fixture
def runner(processes: WorkerProcesses) -> Runner:
    return Runner(executor=processes, workers=2)


def test_worker_leaves_cache_warning_to_driver(
    processes: WorkerProcesses, capfd: pytest.CaptureFixture[str]
) -> None:
    for message in (UNSTORED, "another warning"):
        processes.submit(partial(warnings.warn, message, RuntimeWarning)).result()
    shown = capfd.readouterr().err
    assert "another warning" in shown
    assert UNSTORED not in shown


class UnreliableExecutor(Executor):
    """Threads that answer late and in another order, and lose jobs.

    Args:
        lose: called with the number of a job; returns the error by which it is lost, or None.
            After a `BrokenExecutor` all jobs in flight are lost, and no new ones are taken.
    """

    def __init__(self, lose: Callable[[int], Exception | None]) -> None:
        self._lose = lose
        self._lock = threading.Lock()
        self._jobs: list[Future[Any]] = []
        self._count = 0
        self._broken: Exception | None = None

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._broken is not None:
                raise self._broken
            number, self._count = self._count, self._count + 1
            self._jobs.append(future)
        job = partial(self._work, future, number, partial(function, *args, **kwargs))
        threading.Thread(target=job).start()
        return future

    def _work(self, future: Future[Any], number: int, job: Callable[[], Any]) -> None:
        time.sleep(0.02 * (3 - number % 4) if number else 0)
        error, result = self._lose(number), None
        if error is None:
            try:
                result = job()
            except Exception as raised:
                error = raised
        with self._lock:
            if isinstance(error, BrokenExecutor):
                self._broken = error
                for each in self._jobs:
                    if not each.done():
                        each.set_exception(error)
            elif not future.done():
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)


def nothing_lost(number: int) -> None:
    return None


# -- worker processes --------------------------------------------------------------------------


def test_processes_give_same_tables(runner: Runner, config: ToyConfig) -> None:
    results = runner.run(toy.trial, config)
    assert values(results) == EXPECTED
    assert results[0][0]["worker"][0] != os.getpid()


def test_processes_run_closures_one_thread_each(runner: Runner, config: ToyConfig) -> None:
    factor_of = {1: 5}

    def closure(config: ToyConfig, factor: int, number: int) -> dict[str, np.ndarray[Any, Any]]:
        return {**toy.trial_threads(config, factor, number), "value": np.full(3, factor_of[1])}

    ((table,),) = runner.run(closure, ToyConfig(runs=1, factors=(1,)))
    assert table["threads"].tolist() == [1, 1, 1]
    assert table["value"].tolist() == [5, 5, 5]


def test_processes_report_raising_run(runner: Runner, config: ToyConfig) -> None:
    with pytest.raises(RunsFailedError, match="run 2 of 'factor 10': ValueError: run 2 cannot"):
        runner.run(toy.trial_failing, config)


def test_killed_worker_is_replaced(runner: Runner, config: ToyConfig) -> None:
    assert values(runner.run(toy.trial_killed_once, config)) == EXPECTED
    assert begun(config)["1_1"] == begun(config)["10_1"] == 2


def test_poison_run_fails_alone(runner: Runner, config: ToyConfig) -> None:
    results = runner.run(toy.trial_poison, config, failures="keep")
    errors = [
        (each.group.label, failure.number, failure.attempts, failure.error)
        for each in runner.store.groups()
        for failure in runner.store.failures(each.id)
    ]
    error = "WorkerDiedError: the worker process died (SIGKILL); 3 attempts"
    assert errors == [("factor 1", 1, 3, error)]
    assert begun(config)["1_1"] == 3
    assert values(results) == [[0, None, 2, 3], EXPECTED[1]]


def test_hanging_run_is_stopped(processes: WorkerProcesses, config: ToyConfig) -> None:
    runner = Runner(executor=processes, workers=2, run_limit=0.2)
    results = runner.run(toy.trial_sleeping, config, failures="keep")
    assert values(results) == [[0, None, 2, 3], [0, None, 20, 30]]
    (group, *_) = runner.store.groups()
    ((_, error, _, _),) = runner.store.failures(group.id)
    assert error.endswith("TimeoutError: the run took longer than run_limit=0.2 s")
    assert begun(config)["1_1"] == 1


def test_deaf_run_is_killed(processes: WorkerProcesses, config: ToyConfig) -> None:
    runner = Runner(executor=processes, workers=2, run_limit=0.5)
    one = ToyConfig(runs=2, factors=(1,), marks=config.marks)
    with pytest.raises(RunsFailedError, match="did not return to the interpreter"):
        runner.run(toy.trial_deaf, one)
    assert begun(config)["1_1"] == 1


def test_unanswered_job_is_killed(
    processes: WorkerProcesses, config: ToyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's own limit, behind those of the worker."""
    monkeypatch.setattr(scheduler, "LATE_SECONDS", -0.5)
    runner = Runner(executor=processes, workers=2, run_limit=1.0)
    one = ToyConfig(runs=2, factors=(1,), marks=config.marks)
    results = runner.run(toy.trial_deaf, one, failures="keep")
    assert values(results) == [[0, None]]


def test_trial_must_be_picklable(runner: Runner, config: ToyConfig) -> None:
    lock = threading.Lock()

    def locked(config: ToyConfig, factor: int, number: int) -> Any:
        with lock:
            return toy.trial(config, factor, number)

    with pytest.raises(TypeError, match=r"locked and its arguments cannot be sent.*workers=1"):
        runner.run(locked, config)


def test_processes_end_with_runner(config: ToyConfig) -> None:
    with Runner(workers=2) as runner:
        results = runner.run(toy.trial, config)
    for pid in {int(table["worker"][0]) for tables in results for table in tables}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


# -- other executors ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", [ThreadPoolExecutor, lambda: UnreliableExecutor(nothing_lost)])
def test_other_executors_give_same_tables(make: Callable[[], Executor], config: ToyConfig) -> None:
    with Runner(executor=make, workers=2) as runner:
        assert values(runner.run(toy.trial, config)) == EXPECTED


def test_lost_jobs_run_again(config: ToyConfig) -> None:
    def lose(number: int) -> Exception | None:
        return ConnectionError("a worker is gone") if number % 3 == 1 else None

    runner = Runner(executor=UnreliableExecutor(lose), workers=3)
    assert values(runner.run(toy.trial, config)) == EXPECTED


@pytest.mark.parametrize("lost", [1, 3])
def test_broken_executor_is_made_again(lost: int, config: ToyConfig) -> None:
    """Also where the first job after the answer breaks it."""
    made: list[Executor] = []

    def make() -> Executor:
        broken = BrokenExecutor("a worker died")
        first = not made
        made.append(UnreliableExecutor(lambda job: broken if first and job == lost else None))
        return made[-1]

    assert values(Runner(executor=make, workers=2).run(toy.trial, config)) == EXPECTED
    assert len(made) == 2


def test_broken_executor_of_caller_ends_sweep(config: ToyConfig, tmp_path: Path) -> None:
    broken = BrokenExecutor("a worker died")
    executor = UnreliableExecutor(lambda job: broken if job == 4 else None)
    with Store(tmp_path / "runs.sqlite") as store:
        runner = Runner(executor=executor, workers=2, store=store)
        with pytest.raises(RuntimeError, match=r"UnreliableExecutor is broken .*what was stored"):
            runner.run(toy.trial, config)
        assert 1 <= sum(each.done for each in store.groups()) <= 7
        assert values(Runner(store=store).run(toy.trial, config)) == EXPECTED


def test_run_that_breaks_pool_fails_alone(config: ToyConfig) -> None:
    """In a pool that breaks as a whole the poison is found by running the suspects one by one."""
    made = []

    def make() -> Executor:
        made.append(ProcessPoolExecutor(2, mp_context=get_context("spawn")))
        return made[-1]

    small = ToyConfig(runs=3, factors=(1,), marks=config.marks)
    with Runner(executor=make) as runner:
        results = runner.run(toy.trial_poison, small, failures="keep")
    assert values(results) == [[0, None, 2]]
    assert 3 <= begun(config)["1_1"] <= 4
    assert 4 <= len(made) <= 5


def test_silent_executor_is_refused(config: ToyConfig) -> None:
    class Silent(Executor):
        def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
            return Future()

    runner = Runner(executor=Silent(), workers=2, answer_limit=0.05)
    with pytest.raises(RuntimeError, match=r"Silent did not answer within 0\.05 s"):
        runner.run(toy.trial, config)


def test_useless_executor_is_refused(config: ToyConfig) -> None:
    executor = UnreliableExecutor(lambda job: ImportError("no module dynamaze"))
    runner = Runner(executor=executor, workers=2)
    with pytest.raises(RuntimeError, match=r"cannot run jobs: ImportError: no module dynamaze; "):
        runner.run(toy.trial, config)


def test_executor_that_takes_no_jobs_is_refused(config: ToyConfig, tmp_path: Path) -> None:
    """Here after three jobs, as when its owner shuts it down."""

    class Closing(UnreliableExecutor):
        def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if len(taken) == 3:
                raise KeyError("closed")
            taken.append(function)
            return super().submit(function, *args, **kwargs)

    taken: list[Any] = []
    with Store(tmp_path / "runs.sqlite") as store:
        with pytest.raises(RuntimeError, match=r"^Closing takes no jobs: KeyError: 'closed'; what"):
            Runner(executor=Closing(nothing_lost), workers=1, store=store).run(toy.trial, config)
        assert values(Runner(store=store).run(toy.trial, config)) == EXPECTED


def test_executor_must_be_one(config: ToyConfig) -> None:
    with pytest.raises(TypeError, match=r"^executor=5; expected a concurrent"):
        Runner(executor=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"returned 5; expected a concurrent"):
        Runner(executor=lambda: 5).run(toy.trial, config)  # type: ignore[arg-type,return-value]
    with pytest.raises(RuntimeError, match=r"^no executor could be made: ValueError: no cluster;"):
        Runner(executor=no_cluster).run(toy.trial, config)


def no_cluster() -> Executor:
    raise ValueError("no cluster")


def test_executor_without_trial_is_refused(config: ToyConfig) -> None:
    """A worker that cannot load the trial is no failure of a run."""

    class Elsewhere(UnreliableExecutor):
        def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if args:
                args = (b"no pickle", *args[1:])
            return super().submit(function, *args, **kwargs)

    runner = Runner(executor=Elsewhere(nothing_lost), workers=2)
    with pytest.raises(RuntimeError, match=r"a worker cannot load the trial: UnpicklingError"):
        runner.run(toy.trial, config)
    assert not any(each.failed for each in runner.store.groups())


def test_dask_cluster_runs_sweep(config: ToyConfig) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        runner = Runner(executor=client.get_executor(), workers=2)
        results = runner.run(toy.trial_poison, config, failures="keep")
    assert values(results) == [[0, None, 2, 3], EXPECTED[1]]
