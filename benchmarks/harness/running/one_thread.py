"""Limit of the threads inside a run: every worker has one core."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dynamaze.common.threads import one_blas_thread, one_torch_thread

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of libraries that are loaded later; with more threads than cores they are slow."""


class _Shared:
    """Limits that hold for the whole process while any of its threads runs a batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limits = ExitStack()

    def acquire(self) -> None:
        """Set the limits, unless another thread has."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limits.enter_context(environment(ONE_THREAD))
                self._limits.enter_context(one_blas_thread())

    def release(self) -> None:
        """Take the limits back, unless another thread needs them."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limits.close()


_shared = _Shared()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS and torch to one thread, whether they are loaded before or inside.

    So any executor's workers share the cores, and a run gives the same bits in each of them.
    """
    _shared.acquire()
    try:
        with one_torch_thread():  # each thread has a number of its own
            yield
    finally:
        _shared.release()


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a time."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
