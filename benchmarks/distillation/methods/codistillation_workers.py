"""Experiment of codistillation in worker processes, of which one is killed.

Results depend on the speed of the workers, as none waits for another: a run that is repeated gives
other digits.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dynamaze.benchmarks.distillation.methods.few_labels import (
    FULL,
    PEERS,
    SETTING,
    TINY,
    FewLabels,
    Shards,
    Size,
)
from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.distill.files.students import load_student
from dynamaze.distill.methods.codistillation import Codistillation
from dynamaze.distill.methods.mutual import SHARED, Mutual
from dynamaze.distill.students.base import Student
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.processes import run_processes

WORKERS = FULL._replace(steps=1000)
"""Size of a trial: long enough that a killed worker is dropped while the others train."""

PATIENCE = 1.0
KILLED = PEERS[-1]

ALONE, ALL, KILL = "alone", "no worker killed", "one worker killed"


def trial(seed: int, size: Size = WORKERS, killed: str | None = KILLED) -> Arms:
    """Train workers twice, once with a kill in the middle; the survivors of both are compared.

    Args:
        seed: of data and initial weights.
        size: of the trial.
        killed: the worker; None to start no processes, for tests.
    """
    data = FewLabels(seed, size)
    shards = Shards(data)
    survivors = [name for name in PEERS if name != killed]

    def percent(students: Mapping[str, Student]) -> dict[str, float]:
        return {RETURN: data.mean_percent({name: students[name] for name in survivors})}

    arms = {ALONE: percent(data.distil(shards.students(), shards.sources, Mutual(0)).students)}
    for name, kill in ((ALL, None), (KILL, killed)):
        if killed is None:
            students = data.distil(shards.students(), shards.sources, Codistillation()).students
            arms[name] = percent(students)
            continue
        with TemporaryDirectory() as folder:
            run_workers(data, shards, folder, kill)
            arms[name] = percent(
                {each: load_student(Path(folder, f"{each}.safetensors")) for each in survivors}
            )
    return arms


def run_workers(data: FewLabels, shards: Shards, folder: str, killed: str | None) -> None:
    """Train each peer in a process of its own; one may be killed in the middle.

    Raises:
        RuntimeError: if another one fails.
    """
    functions = {}
    for name, student in shards.students().items():
        sources = {each: shards.sources[each] for each in (name, SHARED)}
        peers = tuple(other for other in PEERS if other != name)
        method = Codistillation(folder=folder, peers=peers, patience=PATIENCE)
        killed_at = data.size.steps // 2 if name == killed else None
        functions[name] = partial(
            train_worker,
            {name: student},
            sources,
            method,
            data.settings,
            killed_at,
        )
    codes = run_processes(functions)
    expected = {name: -signal.SIGKILL if name == killed else 0 for name in PEERS}
    if codes != expected:
        raise RuntimeError(f"workers ended with the codes {codes}; expected {expected}")


def train_worker(
    students: dict[str, Student],
    sources: dict[str, Any],
    method: Codistillation,
    settings: dict[str, Any],
    killed_at: int | None,
) -> None:
    """Train the student of a worker, whose process kills itself at a step."""

    def kill(step: Any) -> None:
        if step.step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    Distiller(students, sources, method, **settings).distil(callback=kill)


EXPERIMENT = MethodExperiment(
    name="codistillation_workers",
    method="codistillation",
    setting=(
        f"{SETTING}. Four workers in processes of their own have 50 labelled states each, answer "
        f"{FULL.unlabelled} shared states and exchange weights every 25 of {WORKERS.steps} steps; "
        "one is killed by SIGKILL in the middle, and the three others are evaluated."
    ),
    trial=trial,
    comparisons=(Comparison(KILL, ALL, -3, NULL), Comparison(KILL, ALONE, 35)),
    runs=8,
    lesson=(
        "Workers that exchange weights through a folder wait for nobody, and go on when one of "
        "them is killed."
    ),
    testing={"size": TINY, "killed": None},
)
