"""Executors of the runner: this process, worker processes, and those that a caller brings.

Any `concurrent.futures.Executor` will do. Ours has one pool for each worker process, so that the
death of a worker concerns its own job alone, and is known to be the fault of that job.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from dynamaze.benchmarks.harness.running.one_thread import ONE_THREAD, environment
from dynamaze.benchmarks.harness.running.workers import ENDING_SIGNALS, answer, start_worker
from dynamaze.common.compiling import compilation

MakeExecutor = Callable[[], Executor]

ATTEMPTS = 3
"""Times that a job is tried whose worker dies."""

WORKERS_PER_CORE, LEAST_LIMIT = 4, 16
"""Limit of the number of worker processes: more gain nothing, and exhaust the memory."""

JOBS_PER_WORKER = 2
"""Jobs in flight for each worker of another executor."""


class WorkerDiedError(RuntimeError):
    """A worker process died while it ran a job."""


class ThisProcess(Executor):
    """Executor that runs each job at once, in the calling thread."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a job and return its completed future; Ctrl-C is raised here."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class WorkerProcesses(Executor):
    """Worker processes with one thread each; one that dies is replaced.

    They are spawned, not forked: a forked process would share the locks of torch's threads. They do
    not import the driver's `__main__`, so that scripts need no `if __name__ == "__main__"`.

    Args:
        workers: processes; each is started with its first job.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pools: list[ProcessPoolExecutor | None] = [None] * workers
        self._processes: list[Any] = [None] * workers
        self._jobs = [0] * workers
        self._places: dict[Future[Any], int] = {}
        self._notice: Connection | None = None
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a job to the worker that has the fewest.

        Returns:
            The future result; its exception is `WorkerDiedError` if the worker died.
        """
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()
        with self._lock:
            place = min(range(self.workers), key=self._jobs.__getitem__)
            self._jobs[place] += 1
            self._places[outer] = place
        try:
            inner = self._submit_to(place, partial(function, *args, **kwargs))
        except BrokenExecutor:  # the worker died while it was idle
            self._pools[place] = None
            inner = self._submit_to(place, partial(function, *args, **kwargs))
        inner.add_done_callback(partial(self._finish, place, outer))
        return outer

    def kill(self, future: Future[Any]) -> None:
        """Kill the process that runs a job; the job's exception is `WorkerDiedError`."""
        with self._lock:
            place = self._places.get(future)
        if place is not None:
            process = self._processes[place]
            if process is not None:
                process.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes: after their jobs, or with `cancel_futures` at once."""
        if wait and not cancel_futures:
            futures.wait(list(self._places))
        if wait or cancel_futures:
            # A process that is idle has nothing to lose, and threads of an agent cannot delay it.
            for process in self._processes:
                if process is not None:
                    process.kill()
        for pool in self._pools:
            if pool is not None:
                pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        if self._notice is not None:
            self._notice.close()
            self._notice = None

    def _submit_to(self, place: int, job: Callable[[], Any]) -> Future[Any]:
        pool = self._pools[place]
        if pool is None:
            pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=start_worker,
                initargs=(self._notices(),),
            )
            self._pools[place] = pool
            with _starting_processes():
                future = pool.submit(job)
            # Before Python 3.14 they have no public name.
            self._processes[place] = next(iter((pool._processes or {}).values()), None)
            return future
        return pool.submit(job)

    def _notices(self) -> Connection | None:
        """Return where a worker tells that it compiles; None where nobody is told."""
        if not compilation.is_announced:
            return None
        if self._notice is None:
            receiver, self._notice = multiprocessing.Pipe(duplex=False)
            threading.Thread(target=_pass_on, args=(receiver,), daemon=True).start()
        return self._notice

    def _finish(self, place: int, outer: Future[Any], inner: Future[Any]) -> None:
        """Pass a result on; called in a thread of the worker's pool."""
        error = CancelledError() if inner.cancelled() else inner.exception()
        with self._lock:
            self._jobs[place] -= 1
            del self._places[outer]
            if isinstance(error, BrokenExecutor):
                error = WorkerDiedError(f"the worker process died{_cause(self._processes[place])}")
                self._pools[place] = None
        if error is None:
            outer.set_result(inner.result())
        else:
            outer.set_exception(error)


def _pass_on(receiver: Connection) -> None:
    """Wait until a worker tells that it compiles, and give notice here."""
    with receiver, suppress(EOFError, OSError):  # all workers have ended
        receiver.recv_bytes()
        compilation.notify()


