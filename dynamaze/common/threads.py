"""Context managers that limit BLAS and torch to one thread.

Parallel parts of a matrix of a few hundred rows are shorter than the wait for each other: on a
machine whose cores are busy two threads take far longer than one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from typing import Any


def one_blas_thread() -> AbstractContextManager[Any]:
    """Limit the BLAS of NumPy and SciPy to one thread, if threadpoolctl is installed."""
    controller = _controller("scipy.linalg" in sys.modules)
    limits: AbstractContextManager[Any]
    limits = nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")
    return limits


@cache
def _controller(with_scipy: bool) -> Any:
    """Return a controller of the loaded libraries, found in some 20 ms and cached.

    SciPy brings one of its own, so that it is looked for again when SciPy has been loaded.
    """
    try:
        return import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit torch to one thread, if it is loaded."""
    torch: Any = sys.modules.get("torch")
    before = 1 if torch is None else torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
