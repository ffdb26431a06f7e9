"""Command `dynamaze distill adapt`: recovery of students after the maze changes.

A student that sees the walls adapts at once if it has learned to plan. One that sees only its
position has memorised one maze: after a change it must be distilled again, from the best actions in
every cell of the changed maze, with some gradient steps for each world step from the one after the
change on.

1. One change, in the book's mazes: steps until the student is as good as before, from the start.
2. Walls that open and close in the middle of episodes (`DynaMazeDrifting-v0`): the fraction of
   steps in which the student is worse. It acts greedily and is evaluated from its position.

Both are evaluated exactly at each world step: by the normalised return of the greedy policy in the
maze as it is now. A student is worse while that is below 99%.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import gymnasium as gym
import numpy as np
import torch

from dynamaze.benchmarks.distillation.changing_mazes import CHANGED_CELLS
from dynamaze.benchmarks.distillation.mazes import GAMMA
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.benchmarks.harness.agent_runs.resolver import import_name
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, mean_interval
from dynamaze.benchmarks.harness.analysis.plots import (
    legend_below,
    line_with_band,
    panels,
    points_of_runs,
    points_with_bars,
)
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_text, median_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    by_run,
    distinct,
    make_table,
    rows_where,
    stack,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.options import Count, PositiveFraction, Range, Runs
from dynamaze.distill.core.dataset import Batch, make_batch
from dynamaze.distill.core.policy import log_probabilities
from dynamaze.distill.files.students import load_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.teachers import as_teacher
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation.planes import steps_to_goal
from dynamaze.envs.mazes.layout import Cell, Layout
from dynamaze.envs.mazes.optimal_values import optimal_policy
from dynamaze.envs.mazes.schedule import PRESETS, Schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ONE_CHANGE = ("blocking", "shortcut")
"""The book's mazes that change once (Sutton & Barto 2018, examples 8.2 and 8.3)."""

DRIFTING = "drifting"
MAZES = (*ONE_CHANGE, DRIFTING)

WIDTH = 8
LEARNING_RATE = 0.02
PRETRAINING_STEPS = 1000
"""Hidden units of the student, Adam's step size, and gradient steps before the change."""

RATE_FALLS = 100_000
"""Gradient steps after it over which Adam's step size would decay to 0: it hardly decays."""

RECOVERED = 0.99
"""Normalised return from which a student counts as recovered."""
NO_DISTILLATION, PLANNER = "no further distillation", "value iteration network"


@dataclass(frozen=True)
class AdaptConfig(ExperimentConfig):
    """Recovery time of students after a maze changes, with and without further distillation."""

    name: ClassVar[str] = "adapt"
    title: ClassVar[str] = "After a change"

    runs: Runs = 30
    """Students of each kind, with different initial weights."""
    steps: Annotated[int, Range(0, limit=10**6)] = 50
    """World steps after the one change."""
    drift_steps: Count = 500
    """World steps while walls drift."""
    drift: PositiveFraction = 0.05
    """Probability of a change after each of these: four walls open, and four close."""
    gradient_steps: tuple[Count, ...] = (1, 4, 16)
    """Gradient steps for each world step."""
    student: Path | None = None
    """A file of `dynamaze distill student`, a network that sees the walls, or module:name or
    path/file.py:name of a policy of your own that does; evaluated too."""

    @property
    def planner(self) -> str:
        """Name of the student that sees the walls."""
        is_file = self.student is None or ":" not in self.student.name
        return PLANNER if is_file else str(self.student)

    @property
    def settings(self) -> Sequence[Setting]:
        """Mazes; a run has all numbers of gradient steps, after one training before the change."""
        return [Setting((maze,), self.runs, maze) for maze in MAZES]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "worse: normalised return below 99%; n runs; medians of recovery times and of worse "
            "steps in a row, with 95% intervals by order statistics; else means with Student's; "
            f"{FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, another number outside its range, or a file that is
                not a student.
        """
        super().check()
        if self.student is not None:
            read_student(self.student)


def read_student(path: Path) -> Any:
    """Return the policy of a file or of `module:name`.

    Raises:
        ValueError: for a file that is not a student, or an unknown module or name.
        TypeError: if the name is not that of a policy.
    """
    if ":" in path.name and not path.exists():
        return as_teacher(import_name("student", str(path)))
    return load_student(path)


def run(config: AdaptConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each maze, student, run and world step: normalised_return, that of the greedy
        policy from the start (after one change, at step 0) or from the agent's position (drifting).
    """
    return {config.name: stack_runs((runner or Runner()).run(trial, config))}


