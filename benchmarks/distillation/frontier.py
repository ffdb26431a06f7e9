"""Command `dynamaze distill frontier`: normalised return against the size of the student.

A teacher labels mazes of up to 15x15, each batch once for all students of mazes of any size; those
with an input for each cell learn in mazes of 11x11 from the same teacher. All are evaluated in
held-out mazes, greedily and from every cell: perfect mazes of 11x11, mazes with loops, with
obstacles, and larger ones; and by episodes in mazes whose walls open and close (`changing_mazes`).

Four axes: parameters, bytes, multiply-adds of a decision and its microseconds on one thread
(exported, without torch, where the kind of student allows). And baselines:

- the exact planner, a breadth-first search, with a normalised return of 1: its microseconds;
- in changing mazes, the exact planner with the initial map throughout;
- a table of all observations in some hundred training mazes;
- the smallest value iteration network trained by policy gradients (`reinforce`) for as many steps,
  without a teacher.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from dynamaze.benchmarks.distillation.changing_mazes import evaluate_in_changing_mazes
from dynamaze.benchmarks.distillation.frontier_plot import AXES, plot, summary
from dynamaze.benchmarks.distillation.frontier_students import (
    CHANGING_MAZES,
    EXACT_PLANNER,
    LARGER_MAZES,
    POLICY_GRADIENT,
    SIDE,
    STALE_PLANNER,
    STUDENTS,
    TABLE,
    FrontierStudent,
    PerCellPolicy,
    seed_of,
)
from dynamaze.benchmarks.distillation.mazes import (
    TRAINING,
    HeldOut,
    MazeSampler,
    evaluate_policy,
    held_out_generators,
)
from dynamaze.benchmarks.distillation.reinforce import PolicyGradientBaseline
from dynamaze.benchmarks.distillation.student import RESTART_FRACTION, read_teacher
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
from dynamaze.common.validation import checked_number, did_you_mean
from dynamaze.distill.core.dataset import Dataset
from dynamaze.distill.core.size import Size, measure, microseconds
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.table import TableStudent
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_restart
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, split_queries

__all__ = ["FrontierConfig", "main", "plot", "run", "summary"]

CAPTION = "normalised return on held-out levels, mean over seeds and 95% interval"


@dataclass(frozen=True)
class FrontierConfig(ExperimentConfig):
    """Normalised return on held-out levels against the size of the student."""

    name: ClassVar[str] = "frontier"
    old_names: ClassVar[Mapping[str, str]] = {
        "kept": "normalised_return",
        "planner, 4 maps": "VIN, 4 channels",
        "planner, 8 maps": "VIN, 8 channels",
        "perceptron, 4 units": "MLP, 4 units",
        "perceptron, 64 units": "MLP, 64 units",
        "planner, 4 maps, trained directly": "VIN, 4 channels, policy gradient",
        "exact planner, by the first map": "exact planner, initial map",
    }

    teacher: Path | None = None
    """A file of `dynamaze distill teacher`; without it the exact optimal policy is the teacher."""
    runs: int = 5
    """Seeds of each student."""
    steps: int = 2500
    """Training steps of each."""
    mazes: int = 200
    """Held-out mazes of each kind, and episodes in changing mazes."""
    seed: int = 0
    """Seed of all random numbers."""
    students: tuple[str, ...] = ()
    """Some of the students, by name (an unknown one lists them); all by default."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def names(self) -> list[str]:
        """Names of the students that take part."""
        return [*(self.students or STUDENTS)]

    @property
    def total_runs(self) -> int:
        """Number of runs; each has all students."""
        return self.runs


def main(config: FrontierConfig) -> None:
    """Run the experiment, store its tables and plot, and print their paths.

    Raises:
        ValueError: for fewer than 2 runs, an unknown student, or a file that is not a teacher.
        OSError: if the output folder cannot be written.
    """
    check(config)
    cache_dir = cache_folder(config)
    run_module(__name__, config, title="Frontier", caption=CAPTION, cache_dir=cache_dir)


