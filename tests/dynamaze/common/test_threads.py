"""Thread limits of BLAS and torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from dynamaze.common import threads

threadpoolctl = pytest.importorskip("threadpoolctl", reason="limiting threads needs threadpoolctl")
torch = pytest.importorskip("torch", reason="limiting torch's threads needs torch")


def test_one_blas_thread_restores_number(blas_threads: Callable[[], set[int]]) -> None:
    threads.one_blas_thread()  # loads all libraries there are
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        with threads.one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_one_torch_thread_restores_number() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads.one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_no_limit_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with threads.one_torch_thread():
        pass


def test_no_limit_without_threadpoolctl(
    blas_threads: Callable[[], set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    threads._controller.cache_clear()
    monkeypatch.setattr(threads, "import_module", missing)
    before = blas_threads()
    with threads.one_blas_thread():
        assert blas_threads() == before
    threads._controller.cache_clear()
