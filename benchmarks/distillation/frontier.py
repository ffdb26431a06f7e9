"""`dynamaze distill frontier`: how much return is kept, against how large the student is.

A teacher labels mazes of up to 15x15, each batch once for all students that see mazes of any size;
those with an input for each cell learn in mazes of 11x11 from the same teacher. All are judged in
mazes that neither they nor the teacher have seen, from every cell, by following their best actions:
in perfect mazes of 11x11, with loops, with obstacles, and in larger ones; and in mazes whose walls
open and close in the middle of an episode, which is played (`changing_mazes`).

Four axes, none of which stands for another: parameters, bytes, multiply-adds of a decision and its
microseconds on one thread (without torch where there is a form without it). And floors:

- the exact planner, a breadth-first search, which keeps everything: its microseconds;
- where walls change, the exact planner that goes on by the map as it was at first;
- a table of every observation in some hundred of the mazes of training;
- the smallest planner trained directly, without a teacher, by the reward alone: policy gradients of
  the return of following its own actions, for as many steps (`reinforce`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

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

from ..harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from ..harness.table import Table, rows_where, stack
from .changing_mazes import play_while_changing
from .frontier_plot import AXES, plot, summary
from .frontier_students import (
    CHANGING,
    DIRECT,
    ENTRIES,
    EXACT,
    LARGER,
    SIDE,
    STALE,
    TABLE,
    Alone,
    Entry,
    seed_of,
)
from .judging import judge
from .mazes import TRAINING, Held, Mazes, held_out_recipes
from .reinforce import Directly
from .student import TRIED, read_teacher

__all__ = ["Frontier", "main", "plot", "run", "summary"]

CAPTION = "share of the best return kept on unseen levels, mean over seeds and 95% interval"


@dataclass(frozen=True)
class Frontier(ExperimentConfig):
    """Return kept on unseen levels against the size of the student: the frontier."""

    name: ClassVar[str] = "frontier"

    teacher: Path | None = None
    """A file of `dynamaze distill teacher`. Without one the exact best policy teaches."""
    runs: int = 5
    """Seeds of each student."""
    steps: int = 2500
    """Training steps of each."""
    mazes: int = 200
    """Held-out mazes of each kind, and episodes where walls change."""
    seed: int = 0
    """Settles every number."""
    students: tuple[str, ...] = ()
    """Some of the students instead of all, by name."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def names(self) -> list[str]:
        """The students that take part."""
        return [*(self.students or ENTRIES)]

    @property
    def total_runs(self) -> int:
        """Runs of all students together."""
        return self.runs


