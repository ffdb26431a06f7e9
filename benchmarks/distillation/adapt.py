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

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from matplotlib.figure import Figure

from dynamaze.benchmarks.distillation.changing_mazes import CHANGED_CELLS
from dynamaze.benchmarks.distillation.single_maze import (
    SingleMazeSource,
    normalised_return,
    query_planes,
    scatter_logits,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.intervals import format_interval, mean_interval, quantile_interval
from dynamaze.benchmarks.harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
from dynamaze.common.validation import checked_number
from dynamaze.distill.files.students import load_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.mazes.layout import Layout
from dynamaze.envs.mazes.schedule import PRESETS, Schedule

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

CAPTION = "worse: normalised return below 99%; medians and means with 95% intervals"


@dataclass(frozen=True)
class AdaptConfig(ExperimentConfig):
    """Recovery time of students after a maze changes, with and without further distillation."""

    name: ClassVar[str] = "adapt"
    old_names: ClassVar[Mapping[str, str]] = {
        "kept": "normalised_return",
        "world": "maze",
        "not distilled again": "no further distillation",
        "planner that sees the walls": "value iteration network",
    }

    student: Path | None = None
    """A file of `dynamaze distill student`, a network that sees the walls; evaluated too."""
    runs: int = 30
    """Students of each kind, with different initial weights."""
    steps: int = 50
    """World steps after the one change."""
    drift_steps: int = 500
    """World steps while walls drift."""
    drift: float = 0.05
    """Probability of a change after each of these: four walls open, and four close."""
    gradient_steps: tuple[int, ...] = (1, 4, 16)
    """Gradient steps for each world step."""
    seed: int = 0
    """Seed of all random numbers."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def jobs(self) -> list[tuple[AdaptConfig, str, int]]:
        """Maze and number of each run."""
        return [(self, maze, run) for maze in MAZES for run in range(self.runs)]

    @property
    def total_runs(self) -> int:
        """Number of runs in all mazes."""
        return len(self.jobs)


def main(config: AdaptConfig) -> None:
    """Run the experiment, store its tables and plot, and print their paths.

    Raises:
        ValueError: for fewer than 2 runs, another number outside its range, or a file that is not a
            student.
        OSError: if the output folder cannot be written.
    """
    check_runs(config.runs)
    checked_number("steps", config.steps, 0, whole=True)
    checked_number("drift_steps", config.drift_steps, 1, whole=True)
    checked_number("drift", config.drift, 0, 1, above=True)
    for steps in config.gradient_steps:
        checked_number("gradient_steps", steps, 1, whole=True)
    if config.student is not None:
        load_student(config.student)
    cache_dir = cache_folder(config)
    run_module(__name__, config, title="After a change", caption=CAPTION, cache_dir=cache_dir)


def run(
    config: AdaptConfig, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Returns:
        A row for each maze, student, run and world step: normalised_return, that of the greedy
        policy from the start (after one change, at step 0) or from the agent's position (drifting).
    """
    rows = stack(
        run_jobs(trial, config.jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    )
    return {config.name: rows}


def trial(config: AdaptConfig, maze: str, number: int) -> Table:
    """Run one student in one maze, at each number of gradient steps and without distillation."""
    torch.set_num_threads(1)
    seed = int(np.random.SeedSequence([config.seed, number]).generate_state(1)[0] % 2**31)
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
        students[PLANNER] = PlanesStudent(load_student(config.student))
    curves = {
        name: run_drifting(student, config, seed)
        if maze == DRIFTING
        else run_one_change(student, maze, config.steps)
        for name, student in students.items()
    }
    length = len(curves[NO_DISTILLATION])
    return {
        "maze": np.full(length * len(curves), maze),
        "student": np.repeat([*curves], length),
        "run": np.full(length * len(curves), number),
        "step": np.tile(np.arange(length), len(curves)),
        "normalised_return": np.concatenate([*curves.values()]),
    }


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


def summary(tables: dict[str, Table], config: AdaptConfig) -> dict[str, list[tuple[str, ...]]]:
    """Return a line for each maze and student: the cost of a change and its duration."""
    rows = tables[config.name]
    once: list[tuple[str, ...]] = [
        ("maze", "student", "normalised return at the change", "recovery time, steps")
    ]
    for maze in ONE_CHANGE:
        for student, curves in _curves_in(rows, maze).items():
            middle, low, high = quantile_interval([recovery_time(curve) for curve in curves])
            worse = f"{_steps(middle, config)} [{_steps(low, config)}, {_steps(high, config)}]"
            once.append((maze, student, _percent(curves[:, 0]), worse))
    drift: list[tuple[str, ...]] = [
        ("student", "normalised return", "fraction of steps worse", "worse steps in a row")
    ]
    for student, curves in _curves_in(rows, DRIFTING).items():
        worse = _percent((curves < RECOVERED).mean(axis=1))
        drift.append((student, _percent(curves.mean(axis=1)), worse, _mean_run_length(curves)))
    return {
        "After one change, from the start": once,
        "While walls drift, from its position": drift,
    }


def _percent(fractions: Any) -> str:
    return format_interval(
        mean_interval(100 * np.asarray(fractions)), unit="%", minimum=0, maximum=100
    )


def _mean_run_length(curves: Any) -> str:
    """Return the mean length of a run of worse steps, over the runs that have any."""
    lengths = [np.mean(each) for each in map(run_lengths, curves) if each]
    if len(lengths) < 2:
        return "-"
    return format_interval(mean_interval(lengths), unit=" steps", minimum=1)


def _steps(number: Any, config: AdaptConfig) -> str:
    return f"{number:.0f}" if np.isfinite(number) else f"over {config.steps}"


def _curves_in(rows: Table, maze: str) -> dict[str, Any]:
    """Return the normalised returns of each student in a maze, (runs, steps)."""
    own = rows_where(rows, "maze", maze)
    return {
        student: _curves(rows_where(own, "student", student))
        for student in dict.fromkeys(own["student"].tolist())
    }


def _curves(rows: Table) -> Any:
    return np.stack(
        [rows_where(rows, "run", run)["normalised_return"] for run in np.unique(rows["run"])]
    )


def plot(tables: dict[str, Table], config: AdaptConfig) -> Figure:
    """Return the plot: a panel for each maze that changes once, and one for drifting walls.

    In the last one a point is a run: the fraction of its steps in which the student is worse.
    """
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    grid: Any = figure.subplots(1, len(MAZES))
    colours: dict[str, Any] = {}
    for axes, maze in zip(grid, ONE_CHANGE, strict=False):
        for student, curves in _curves_in(tables[config.name], maze).items():
            mean, low, high = mean_interval(100 * curves)
            line = axes.plot(mean, label=student, linestyle="--" if student == PLANNER else "-")
            colours[student] = line[0].get_color()
            axes.fill_between(
                range(len(mean)), low, high, color=colours[student], alpha=0.25, linewidth=0
            )
        axes.set_title(f"{maze} maze, after one change", fontsize=10)
        axes.set_xlabel("world steps after the change")
        axes.set_ylabel("normalised return from the start, %")
        axes.set_ylim(-3, 104)
    for at, (student, curves) in enumerate(_curves_in(tables[config.name], DRIFTING).items()):
        each = 100 * (curves < RECOVERED).mean(axis=1)
        mean, low, high = mean_interval(each)
        spread = at + np.linspace(-0.2, 0.2, len(each))
        grid[-1].plot(spread, each, ".", color="silver", zorder=0)
        bars = [[mean - low], [high - mean]]
        grid[-1].errorbar(at, mean, bars, fmt="o", capsize=4, color=colours[student])
    grid[-1].set_xticks([])
    grid[-1].set_ylabel("steps in which it is worse, %")
    grid[-1].set_title(f"walls drift, {config.drift_steps} steps each", fontsize=10)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(f"Students while the maze changes: mean of {config.runs} runs, 95% interval")
    return figure


if __name__ == "__main__":
    run_script(__file__)
