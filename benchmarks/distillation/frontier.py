"""Command `dynamaze distill frontier`: normalised return against the size of the student.

A teacher labels mazes of up to 15x15, each batch once for all students of mazes of any size; those
with an input for each cell learn in mazes of 11x11 from the same teacher. All are evaluated in
held-out mazes, greedily and from every cell: perfect mazes of 11x11, mazes with loops, with
obstacles, and larger ones; and by episodes in mazes whose walls open and close (`changing_mazes`).

Four axes: parameters, bytes, multiply-adds of a decision and its microseconds on one thread
(exported, without torch, where the kind of student allows). Beside them the bytes of a file, and
those of a decision in C as object code. And baselines:

- the exact planner, a breadth-first search, with a normalised return of 1: its microseconds;
- in changing mazes, the exact planner with the initial map throughout;
- a table of all observations in some hundred training mazes;
- the smallest value iteration network trained by policy gradients (`reinforce`) for as many steps,
  without a teacher.

The largest student is also pruned after its training: only some fractions of its weights, those of
the largest magnitude in each tensor, are kept, and it is evaluated without further training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from dynamaze.benchmarks.distillation.by_distance import (
    RANGE_COLUMNS,
    distance_sections,
    result_rows,
    split_ranges,
)
from dynamaze.benchmarks.distillation.changing_mazes import evaluate_in_changing_mazes
from dynamaze.benchmarks.distillation.frontier_students import (
    AXES,
    CHANGING_MAZES,
    EXACT_PLANNER,
    LARGER_MAZES,
    POLICY_GRADIENT,
    SIDE,
    STALE_PLANNER,
    STORED,
    STUDENTS,
    TABLE,
    PerCellPolicy,
    sizes_of,
)
from dynamaze.benchmarks.distillation.frontier_training import (
    fit_table,
    train_group,
    train_policy_gradient,
)
from dynamaze.benchmarks.distillation.mazes import (
    EvaluationResult,
    HeldOut,
    evaluate_policy,
    held_out_generators,
)
from dynamaze.benchmarks.distillation.student import read_teacher
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_NOTE,
    IntervalEstimate,
    mean_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, REFERENCE, panels, points_with_bars
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    from_rows,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.arrays import BoolArray
from dynamaze.common.options import Mazes, PositiveFraction, Runs, Steps
from dynamaze.common.validation import checked_choice
from dynamaze.distill.students.base import Student
from dynamaze.distill.training.prune import pruned, zeros
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, split_queries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


GROUPS = ("VIN", "convolutional", "MLP")
"""Groups of students, by the first word of their names."""

BASELINES = {TABLE: "fitted table", POLICY_GRADIENT: "policy gradient", "teacher": "teacher"}
"""Baselines of the plot, and the names of their colours."""

Point = tuple[float, ...]
"""A point of the plot: a size, a mean and the ends of its interval."""

QUALITY_COLUMNS = ("success", "normalised_return", "agreement")
PRUNED_COLUMNS = ("run", "student", "mazes", "fraction", "weights", *QUALITY_COLUMNS)
SIZE_ROWS = "-"
"""Value of the column "mazes" in the rows of sizes."""


@dataclass(frozen=True)
class FrontierConfig(ExperimentConfig):
    """Normalised return on held-out levels against the size of the student."""

    name: ClassVar[str] = "frontier"
    title: ClassVar[str] = "Frontier"

    runs: Runs = 5
    """Seeds of each student."""
    steps: Steps = 2500
    """Training steps of each."""
    mazes: Mazes = 200
    """Held-out mazes of each kind, and episodes in changing mazes."""
    teacher: Path | None = None
    """A file of `dynamaze distill teacher`, which has a size (no function of your own); without it
    the exact optimal policy is the teacher."""
    students: tuple[str, ...] = ()
    """Some of the students, by name (an unknown one lists them); all by default."""
    pruned_to: tuple[PositiveFraction, ...] = (0.75, 0.5, 0.25)
    """Fractions of the weights that are kept where the largest student is pruned."""

    @property
    def names(self) -> list[str]:
        """Names of the students that take part."""
        return [*(self.students or STUDENTS)]

    @property
    def settings(self) -> Sequence[Setting]:
        """One setting: a run has all students, which learn from the same batches of the teacher."""
        return [Setting((), self.runs, "all students")]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "normalised return and success rate on held-out levels, mean over n seeds and "
            "Student's 95% interval (success rates that are all equal: as if shares of n seeds); "
            f"{FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, no steps or mazes, an unknown student, a fraction
                outside (0, 1], or a file that is not a teacher.
            OSError: if the teacher's file cannot be read.
        """
        super().check()
        for name in self.students:
            checked_choice("students", name, sorted(STUDENTS))
        read_teacher(self.teacher)


