"""Training of the frontier's students and baselines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from dynamaze.benchmarks.distillation.frontier_students import SIDE, STUDENTS, FrontierStudent
from dynamaze.benchmarks.distillation.mazes import TRAINING, MazeSampler
from dynamaze.benchmarks.distillation.reinforce import PolicyGradientBaseline
from dynamaze.benchmarks.distillation.student import RESTART_FRACTION
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.distill.core.dataset import Dataset
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.table import TableStudent
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_restart
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import split_queries


def train_group(
    names: Sequence[str], teacher: Any, *, steps: int, seed: int, any_size: bool
) -> dict[str, tuple[Student, float]]:
    """Train one group of students on the same batches; return them with their training time.

    Args:
        names: names of students, of which those of the group are trained.
        teacher: labels the mazes.
        steps: training steps of each.
        seed: of all random numbers.
        any_size: True for the group of those that accept mazes of every size.
    """
    students_by_name = {
        name: STUDENTS[name] for name in names if STUDENTS[name].any_size == any_size
    }
    if not students_by_name:
        return {}
    mazes = MazeSampler() if any_size else MazeSampler(generators=(MazeGenerator(SIDE),))
    source = FunctionSource(teacher, mazes, (TRAINING,))
    began = time.perf_counter()
    students = {
        name: initial_student(entry, source, steps, seed)
        for name, entry in students_by_name.items()
    }
    distiller = Distiller(
        students,
        source,
        total_steps=steps,
        learning_rate={name: entry.learning_rate for name, entry in students_by_name.items()},
        seed=seed,
    )
    distiller.distil()
    seconds = (time.perf_counter() - began) / len(students)
    return {name: (student, seconds) for name, student in students.items()}


def initial_student(
    entry: FrontierStudent, source: FunctionSource, steps: int, seed: int
) -> Student:
    """Return an untrained student with the best of several random initialisations."""
    if entry.restarts == 1:
        return entry.make(seed_of(seed, 0))
    number, _ = best_restart(
        [entry.make(seed_of(seed, each)) for each in range(entry.restarts)],
        source,
        steps=max(1, round(RESTART_FRACTION * steps)),
        total_steps=steps,
        learning_rate=entry.learning_rate,
        seed=seed,
    )
    return entry.make(seed_of(seed, number))


def train_policy_gradient(steps: int, seed: int) -> tuple[Student, float]:
    """Train the smallest value iteration network by the reward alone."""
    student = STUDENTS["VIN, 4 channels"].make(seed_of(seed, 0))
    began = time.perf_counter()
    PolicyGradientBaseline(student, MazeSampler(), steps=steps, seed=seed).learn()
    return student, time.perf_counter() - began


def fit_table(teacher: Any, steps: int, seed: int) -> TableStudent:
    """Return a table of every cell of one maze for each eleven training steps."""
    rng = np.random.default_rng(seed)
    mazes = MazeSampler(generators=(MazeGenerator(SIDE),), cells=steps * SIDE)
    batch = FunctionSource(teacher, mazes, (TRAINING,)).batch(rng, 1.0)
    table = TableStudent((3, SIDE, SIDE), 4)
    table.fit(Dataset(batch._replace(observations=split_queries(batch.observations))))
    return table