def main(config: Frontier) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, a student that there is not, or a file that is no
            teacher.
        OSError: if the output folder cannot be written.
    """
    check(config)
    cache_dir = cache_folder(config)
    run_module(__name__, config, title="The frontier", caption=CAPTION, cache_dir=cache_dir)


def check(config: Frontier) -> None:
    """Refuse what cannot be run before anything runs.

    Raises:
        ValueError: for fewer than 2 runs, no steps or mazes, or a student that there is not.
    """
    check_runs(config.runs)
    checked_number("steps", config.steps, 1, whole=True)
    checked_number("mazes", config.mazes, 1, whole=True)
    for name in config.students:
        if name not in ENTRIES:
            raise ValueError(
                f"students: {name!r}; expected some of {sorted(ENTRIES)}"
                f"{did_you_mean(name, ENTRIES)}"
            )
    read_teacher(config.teacher)


def run(
    config: Frontier, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: its numbers.
        callback: called after each run, which is one seed of all students.
        cache_dir: a folder for the runs that are done, so that a run that was stopped goes on.

    Returns:
        A row for each run, student and kind of mazes: success, kept, agreement; and with `_sizes`
        behind the name a row for each student: the four axes, and its seconds of training.
    """
    jobs = [(config, number) for number in range(config.runs)]
    rows = stack(
        run_jobs(trial, jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    )
    sizes = rows_where(rows, "mazes", SIZED)
    first = rows_where(sizes, "run", 0)
    return {
        config.name: _columns(rows_without(rows), ("run", "student", "mazes", *JUDGED)),
        f"{config.name}_sizes": _columns(first, ("student", *AXES, "seconds")),
    }


JUDGED = ("success", "kept", "agreement")
SIZED = "-"
"""Stands for the mazes in the rows that tell sizes."""


def rows_without(rows: Table) -> Table:
    """The rows that tell how good students are."""
    mask = rows["mazes"] != SIZED
    return {name: column[mask] for name, column in rows.items()}


def _columns(table: Table, names: tuple[str, ...]) -> Table:
    return {name: table[name] for name in names}


def trial(config: Frontier, number: int) -> Table:
    """One seed of all students, of their floors and of their teacher."""
    torch.set_num_threads(1)
    teacher = read_teacher(config.teacher)
    seed = seed_of(config.seed, number)
    trained = {
        **taught(config, teacher, seed, any_size=True),
        **taught(config, teacher, seed, any_size=False),
        DIRECT: directly(config, seed),
        TABLE: (Alone(tabulated(config, teacher, seed)), 0.0),
        EXACT: (ShortestPathPolicy(), 0.0),
    }
    if config.teacher is not None:
        trained["teacher"] = (teacher, 0.0)
    kinds = {f"{kind} {SIDE}x{SIDE}": recipe for kind, recipe in held_out_recipes(SIDE).items()}
    held = {name: Held.of(recipe, config.mazes) for name, recipe in (kinds | LARGER).items()}
    alone = split_queries(Held.of(MazeGenerator(SIDE), 1).planes)[0]
    rows: list[dict[str, Any]] = []
    for name, (policy, seconds) in trained.items():
        common = {"run": number, "student": name}
        for kind, those in held.items():
            if _sees(name, those):
                verdict = judge(policy, those)
                rows.append(common | {"mazes": kind} | _numbers(verdict._asdict()))
        rows.append(common | {"mazes": CHANGING} | while_changing(policy, config, seed))
        rows.append(
            common
            | {"mazes": SIZED}
            | _numbers(size_of(policy, alone)._asdict())
            | {"seconds": seconds}
        )
    stale = while_changing(ShortestPathPolicy(), config, seed, sees_changes=False)
    rows.append({"run": number, "student": STALE, "mazes": CHANGING} | stale)
    names = ("run", "student", "mazes", *JUDGED, *AXES, "seconds")
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def while_changing(
    policy: Any, config: Frontier, seed: int, *, sees_changes: bool = True
) -> dict[str, float]:
    """How a policy does in mazes with loops whose walls change; each seed has its own."""
    recipe = held_out_recipes(SIDE)["loops"]
    played = play_while_changing(policy, recipe, config.mazes, seed=seed, sees_changes=sees_changes)
    return {
        "success": float(played.success.mean()),
        "kept": float(played.kept.mean()),
        "agreement": played.agreement,
    }


def _numbers(told: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in told.items() if name != "by_maze"}


def _sees(name: str, held: Held) -> bool:
    fixed = name == TABLE or (name in ENTRIES and not ENTRIES[name].any_size)
    return not fixed or held.planes.shape[2:] == (SIDE, SIDE)


# -- training ----------------------------------------------------------------------------------


def taught(
    config: Frontier, teacher: Any, seed: int, *, any_size: bool
) -> dict[str, tuple[Student, float]]:
    """The students of one group, trained at once, with their share of the seconds."""
    entries = {n: ENTRIES[n] for n in config.names if ENTRIES[n].any_size == any_size}
    if not entries:
        return {}
    mazes = Mazes() if any_size else Mazes(recipes=(MazeGenerator(SIDE),))
    source = FunctionSource(teacher, mazes, (TRAINING,))
    began = time.perf_counter()
    students = {name: begun(entry, source, config, seed) for name, entry in entries.items()}
    distiller = Distiller(
        students,
        source,
        total_steps=config.steps,
        learning_rate={name: entry.learning_rate for name, entry in entries.items()},
        seed=seed,
    )
    distiller.distil()
    seconds = (time.perf_counter() - began) / len(students)
    return {name: (student, seconds) for name, student in students.items()}


def begun(entry: Entry, source: FunctionSource, config: Frontier, seed: int) -> Student:
    """A student with first weights, the best of those that are tried."""
    if entry.beginnings == 1:
        return entry.make(seed_of(seed, 0))
    number, _ = best_restart(
        [entry.make(seed_of(seed, each)) for each in range(entry.beginnings)],
        source,
        steps=max(1, round(TRIED * config.steps)),
        total_steps=config.steps,
        learning_rate=entry.learning_rate,
        seed=seed,
    )
    return entry.make(seed_of(seed, number))


def directly(config: Frontier, seed: int) -> tuple[Student, float]:
    """The smallest planner, trained by the reward alone."""
    student = ENTRIES["planner, 4 maps"].make(seed_of(seed, 0))
    began = time.perf_counter()
    Directly(student, Mazes(), steps=config.steps, seed=seed).learn()
    return student, time.perf_counter() - began


def tabulated(config: Frontier, teacher: Any, seed: int) -> TableStudent:
    """A table of every cell of one maze for each eleven training steps."""
    rng = np.random.default_rng(seed)
    mazes = Mazes(recipes=(MazeGenerator(SIDE),), cells=config.steps * SIDE)
    batch = FunctionSource(teacher, mazes, (TRAINING,)).batch(rng, 1.0)
    table = TableStudent((3, SIDE, SIDE), 4)
    table.fit(Dataset(batch._replace(observations=split_queries(batch.observations))))
    return table


def size_of(policy: Any, observation: Any) -> Size:
    """The four axes; time without torch where the kind allows."""
    if isinstance(policy, ShortestPathPolicy):
        only = observation[None]
        return Size(0, 0, 0, microseconds(lambda: policy.action_probabilities(only)))
    inner = getattr(policy, "inner", policy)
    try:
        runs_as: Any = build_policy(to_stored(inner))
    except (TypeError, ValueError):
        runs_as = inner
    return measure(inner, observation, runs_as=runs_as)