def trial(config: AdaptConfig, maze: str, number: int) -> Table:
    """Run one student in one maze, at each number of gradient steps and without distillation."""
    torch.set_num_threads(1)
    seed = seed_of(config.seed, number)
    first = Schedule.from_text(PRESETS["dyna" if maze == DRIFTING else maze]).layouts[0]
    distiller = Distiller(
        MLP((first.num_cells,), 4, WIDTH, seed=seed),
        SingleMazeSource(first),
        total_steps=PRETRAINING_STEPS + RATE_FALLS,
        learning_rate=LEARNING_RATE,
    ).distil(PRETRAINING_STEPS)
    students: dict[str, SingleMazeStudent | PlanesStudent] = {
        student_name(steps): SingleMazeStudent(deepcopy(distiller), steps)
        for steps in (0, *config.gradient_steps)
    }
    if config.student is not None:
        students[config.planner] = PlanesStudent(read_student(config.student))
    curves = {
        name: run_drifting(student, config, seed)
        if maze == DRIFTING
        else run_one_change(student, maze, config.steps)
        for name, student in students.items()
    }
    return stack(
        [
            make_table(
                maze=maze,
                student=name,
                run=number,
                step=np.arange(len(curve)),
                normalised_return=curve,
            )
            for name, curve in curves.items()
        ]
    )


class SingleMazeStudent:
    """Student that sees only its position, and is distilled further after each change.

    Args:
        distiller: its distillation so far.
        gradient_steps: for each world step.
    """

    def __init__(self, distiller: Distiller, gradient_steps: int) -> None:
        self.distiller, self.gradient_steps = distiller, gradient_steps

    def on_change(self, layout: Layout) -> None:
        """Let the teacher label the changed maze from now on."""
        self.distiller.source = SingleMazeSource(layout)

    def step(self) -> None:
        """Train for a world step."""
        self.distiller.distil(self.gradient_steps)

    def logits(self, layout: Layout) -> Any:
        """Return the logits of every cell, (cells, 4), which do not depend on the maze."""
        return self.distiller.student.action_logits(np.eye(layout.num_cells, dtype=np.float32))


class PlanesStudent:
    """Student that sees the maze as it is, and is not trained further."""

    def __init__(self, student: Any) -> None:
        self.student = student

    def on_change(self, layout: Layout) -> None:
        """Do nothing: the student sees the change."""

    def step(self) -> None:
        """Do nothing: the student is not trained."""

    def logits(self, layout: Layout) -> Any:
        """Return the logits of every cell of a maze, (cells, 4)."""
        return scatter_logits(layout, self.student.action_logits(query_planes(layout)))


def run_one_change(
    student: SingleMazeStudent | PlanesStudent, maze: str, steps: int
) -> list[float]:
    """Return the normalised return from the start, at the change and after each following step."""
    after = Schedule.from_text(PRESETS[maze]).layouts[1]
    student.on_change(after)
    curve = [normalised_return(after, student.logits(after))]
    for _ in range(steps):
        student.step()
        curve.append(normalised_return(after, student.logits(after)))
    return curve


def run_drifting(
    student: SingleMazeStudent | PlanesStudent, config: AdaptConfig, seed: int
) -> list[float]:
    """Return the normalised return from the agent's position at each step while walls drift."""
    env: Any = gym.make(
        "DynaMazeDrifting-v0",
        random_changes={"when": "each_step", "probability": config.drift, "cells": CHANGED_CELLS},
        max_episode_steps=-1,
    ).unwrapped
    env.reset(seed=seed)
    layout, curve = env.layout, []
    for _ in range(config.drift_steps):
        if env.layout is not layout:
            layout = env.layout
            student.on_change(layout)
        logits = student.logits(layout)
        row, col = env.agent
        curve.append(normalised_return(layout, logits, env.agent))
        action = int(logits[row * layout.walls.shape[1] + col].argmax())
        _, _, terminated, _, _ = env.step(action)
        if terminated:
            env.reset()
        student.step()
    return curve


# -- one known maze -----------------------------------------------------------------------------


class SingleMazeSource:
    """Source of a maze's best actions in all of its cells.

    Args:
        layout: the maze.
    """

    levels = ()

    def __init__(self, layout: Layout) -> None:
        free = np.flatnonzero(~layout.walls.ravel() & (layout.distances.ravel() > 0))
        cells = np.eye(layout.num_cells, dtype=np.float32)[free]
        self._batch = make_batch(cells, log_probabilities(optimal_policy(layout, GAMMA)[free]))

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Return all cells."""
        return self._batch


def query_planes(layout: Layout) -> Any:
    """Return a maze's planes with every free cell but the goals queried, (1, 3, rows, cols)."""
    planes = np.zeros((1, 3, *layout.walls.shape), dtype=np.float32)
    planes[0, 0] = layout.walls
    planes[0, 1] = ~layout.walls & (layout.distances != 0)
    planes[0, 2] = layout.distances == 0
    return planes


def scatter_logits(layout: Layout, logits: Any) -> Any:
    """Return the logits of all cells, (cells, 4), from those of the queried cells."""
    scattered = np.zeros((layout.num_cells, 4))
    scattered[query_planes(layout)[0, 1].ravel() > 0.5] = logits
    return scattered


