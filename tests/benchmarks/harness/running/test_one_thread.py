"""Limit of the threads inside runs: torch, whichever executor runs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import ClassVar

import cloudpickle
import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running.executors import WorkerProcesses
from dynamaze.benchmarks.harness.running.one_thread import one_thread
from dynamaze.benchmarks.harness.running.runner import Runner, Setting

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@dataclass(frozen=True)
class Config:
    name: ClassVar[str] = "threads"

    @property
    def settings(self) -> list[Setting]:
        return [Setting((), 3)]


def trial(config: Config, number: int) -> Table:
    """Return the number of torch's threads; the executor may have loaded it or not."""
    import torch

    return {"threads": np.array([torch.get_num_threads()])}


def spawned() -> Executor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


@pytest.mark.parametrize(
    "make", [None, lambda: ThreadPoolExecutor(2), lambda: WorkerProcesses(1), spawned]
)
def test_torch_has_one_thread(
    make: Callable[[], Executor] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with Runner(executor=make) as runner:
            (tables,) = runner.run(trial, Config())
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert [table["threads"].tolist() for table in tables] == [[1]] * 3
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_torch_has_one_thread_on_dask() -> None:
    pytest.importorskip("torch")
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        distributed.LocalCluster(n_workers=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        (tables,) = Runner(executor=client.get_executor(), workers=1).run(trial, Config())
    assert [table["threads"].tolist() for table in tables] == [[1]] * 3


def test_limit_holds_until_last_thread_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    outer, inner = one_thread(), one_thread()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert os.environ["OMP_NUM_THREADS"] == "1"
    inner.__exit__(None, None, None)
    assert "OMP_NUM_THREADS" not in os.environ
