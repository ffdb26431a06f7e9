"""Overhead of the runner: runs of 10 ms in a worker process, stored in a file, against a loop."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running.executors import WorkerProcesses
from dynamaze.benchmarks.harness.running.runner import Runner, Setting
from dynamaze.benchmarks.harness.store.database import Store
from dynamaze.benchmarks.harness.timing import Measure, SpeedRow, time_alternately

RUN_SECONDS = 0.01
RUNS = 200
MOST_OVERHEAD = 0.001
"""Largest accepted overhead of a run, in seconds."""


@dataclass(frozen=True)
class OverheadConfig:
    """Sweep of runs that do nothing for 10 ms."""

    name: ClassVar[str] = "overhead"

    seed: int
    """Another one for each timing, for which nothing is stored."""

    @property
    def settings(self) -> list[Setting]:
        """One setting."""
        return [Setting((), RUNS)]


def runner_overhead(repeats: int) -> list[SpeedRow]:
    """Time a sweep of short runs by the runner and in a bare loop."""
    seeds = count()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "runs.sqlite") as store,
        WorkerProcesses(1) as executor,
    ):
        runner = Runner(executor=executor, workers=1, store=store)

        def loop() -> None:
            config = OverheadConfig(next(seeds))
            for number in range(RUNS):
                spin(config, number)

        pair = time_alternately(
            lambda: runner.run(spin, OverheadConfig(next(seeds))), loop, repeats
        )
    overhead = pair.baseline * (1 / pair.ratio - 1) / RUNS
    return [
        SpeedRow(
            "runner, stored runs of 10 ms",
            f"{pair.ours / RUNS * 1e3:.2f} ms",
            "bare loop",
            f"{pair.baseline / RUNS * 1e3:.2f} ms",
            f"{overhead * 1e3:+.2f} ms",
            f"<= +{MOST_OVERHEAD * 1e3:g} ms",
            overhead <= MOST_OVERHEAD,
        )
    ]


def spin(config: Any, number: int) -> Table:
    """Wait for 10 ms, as busily as a run, and return a curve."""
    end = time.perf_counter() + RUN_SECONDS
    while time.perf_counter() < end:
        pass
    return {"value": np.arange(50.0) + number}


MEASUREMENTS: tuple[Measure, ...] = (runner_overhead,)
