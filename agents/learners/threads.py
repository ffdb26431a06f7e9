"""One thread for small problems, for the time of a call.

Parallel parts of a matrix of a few hundred rows are shorter than the wait for each other: on a
machine whose cores are busy two threads took 60 times as long as one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from typing import Any


def one_blas_thread() -> AbstractContextManager[Any]:
    """While it lasts NumPy and SciPy multiply on one thread; without threadpoolctl, as they do."""
    controller = _controller("scipy.linalg" in sys.modules)
    limits: AbstractContextManager[Any]
    limits = nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")
    return limits


@cache
def _controller(with_scipy: bool) -> Any:
    """What knows the libraries that are loaded; to look for them takes some 20 ms.

    SciPy brings one of its own, so that it is looked for again when SciPy has been loaded.
    """
    try:
        return import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """While it lasts torch computes on one thread."""
    torch: Any = import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