def check(config: FrontierConfig) -> None:
    """Check the options before anything runs.

    Raises:
        ValueError: for fewer than 2 runs, no steps or mazes, or an unknown student.
    """
    check_runs(config.runs)
    checked_number("steps", config.steps, 1, whole=True)
    checked_number("mazes", config.mazes, 1, whole=True)
    for name in config.students:
        if name not in STUDENTS:
            raise ValueError(
                f"students: {name!r}; expected some of {sorted(STUDENTS)}"
                f"{did_you_mean(name, STUDENTS)}"
            )
    read_teacher(config.teacher)


def run(
    config: FrontierConfig, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: the settings.
        callback: called after each run, which is one seed of all students.
        cache_dir: a folder for the finished runs, from which a stopped experiment continues.

    Returns:
        A row for each run, student and kind of mazes: success, normalised_return, agreement; and,
        named `..._sizes`, a row for each student: the four axes, and its training time in seconds.
    """
    jobs = [(config, number) for number in range(config.runs)]
    rows = stack(
        run_jobs(trial, jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    )
    sizes = rows_where(rows, "mazes", SIZE_ROWS)
    first = rows_where(sizes, "run", 0)
    return {
        config.name: _columns(quality_rows(rows), ("run", "student", "mazes", *QUALITY_COLUMNS)),
        f"{config.name}_sizes": _columns(first, ("student", *AXES, "seconds")),
    }


QUALITY_COLUMNS = ("success", "normalised_return", "agreement")
SIZE_ROWS = "-"
"""Value of the column "mazes" in the rows of sizes."""


def quality_rows(rows: Table) -> Table:
    """Return the rows with the students' evaluations."""
    mask = rows["mazes"] != SIZE_ROWS
    return {name: column[mask] for name, column in rows.items()}


def _columns(table: Table, names: tuple[str, ...]) -> Table:
    return {name: table[name] for name in names}


def trial(config: FrontierConfig, number: int) -> Table:
    """Train and evaluate all students, baselines and their teacher for one seed."""
    torch.set_num_threads(1)
    teacher = read_teacher(config.teacher)
    seed = seed_of(config.seed, number)
    trained = {
        **train_group(config, teacher, seed, any_size=True),
        **train_group(config, teacher, seed, any_size=False),
        POLICY_GRADIENT: train_policy_gradient(config, seed),
        TABLE: (PerCellPolicy(fit_table(config, teacher, seed)), 0.0),
        EXACT_PLANNER: (ShortestPathPolicy(), 0.0),
    }
    if config.teacher is not None:
        trained["teacher"] = (teacher, 0.0)
    kinds = {
        f"{kind} {SIDE}x{SIDE}": generator for kind, generator in held_out_generators(SIDE).items()
    }
    held_out = {
        name: HeldOut.generate(generator, config.mazes)
        for name, generator in (kinds | LARGER_MAZES).items()
    }
    observation = split_queries(HeldOut.generate(MazeGenerator(SIDE), 1).planes)[0]
    rows: list[dict[str, Any]] = []
    for name, (policy, seconds) in trained.items():
        common = {"run": number, "student": name}
        for kind, mazes in held_out.items():
            if _supports(name, mazes):
                result = evaluate_policy(policy, mazes)
                rows.append(common | {"mazes": kind} | _numbers(result._asdict()))
        rows.append(
            common | {"mazes": CHANGING_MAZES} | evaluate_while_changing(policy, config, seed)
        )
        rows.append(
            common
            | {"mazes": SIZE_ROWS}
            | _numbers(measure_size(policy, observation)._asdict())
            | {"seconds": seconds}
        )
    stale = evaluate_while_changing(ShortestPathPolicy(), config, seed, sees_changes=False)
    rows.append({"run": number, "student": STALE_PLANNER, "mazes": CHANGING_MAZES} | stale)
    names = ("run", "student", "mazes", *QUALITY_COLUMNS, *AXES, "seconds")
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def evaluate_while_changing(
    policy: Any, config: FrontierConfig, seed: int, *, sees_changes: bool = True
) -> dict[str, float]:
    """Evaluate a policy in mazes with loops whose walls change; each seed has its own."""
    generator = held_out_generators(SIDE)["loops"]
    result = evaluate_in_changing_mazes(
        policy, generator, config.mazes, seed=seed, sees_changes=sees_changes
    )
    return {
        "success": float(result.success.mean()),
        "normalised_return": float(result.normalised_return.mean()),
        "agreement": result.agreement,
    }


def _numbers(fields: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in fields.items() if name != "by_maze"}


def _supports(name: str, held_out: HeldOut) -> bool:
    fixed = name == TABLE or (name in STUDENTS and not STUDENTS[name].any_size)
    return not fixed or held_out.planes.shape[2:] == (SIDE, SIDE)


# -- training ----------------------------------------------------------------------------------


def train_group(
    config: FrontierConfig, teacher: Any, seed: int, *, any_size: bool
) -> dict[str, tuple[Student, float]]:
    """Train one group of students on the same batches; return them with their training time."""
    students_by_name = {n: STUDENTS[n] for n in config.names if STUDENTS[n].any_size == any_size}
    if not students_by_name:
        return {}
    mazes = MazeSampler() if any_size else MazeSampler(generators=(MazeGenerator(SIDE),))
    source = FunctionSource(teacher, mazes, (TRAINING,))
    began = time.perf_counter()
    students = {
        name: initial_student(entry, source, config, seed)
        for name, entry in students_by_name.items()
    }
    distiller = Distiller(
        students,
        source,
        total_steps=config.steps,
        learning_rate={name: entry.learning_rate for name, entry in students_by_name.items()},
        seed=seed,
    )
    distiller.distil()
    seconds = (time.perf_counter() - began) / len(students)
    return {name: (student, seconds) for name, student in students.items()}


def initial_student(
    entry: FrontierStudent, source: FunctionSource, config: FrontierConfig, seed: int
) -> Student:
    """Return an untrained student with the best of several random initialisations."""
    if entry.restarts == 1:
        return entry.make(seed_of(seed, 0))
    number, _ = best_restart(
        [entry.make(seed_of(seed, each)) for each in range(entry.restarts)],
        source,
        steps=max(1, round(RESTART_FRACTION * config.steps)),
        total_steps=config.steps,
        learning_rate=entry.learning_rate,
        seed=seed,
    )
    return entry.make(seed_of(seed, number))


def train_policy_gradient(config: FrontierConfig, seed: int) -> tuple[Student, float]:
    """Train the smallest value iteration network by the reward alone."""
    student = STUDENTS["VIN, 4 channels"].make(seed_of(seed, 0))
    began = time.perf_counter()
    PolicyGradientBaseline(student, MazeSampler(), steps=config.steps, seed=seed).learn()
    return student, time.perf_counter() - began


def fit_table(config: FrontierConfig, teacher: Any, seed: int) -> TableStudent:
    """Return a table of every cell of one maze for each eleven training steps."""
    rng = np.random.default_rng(seed)
    mazes = MazeSampler(generators=(MazeGenerator(SIDE),), cells=config.steps * SIDE)
    batch = FunctionSource(teacher, mazes, (TRAINING,)).batch(rng, 1.0)
    table = TableStudent((3, SIDE, SIDE), 4)
    table.fit(Dataset(batch._replace(observations=split_queries(batch.observations))))
    return table


def measure_size(policy: Any, observation: Any) -> Size:
    """Return the four axes; time without torch where the kind allows."""
    if isinstance(policy, ShortestPathPolicy):
        only = observation[None]
        return Size(0, 0, 0, microseconds(lambda: policy.action_probabilities(only)))
    inner = getattr(policy, "inner", policy)
    try:
        runs_as: Any = build_policy(to_stored(inner))
    except (TypeError, ValueError):
        runs_as = inner
    return measure(inner, observation, runs_as=runs_as)


if __name__ == "__main__":
    run_script(__file__)
