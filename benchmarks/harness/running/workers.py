"""Worker side of the runner: start of a worker process, and the runs of a batch.

A worker process never outlives its driver (see `end_with_parent`).
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache, partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import cloudpickle

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running.one_thread import one_thread
from dynamaze.benchmarks.harness.running.termination import Terminated
from dynamaze.benchmarks.harness.store.database import RunRecord, encode_table
from dynamaze.common.compiling import UNSTORED, compilation
from dynamaze.common.parent_process import end_with_parent

Trial = Callable[..., Table]
"""One run: called with the configuration, a setting's arguments and the number of the run."""

GRACE_SECONDS = 2.0
"""Seconds after `run_limit` after which a worker that is deaf to signals ends itself."""

ENDING_SIGNALS = {
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
}
"""Signals that end a command."""

LONGEST_TRACEBACK = 20_000
"""Characters of a traceback that are kept."""


class UnloadableTaskError(RuntimeError):
    """A worker cannot load what it is to run."""


class Part(NamedTuple):
    """Runs of a batch that share a setting."""

    arguments: Any
    """The setting's arguments, pickled where the workers are other processes."""
    numbers: Sequence[int]


def run_batch(task: Any, parts: Sequence[Part], run_limit: float | None) -> list[RunRecord]:
    """Run the runs of a batch one after another, and return their records in order.

    Args:
        task: trial and configuration, pickled where the workers are other processes.
        parts: the runs.
        run_limit: seconds after which a run is stopped; None for no limit.

    Raises:
        UnloadableTaskError: if the trial or its arguments cannot be loaded here.
    """
    records = []
    with one_thread():
        trial, config = _load(task) if isinstance(task, bytes) else task
        for part in parts:
            is_pickled = isinstance(part.arguments, bytes)
            arguments = _load(part.arguments) if is_pickled else part.arguments
            for number in part.numbers:
                records.append(_record(trial, (config, *arguments), number, run_limit))
    return records


def answer() -> int:
    """Return the id of the worker's process: the first job that an executor gets."""
    return os.getpid()


def start_worker(notices: Connection | None = None) -> None:
    """Prepare a process that the runner started.

    Ctrl-C in a terminal reaches the workers too, but it is the driver's business.

    Args:
        notices: where to tell the driver that this process compiles code.
    """
    if notices is not None:
        _until_the_end.enter_context(compilation.announced(partial(_send_notice, notices)))
    warnings.filterwarnings("ignore", UNSTORED, RuntimeWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    end_with_parent()


_until_the_end = ExitStack()
"""Contexts of this process that are never left."""


def _send_notice(notices: Connection) -> None:
    with suppress(OSError):  # the driver has ended
        notices.send_bytes(b"compiling")


def _record(
    trial: Trial, arguments: tuple[Any, ...], number: int, run_limit: float | None
) -> RunRecord:
    """Run once; an exception becomes a record too."""
    began = time.perf_counter()
    try:
        with time_limit(run_limit):
            table = trial(*arguments, number)
        encoded = encode_table(table)
        if not table:
            raise ValueError("a run returned an empty dict; expected a dict of arrays")
    except BaseException as error:
        if isinstance(error, Terminated) or (
            isinstance(error, KeyboardInterrupt) and _has_ctrl_c()
        ):
            raise
        text = _traceback(error)
        return RunRecord(number, None, text, time.perf_counter() - began)
    return RunRecord(number, encoded, seconds=time.perf_counter() - began)


def _has_ctrl_c() -> bool:
    """Tell whether Ctrl-C can be raised here; elsewhere a run has raised it by itself."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and multiprocessing.parent_process() is None


def _traceback(error: BaseException) -> str:
    """Return the traceback from the trial on."""
    below = None if error.__traceback__ is None else error.__traceback__.tb_next
    text = "".join(traceback.format_exception(type(error), error, below)).strip()
    if len(text) > LONGEST_TRACEBACK:
        half = LONGEST_TRACEBACK // 2
        text = f"{text[:half]}\n...\n{text[-half:]}"
    return text


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TimeoutError in the code inside after some seconds, where signals can do that.

    In the main thread of a worker process, code that never returns to the interpreter is ended
    together with the process, some seconds later.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if seconds is None or not in_main_thread or not hasattr(signal, "setitimer"):
        yield
        return

    running = True

    def stop(number: int, frame: object) -> None:
        if running:
            raise TimeoutError(f"the run took longer than run_limit={seconds:g} s")

    may_exit = multiprocessing.parent_process() is not None
    handler = signal.signal(signal.SIGALRM, stop)
    began = time.perf_counter()
    delay, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    if may_exit:
        faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, exit=True, file=_null_device())
    try:
        try:
            yield
        finally:
            running = False  # an alarm in this very moment still reaches the clean-up below
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if may_exit:
            faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, handler)
        if delay:  # an alarm of the caller's
            left = max(delay - (time.perf_counter() - began), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


@lru_cache(maxsize=1)
def _null_device() -> Any:
    """Return a file that discards what is written to it; the driver says what happened."""
    return open(os.devnull, "w", encoding="ascii")  # open as long as the process


@lru_cache(maxsize=64)
def _load(content: bytes) -> Any:
    """Unpickle what the driver sent, once for all batches that use it."""
    try:
        return cloudpickle.loads(content)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnloadableTaskError(f"a worker cannot load the trial: {reason}") from error
