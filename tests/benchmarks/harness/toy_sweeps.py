"""Toy sweeps for the tests of the runner, and their trials."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running.runner import Setting

# Worker processes need not find the folder of the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@dataclass(frozen=True)
class ToyConfig:
    name: ClassVar[str] = "toy"
    swept: ClassVar[tuple[str, ...]] = ("factors", "marks")

    runs: int = 4
    seed: int = 0
    factors: tuple[int, ...] = (1, 10)
    marks: Path = Path()
    """Folder of files by which runs tell that they began."""

    @property
    def settings(self) -> Sequence[Setting]:
        return [Setting((factor,), self.runs, f"factor {factor}") for factor in self.factors]


def trial(config: ToyConfig, factor: int, number: int) -> Table:
    return {
        "value": np.array([factor * number + config.seed, factor / 3]),
        "worker": np.full(2, os.getpid()),
    }


def trial_failing(config: ToyConfig, factor: int, number: int) -> Table:
    if (factor, number) == (10, 2):
        raise ValueError("run 2 cannot be run")
    return trial(config, factor, number)


def trial_marking(config: ToyConfig, factor: int, number: int) -> Table:
    mark(config, factor, number)
    return trial(config, factor, number)


def trial_killed_once(config: ToyConfig, factor: int, number: int) -> Table:
    if mark(config, factor, number) == 1 and number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return trial(config, factor, number)


def trial_poison(config: ToyConfig, factor: int, number: int) -> Table:
    mark(config, factor, number)
    if (factor, number) == (1, 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return trial(config, factor, number)


def trial_sleeping(config: ToyConfig, factor: int, number: int) -> Table:
    mark(config, factor, number)
    time.sleep(60 if number == 1 else 0)
    return trial(config, factor, number)


def trial_deaf(config: ToyConfig, factor: int, number: int) -> Table:
    """Never return to the interpreter."""
    mark(config, factor, number)
    if number == 1:
        deque(repeat(0), maxlen=0)
    return trial(config, factor, number)


def trial_threads(config: ToyConfig, factor: int, number: int) -> Table:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {"threads": np.array([int(os.environ.get(name, "0")) for name in names])}


def mark(config: ToyConfig, factor: int, number: int) -> int:
    """Write that a run began, and return how often it has."""
    path = config.marks / f"{factor}_{number}"
    with path.open("a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")
    return len(path.read_text(encoding="ascii").splitlines())


def begun(config: ToyConfig) -> dict[str, int]:
    """Return how often each run began."""
    return {
        path.name: len(path.read_text(encoding="ascii").splitlines())
        for path in sorted(config.marks.iterdir())
    }


def values(results: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return the first value of each run's table; None for a failed run."""
    return [
        [None if table is None else table["value"][0] for table in tables] for tables in results
    ]


EXPECTED = [[0, 1, 2, 3], [0, 10, 20, 30]]
"""Values of `ToyConfig()`."""