def run(config: FrontierConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each run, student and kind of mazes: success, normalised_return, agreement; and
        others by name: `..._distances`, a row for each of these and each range of distances to the
        goal: nearest, furthest, cells, weight, success (see `DistanceRange`); `..._sizes`, a row
        for each student: the four axes, the bytes of its file without a card and of its object
        code, and its training time in seconds; and, if anything is pruned, `..._pruned`, a row for
        each run, kind of mazes and fraction of the largest student's weights: fraction (that is
        kept), weights (the number that is not zero), and its evaluation.
    """
    rows = stack_runs((runner or Runner()).run(trial, config))
    is_pruned = np.isfinite(rows["fraction"])
    is_quality = (rows["mazes"] != SIZE_ROWS) & ~is_pruned
    sizes = rows_where(rows, mazes=SIZE_ROWS, run=0)
    columns = ("run", "student", "mazes", *QUALITY_COLUMNS, *RANGE_COLUMNS)
    results, ranges = split_ranges(_part(rows, is_quality, columns))
    tables = {
        config.name: results,
        f"{config.name}_sizes": {
            name: sizes[name] for name in ("student", *AXES, *STORED, "seconds")
        },
    }
    if config.pruned_to:
        tables[f"{config.name}_pruned"] = _part(rows, is_pruned, PRUNED_COLUMNS)
    return {**tables, f"{config.name}_distances": ranges}


def _part(table: Table, rows: BoolArray, columns: tuple[str, ...]) -> Table:
    return {name: table[name][rows] for name in columns}


def trial(config: FrontierConfig, number: int) -> Table:
    """Train and evaluate all students, baselines and their teacher for one seed."""
    torch.set_num_threads(1)
    teacher = read_teacher(config.teacher)
    seed = seed_of(config.seed, number)
    trained: dict[str, tuple[Any, float]] = {
        **train_group(config.names, teacher, steps=config.steps, seed=seed, any_size=True),
        **train_group(config.names, teacher, steps=config.steps, seed=seed, any_size=False),
        POLICY_GRADIENT: train_policy_gradient(config.steps, seed),
        TABLE: (PerCellPolicy(fit_table(teacher, config.steps, seed)), 0.0),
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
                about = common | {"mazes": kind}
                rows += result_rows(about, quality_of(result), result.by_distance)
        rows.append(
            common | {"mazes": CHANGING_MAZES} | evaluate_while_changing(policy, config, seed)
        )
        rows.append(
            common | {"mazes": SIZE_ROWS} | sizes_of(policy, observation) | {"seconds": seconds}
        )
    stale = evaluate_while_changing(ShortestPathPolicy(), config, seed, sees_changes=False)
    rows.append({"run": number, "student": STALE_PLANNER, "mazes": CHANGING_MAZES} | stale)
    largest = max(config.names, key=lambda name: trained[name][0].num_parameters)
    for row in prune(config, trained[largest][0], {kind: held_out[kind] for kind in kinds}):
        rows.append({"run": number, "student": largest} | row)
    names = (*PRUNED_COLUMNS, *RANGE_COLUMNS, *AXES, *STORED, "seconds")
    return from_rows([dict.fromkeys(names, np.nan) | row for row in rows])


def prune(
    config: FrontierConfig, student: Student, held_out: dict[str, HeldOut]
) -> Iterator[dict[str, Any]]:
    """Yield the evaluations of a student of which only a fraction of the weights is kept."""
    for kept in config.pruned_to:
        smaller = pruned(student, 1 - kept)
        count = zeros(smaller)
        row = {"fraction": kept, "weights": count.parameters - count.zero}
        for kind, mazes in held_out.items():
            yield row | {"mazes": kind} | quality_of(evaluate_policy(smaller, mazes))


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


def quality_of(result: EvaluationResult) -> dict[str, float]:
    """Return the means of an evaluation by column."""
    return {name: getattr(result, name) for name in QUALITY_COLUMNS}


def _supports(name: str, held_out: HeldOut) -> bool:
    fixed = name == TABLE or (name in STUDENTS and not STUDENTS[name].any_size)
    return not fixed or held_out.planes.shape[2:] == (SIDE, SIDE)


# -- plot and summary --------------------------------------------------------------------------


def summary(tables: Tables, config: FrontierConfig) -> dict[str, Lines]:
    """Return normalised returns by kind of mazes, the sizes, and what pruning costs."""
    rows, sizes = tables[config.name], tables[f"{config.name}_sizes"]
    kinds = distinct(rows, "mazes")
    returns: Lines = [("student", "n", *kinds)]
    for name in distinct(rows, "student"):
        own = rows_where(rows, student=name)
        returns.append((name, str(len(distinct(own, "run"))), *_percents(own, kinds)))
    columns = [name for name in (*AXES, *STORED, "seconds") if name in sizes]
    labels = {**AXES, **STORED, "seconds": "seconds of training"}
    axes: Lines = [("student", *(labels[name] for name in columns))]
    for at, name in enumerate(sizes["student"].tolist()):
        numbers = [_number_text(sizes[column][at]) for column in columns]
        axes.append((name, *numbers))
    return {
        "Normalised return on held-out levels": returns,
        **distance_sections(tables.get(f"{config.name}_distances"), "student"),
        "Sizes": axes,
        **_pruned_lines(tables.get(f"{config.name}_pruned")),
    }


def _number_text(number: float) -> str:
    return f"{number:,.4g}" if np.isfinite(number) else "-"


def _pruned_lines(table: Table | None) -> dict[str, Lines]:
    """Return the section of the pruned student; none for a table that has no such rows."""
    if table is None:
        return {}
    kinds = distinct(table, "mazes")
    heading = [f"success, {kind}" for kind in kinds] + [f"normalised return, {kinds[0]}"]
    lines: Lines = [("weights kept", "n", "not zero", *heading)]
    for kept in distinct(table, "fraction"):
        own = rows_where(table, fraction=kept)
        cells = _percents(own, kinds, "success") + _percents(own, kinds[:1])
        runs = str(len(distinct(own, "run")))
        lines.append((f"{kept:.0%}", runs, f"{own['weights'].mean():,.0f}", *cells))
    return {f"Pruned after training: {table['student'][0]}": lines}


def _percents(table: Table, kinds: list[str], column: str = "normalised_return") -> list[str]:
    """Return the mean and interval of a column in each kind of mazes."""
    samples = [100 * rows_where(table, mazes=kind)[column] for kind in kinds]
    return [mean_text(own, 2, kind="time", unit="%") if own.size else "-" for own in samples]


def plot(tables: Tables, config: FrontierConfig) -> Figure:
    """Return the plot: a panel for each axis in perfect mazes, and one for each other kind."""
    rows, sizes = tables[config.name], tables[f"{config.name}_sizes"]
    figure, grid = panels(2, 4, size=(16, 7.5))
    perfect, loops = (f"{kind} {SIDE}x{SIDE}" for kind in ("perfect", "loops"))
    shown = [(axis, perfect) for axis in AXES]
    shown += [("parameters", kind) for kind in (loops, CHANGING_MAZES, *LARGER_MAZES)]
    stale = 100 * rows["normalised_return"][rows["student"] == STALE_PLANNER].mean()
    exact = sizes["microseconds"][sizes["student"] == EXACT_PLANNER]
    for axes, (axis, kind) in zip(grid.flat, shown, strict=True):
        for group in (*GROUPS, *BASELINES):
            points = _points(rows, sizes, group, axis, kind)
            if points:
                style = {"fmt": "o-" if group in GROUPS else "s", "label": group}
                _draw(axes, points, color=COLOURS[BASELINES.get(group, group)], **style)
        if axis == "parameters" and f"{config.name}_pruned" in tables:
            _draw_pruned(axes, tables[f"{config.name}_pruned"], kind)
        if axis == "microseconds" and len(exact):
            axes.axvline(exact[0], **REFERENCE, label=f"{EXACT_PLANNER} (100%)")
        if kind == CHANGING_MAZES:
            style = {"linestyle": "--", "label": STALE_PLANNER}
            axes.axhline(stale, color=COLOURS[STALE_PLANNER], **style)
        axes.set_xscale("log")
        axes.set_ylim(-3, 104)
        axes.set_xlabel(AXES[axis])
        axes.set_ylabel("normalised return, %")
        axes.set_title(f"held out, {kind}")
    handles: dict[str, Any] = {}
    for axes in grid.flat:
        found, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4)
    runs = count_text(len(distinct(rows, "run")))
    figure.suptitle(f"{config.title}: normalised return of students, {runs} seeds, 95% interval")
    return figure


def _draw(axes: Axes, points: list[Point], **style: Any) -> None:
    """Draw points that are a size, a mean and the ends of its interval."""
    x, *interval = (np.array(part) for part in zip(*points, strict=True))
    points_with_bars(axes, x, IntervalEstimate(*interval), **style)


def _draw_pruned(axes: Axes, table: Table, kind: str) -> None:
    """Draw the pruned student against the number of its weights that are not zero."""
    own = rows_where(table, mazes=kind)
    points = []
    for kept in distinct(own, "fraction"):
        rows = rows_where(own, fraction=kept)
        interval = mean_interval(100 * rows["normalised_return"])
        points.append((float(rows["weights"].mean()), *map(float, interval)))
    if points:
        label = f"{own['student'][0]}, pruned after training"
        _draw(axes, points, fmt="x--", color=COLOURS["pruned"], label=label)


def _points(rows: Table, sizes: Table, group: str, axis: str, kind: str) -> list[Point]:
    """Return size, mean and interval of each student of a group, by size."""
    points = []
    for at, name in enumerate(sizes["student"].tolist()):
        if name != group and (
            group in BASELINES or name in BASELINES or not name.startswith(group)
        ):
            continue
        own = rows_where(rows, student=name, mazes=kind)["normalised_return"]
        if len(own) and np.isfinite(sizes[axis][at]):
            points.append((float(sizes[axis][at]), *map(float, mean_interval(100 * own))))
    return sorted(points)


if __name__ == "__main__":
    run_script(__file__)