class ExecutorHolder:
    """Executor and the means to make another one when it breaks.

    Args:
        executor: an executor, which its owner shuts down; a function that makes one; or None.
        workers: its workers; None asks it. Without executor, 1 or None is this process.
        answer_limit: seconds within which an executor of the caller's must answer for the first
            time.
    """

    def __init__(
        self,
        executor: Executor | MakeExecutor | None,
        workers: int | None,
        answer_limit: float,
    ) -> None:
        self._make: MakeExecutor | None
        self._executor: Executor | None
        if executor is None:
            workers = workers or 1
            self._make = ThisProcess if workers == 1 else partial(WorkerProcesses, workers)
            self._executor = None
        elif isinstance(executor, Executor):
            self._make, self._executor = None, executor
        elif callable(executor):
            self._make, self._executor = executor, None
        else:
            raise TypeError(
                f"executor={executor!r}; expected a concurrent.futures.Executor, or a function "
                "that makes one"
            )
        self._is_foreign = executor is not None
        self._workers = workers
        self._answer_limit = answer_limit
        self._has_answered = False

    @property
    def executor(self) -> Executor:
        """The executor, which is made, and asked for a sign of life, when it is first needed.

        Raises:
            RuntimeError: if it does not answer.
        """
        executor = self._made()
        if self._is_foreign and not self._has_answered:
            self.check_answer()
        return executor

    def _made(self) -> Executor:
        if self._executor is None:
            assert self._make is not None
            try:
                made = self._make()
            except Exception as error:
                raise RuntimeError(
                    f"no executor could be made: {type(error).__name__}: {error}; what was stored "
                    "stays"
                ) from error
            if not isinstance(made, Executor):
                raise TypeError(
                    f"the function that makes an executor returned {made!r}; expected a "
                    "concurrent.futures.Executor"
                )
            self._executor = made
        return self._executor

    @property
    def workers(self) -> int:
        """Number of workers."""
        if self._workers is None:
            known = getattr(self.executor, "_max_workers", None)
            self._workers = known if isinstance(known, int) else available_cores()
        return self._workers

    @property
    def most_jobs(self) -> int:
        """Number of jobs that may be in flight.

        A worker of our own has one, so that the fault of a job loses no other one. For those of
        other executors, to which the way may be long, another one waits.
        """
        is_ours = isinstance(self.executor, WorkerProcesses | ThisProcess)
        return self.workers if is_ours else JOBS_PER_WORKER * self.workers

    @property
    def shares_memory(self) -> bool:
        """The workers are threads of this process, so that nothing needs to be pickled."""
        return isinstance(self.executor, ThisProcess | ThreadPoolExecutor)

    def check_answer(self) -> None:
        """Wait for the answer to a first, empty job.

        Raises:
            RuntimeError: if the executor cannot run it, or does not answer in time.
        """
        executor = self._made()
        name = type(executor).__name__
        for attempt in range(ATTEMPTS):
            try:
                executor.submit(answer).result(self._answer_limit)
                break
            except TimeoutError:
                raise RuntimeError(
                    f"{name} did not answer within {self._answer_limit:g} s; what was stored stays"
                ) from None
            except Exception as error:
                # A worker may be killed from outside at this very moment.
                if isinstance(error, WorkerDiedError) and attempt < ATTEMPTS - 1:
                    continue
                raise RuntimeError(
                    f"{name} cannot run jobs: {type(error).__name__}: {error}; what was stored "
                    "stays"
                ) from error
        self._has_answered = True

    def submit(self, function: Callable[..., Any], *args: Any) -> tuple[Executor, Future[Any]]:
        """Give a job to the executor, which is replaced once if it takes none.

        Returns:
            The executor that took it, and the future result.

        Raises:
            RuntimeError: if it takes no job, and cannot be replaced.
        """
        executor = self.executor
        try:
            return executor, executor.submit(function, *args)
        except Exception as error:  # it broke while it had nothing to do, or was shut down
            if self._make is None and not isinstance(error, BrokenExecutor):
                raise RuntimeError(
                    f"{type(executor).__name__} takes no jobs: {type(error).__name__}: {error}; "
                    "what was stored stays"
                ) from error
            self.renew(error)
        return self.executor, self.executor.submit(function, *args)

    def renew(self, reason: BaseException) -> None:
        """Replace a broken executor.

        Raises:
            RuntimeError: if the caller gave it, and no function that makes another one.
        """
        name = type(self._executor).__name__
        if self._make is None:
            raise RuntimeError(
                f"{name} is broken ({reason}); give the runner a function that makes an executor, "
                "and it will replace it; what was stored stays"
            ) from reason
        if self._executor is not None:
            self._executor.shutdown(wait=False)
        self._executor, self._has_answered = None, False

    def abandon(self, future: Future[Any]) -> None:
        """Give a job up: end its process where that is ours."""
        if isinstance(self._executor, WorkerProcesses):
            self._executor.kill(future)
        else:
            future.cancel()

    def close(self, *, at_once: bool = False) -> None:
        """Shut the executor down, unless it is the caller's."""
        if self._make is not None and self._executor is not None:
            executor, self._executor = self._executor, None
            if isinstance(executor, WorkerProcesses):
                executor.shutdown(cancel_futures=at_once)
            else:
                executor.shutdown(wait=not at_once, cancel_futures=at_once)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def most_workers() -> int:
    """Return the largest number of worker processes of this machine; each takes some 100 MB."""
    return max(WORKERS_PER_CORE * available_cores(), LEAST_LIMIT)


@contextmanager
def _starting_processes() -> Iterator[None]:
    """Start processes with one thread, without `__main__`, and without a signal in between."""
    main = sys.modules["__main__"]
    masks = hasattr(signal, "pthread_sigmask")
    if masks:
        resource_tracker.ensure_running()  # it would unblock the signals
        # The process starts with them blocked; `start_worker` decides.
        old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        # Without a name and a file multiprocessing does not import it in the new process.
        sys.modules["__main__"] = ModuleType("__main__")
        with environment({**ONE_THREAD, "NUMBA_NUM_THREADS": "1"}):
            yield
    finally:
        sys.modules["__main__"] = main
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)


def _cause(process: Any) -> str:
    """Return the cause of a process's death."""
    if process is None:
        return ""
    process.join(1.0)  # it has closed its pipes, but may not have ended
    code = process.exitcode
    if code is None:
        return ""
    if code < 0:
        with suppress(ValueError):
            return f" ({signal.Signals(-code).name})"
    return f" (exit code {code})"