def normalised_return(layout: Layout, logits: Any, cell: Cell | None = None) -> float:
    """Return the greedy policy's discounted return as a fraction of the optimal one.

    Args:
        layout: the maze.
        logits: (cells, 4).
        cell: the first cell; None for the start.
    """
    planes = query_planes(layout)
    cells = planes[0, 1].ravel() > 0.5
    row, col = layout.starts[0] if cell is None else cell
    at = int(cells[: row * layout.walls.shape[1] + col].sum())
    steps = steps_to_goal(planes, logits.argmax(axis=1)[cells])[at]
    # The reward is 1 at the goal, so a return is gamma^(steps - 1).
    return float(GAMMA ** (steps - layout.distances[row, col])) if steps >= 0 else 0.0


# -- plot and summary --------------------------------------------------------------------------


def student_name(gradient_steps: int) -> str:
    """Return the name of a student with a number of gradient steps for each world step."""
    if not gradient_steps:
        return NO_DISTILLATION
    return f"{gradient_steps} gradient {'step' if gradient_steps == 1 else 'steps'} a step"


def recovery_time(curve: Any) -> float:
    """Return the world steps until the return stays recovered; inf if it does not."""
    below = np.flatnonzero(np.asarray(curve) < RECOVERED)
    if not below.size:
        return 0.0
    return float(below[-1] + 1) if below[-1] + 1 < len(curve) else np.inf


def run_lengths(curve: Any) -> list[int]:
    """Return the lengths of the runs of steps below `RECOVERED`; the last may be cut off."""
    below = np.concatenate([[False], np.asarray(curve) < RECOVERED, [False]])
    edges = np.flatnonzero(np.diff(below.astype(np.int8)))
    return (edges[1::2] - edges[::2]).tolist()  # type: ignore[no-any-return]


def summary(tables: Tables, config: AdaptConfig) -> dict[str, Lines]:
    """Return a line for each maze and student: the cost of a change and its duration."""
    rows = tables[config.name]
    once: Lines = [
        ("maze", "student", "n", "normalised return at the change", "recovery time, steps")
    ]
    for maze in ONE_CHANGE:
        for student, curves in _curves_in(rows, maze).items():
            times = [recovery_time(curve) for curve in curves]
            worse = median_text(times, limit=curves.shape[1] - 1)
            # Some students still reach the goal at the change, others do not.
            at_change = _percent(curves[:, 0], "time")
            once.append((maze, student, str(len(curves)), at_change, worse))
    drift: Lines = [
        ("student", "n", "normalised return", "fraction of steps worse", "worse steps in a row")
    ]
    for student, curves in _curves_in(rows, DRIFTING).items():
        worse = _percent((curves < RECOVERED).mean(axis=1))
        cells = (_percent(curves.mean(axis=1)), worse, _run_length_text(curves))
        drift.append((student, str(len(curves)), *cells))
    return {
        "After one change, from the start": once,
        "While walls drift, from its position": drift,
    }


def _percent(fractions: Any, kind: str = "mean") -> str:
    return mean_text(100 * np.asarray(fractions), kind=kind, unit="%")


def _run_length_text(curves: Any) -> str:
    """Return the median over the runs that have worse steps of their mean number in a row."""
    lengths = [np.mean(each) for each in map(run_lengths, curves) if each]
    if not lengths:
        return "-"
    text = median_text(lengths, 1)
    return text if len(lengths) == len(curves) else f"{text} n={len(lengths)}"


def _curves_in(rows: Table, maze: str) -> dict[str, Any]:
    """Return the normalised returns of each student in a maze, (runs, steps)."""
    own = rows_where(rows, maze=maze)
    return {
        student: by_run(rows_where(own, student=student), "normalised_return")
        for student in distinct(own, "student")
    }


def plot(tables: Tables, config: AdaptConfig) -> Figure:
    """Return the plot: a panel for each maze that changes once, and one for drifting walls.

    In the last one a point is a run: the fraction of its steps in which the student is worse.
    """
    figure, (row,) = panels(1, len(MAZES), size=(13, 4.2))
    colours: dict[str, str] = {}
    for axes, maze in zip(row, ONE_CHANGE, strict=False):
        for student, curves in _curves_in(tables[config.name], maze).items():
            style = "--" if student == config.planner else "-"
            colours[student] = line_with_band(
                axes,
                np.arange(curves.shape[1]),
                mean_interval(100 * curves),
                label=student,
                linestyle=style,
            )
        axes.set_title(f"{maze} maze, after one change")
        axes.set_xlabel("world steps after the change")
        axes.set_ylabel("normalised return from the start, %")
        axes.set_ylim(-3, 104)
    for at, (student, curves) in enumerate(_curves_in(tables[config.name], DRIFTING).items()):
        each = 100 * (curves < RECOVERED).mean(axis=1)
        points_of_runs(row[-1], at, each)
        points_with_bars(row[-1], at, mean_interval(each), fmt="o", color=colours[student])
    row[-1].set_xticks([])
    row[-1].set_ylabel("steps in which it is worse, %")
    row[-1].set_title(f"walls drift, {config.drift_steps} steps each")
    legend_below(figure, row[0], 5)
    runs = count_text(len(distinct(tables[config.name], "run")))
    figure.suptitle(f"Students while the maze changes: mean, {runs}, 95% interval")
    return figure


if __name__ == "__main__":
    run_script(__file__)
