"""Overhead of the runner, and compiled runs on all cores against one."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_many, run_one, shared_env
from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running.executors import WorkerProcesses, available_cores
from dynamaze.benchmarks.harness.running.runner import Runner, Setting, run_seed
from dynamaze.benchmarks.harness.store.database import Store
from dynamaze.benchmarks.harness.timing import (
    Measure,
    PairedTiming,
    SpeedRow,
    time_alternately,
)

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


# -- compiled runs on all cores ----------------------------------------------------------------

SCALED_RUNS = 50
"""Compiled runs for each core."""
SCALED_EPISODES = 5000
LEAST_SCALING = 0.9
"""Smallest accepted speed-up from one core to all, as a fraction of the number of cores."""


@dataclass(frozen=True)
class ScalingConfig:
    """Sweep of compiled runs."""

    name: ClassVar[str] = "scaling"

    seed: int
    runs: int

    @property
    def settings(self) -> list[Setting]:
        """One setting."""
        return [Setting((), self.runs)]


def compiled_scaling(repeats: int) -> list[SpeedRow]:
    """Compiled runs in threads, and in worker processes: one core against all."""
    cores = available_cores()
    runs, seeds = SCALED_RUNS * cores, count()
    make_agent = partial(DynaQ, shared_env("DynaMaze-v0"), planning_steps=5)

    def in_threads(workers: int) -> None:
        run_many(make_agent, runs=runs, episodes=SCALED_EPISODES, seed=next(seeds), workers=workers)

    threads = time_alternately(lambda: in_threads(cores), lambda: in_threads(1), repeats)
    with WorkerProcesses(1) as one, WorkerProcesses(cores) as all_cores:

        def in_processes(executor: WorkerProcesses) -> None:
            config = ScalingConfig(next(seeds), runs)
            Runner(executor=executor, workers=executor.workers).run(compiled_trial, config)

        processes = time_alternately(
            lambda: in_processes(all_cores), lambda: in_processes(one), repeats
        )
    return [
        _scaling_row("threads", cores, runs, threads),
        _scaling_row("processes", cores, runs, processes),
    ]


def _scaling_row(kind: str, cores: int, runs: int, pair: PairedTiming) -> SpeedRow:
    scaling = pair.ratio / cores
    return SpeedRow(
        f"compiled runs, {cores} {kind}",
        f"{pair.ours / runs * 1e3:.2f} ms",
        "1 core",
        f"{pair.baseline / runs * 1e3:.2f} ms",
        f"{scaling:.2f} of linear",
        f">= {LEAST_SCALING} of linear",
        scaling >= LEAST_SCALING,
    )


def compiled_trial(config: ScalingConfig, number: int) -> Table:
    """Run Dyna-Q once, compiled."""
    agent = DynaQ(shared_env("DynaMaze-v0"), planning_steps=5, seed=run_seed(config.seed, number))
    return {"steps": run_one(agent, 0, SCALED_EPISODES).episode_steps[-1:]}


MEASUREMENTS: tuple[Measure, ...] = (runner_overhead, compiled_scaling)
