"""Notice of compilation: once, only where it was asked for, and for worker processes."""

from __future__ import annotations

import multiprocessing
from functools import partial

import pytest
from numba import njit

from dynamaze.benchmarks.harness.running import executors, workers
from dynamaze.common import compile_cache, compiling
from dynamaze.common.compiling import compilation, print_notice


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the notice without delay."""
    monkeypatch.setattr(compiling, "DELAY", 0.0)


def compile_something() -> None:
    """Compile a function that no cache has."""

    @njit
    def function(x: float) -> float:
        return x + 1

    function(1.0)


def test_notice_once_inside_announced(capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_cache.PACKAGE == "dynamaze"  # its import listens to Numba
    compile_something()
    assert capsys.readouterr().err == ""
    with compilation.announced(), compilation.announced():
        compile_something()
        compile_something()
    assert capsys.readouterr().err == "dynamaze: compiling (once) ...\n"
    assert not compilation.is_announced
    assert compilation.depth == 0


def test_no_notice_without_compilation(capsys: pytest.CaptureFixture[str]) -> None:
    with compilation.announced():
        assert compilation.is_announced
    assert capsys.readouterr().err == ""


def test_short_compilations_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(compiling, "DELAY", 1e-9)
    with compilation.announced(partial(shown.append, "notice")):
        for _ in range(2):
            compilation.begin()
            compilation.end()
        compilation.begin()
        assert compilation._timer is not None or shown
        compilation.notify()
        compilation.end()
    assert shown == ["notice"]


def test_worker_tells_driver(capsys: pytest.CaptureFixture[str]) -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    with compilation.announced(partial(workers._send_notice, sender)):
        compilation.notify()
    with compilation.announced():
        executors._pass_on(receiver)
    assert capsys.readouterr().err == "dynamaze: compiling (once) ...\n"
    workers._send_notice(sender)  # nobody listens any more


def test_notice_of_worker_processes() -> None:
    processes = executors.WorkerProcesses(1)
    assert processes._notices() is None
    with compilation.announced(print_notice):
        assert processes._notices() is processes._notices() is not None
    processes.shutdown()
    assert processes._notice is None
