"""`dynamaze distill adapt`: how long a student is worse when the maze changes under it.

A student that sees the walls follows a change at once, if it has learned to plan. One that sees
only where it is has learned one maze by heart: after the change it must be distilled anew, from the
best actions in every cell of the maze as it is now, while the world goes on. Here it takes some
gradient steps for each step of the world, from the step after the change on.

Two questions:

- after one change, in the book's mazes: how long until it is as good as before, from the start;
- while walls open and close for ever, in the middle of its episodes: how much of its life is it
  worse? It lives in `DynaMazeDrifting-v0`, by its best actions as they are at each step, and is
  judged from where it stands.

Both are judged at each step of the world, exactly: by the share of the best return that its best
actions keep in the maze as it is now. A student is worse while that is below 99%.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from matplotlib.figure import Figure

from dynamaze.common.validation import checked_number
from dynamaze.distill.files.students import load_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.mazes.layout import Layout
from dynamaze.envs.mazes.schedule import PRESETS, Schedule

from ..harness.intervals import format_interval, mean_interval, quantile_interval
from ..harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from ..harness.table import Table, rows_where, stack
from .changing_mazes import CELLS
from .single_maze import KnownMaze, asked, everywhere, kept

ONE_CHANGE = ("blocking", "shortcut")
"""The book's mazes that change once (Sutton & Barto 2018, examples 8.2 and 8.3)."""

DRIFTING = "drifting"
WORLDS = (*ONE_CHANGE, DRIFTING)

WIDTH = 8
LEARNING_RATE = 0.02
LEARNED = 1000
"""Units of the student, Adam's step size, and gradient steps before the change."""

RATE_FALLS = 100_000
"""Gradient steps after it over which the step size would fall to nothing: it hardly does."""

ENOUGH = 0.99
NEVER, PLANNER = "not distilled again", "planner that sees the walls"

CAPTION = "worse: less than 99% of the best return is kept; medians and means with 95% intervals"


@dataclass(frozen=True)
class Adapt(ExperimentConfig):
    """How long students are worse when a maze changes, and what it takes to distil them anew."""

    name: ClassVar[str] = "adapt"

    student: Path | None = None
    """A file of `dynamaze distill student`, a planner that sees the walls; judged beside them."""
    runs: int = 30
    """Students of each kind, which differ in their first weights."""
    steps: int = 50
    """Steps of the world that are watched after the one change."""
    life: int = 500
    """Steps of the life while walls drift."""
    drift: float = 0.05
    """How likely a change is after each of these: four walls open, and four close."""
    gradient_steps: tuple[int, ...] = (1, 4, 16)
    """Gradient steps for each step of the world."""
    seed: int = 0
    """Settles every number."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def jobs(self) -> list[tuple[Adapt, str, int]]:
        """World and number of each run."""
        return [(self, world, run) for world in WORLDS for run in range(self.runs)]

    @property
    def total_runs(self) -> int:
        """Runs in all worlds together."""
        return len(self.jobs)


def main(config: Adapt) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, another number outside its range, or a file that is no
            student.
        OSError: if the output folder cannot be written.
    """
    check_runs(config.runs)
    checked_number("steps", config.steps, 0, whole=True)
    checked_number("life", config.life, 1, whole=True)
    checked_number("drift", config.drift, 0, 1, above=True)
    for pace in config.gradient_steps:
        checked_number("gradient_steps", pace, 1, whole=True)
    if config.student is not None:
        load_student(config.student)
    cache_dir = cache_folder(config)
    run_module(__name__, config, title="After a change", caption=CAPTION, cache_dir=cache_dir)


def run(
    config: Adapt, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Returns:
        A row for each world, student, run and step of the world: kept, the share of the best return
        from the start (after one change, at step 0) or from where the agent stands (drifting).
    """
    rows = stack(
        run_jobs(trial, config.jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    )
    return {config.name: rows}


def trial(config: Adapt, world: str, number: int) -> Table:
    """One run: the same student, distilled anew at each pace and not at all."""
    torch.set_num_threads(1)
    seed = int(np.random.SeedSequence([config.seed, number]).generate_state(1)[0] % 2**31)
    first = Schedule.from_text(PRESETS["dyna" if world == DRIFTING else world]).layouts[0]
    learned = Distiller(
        MLP((first.num_cells,), 4, WIDTH, seed=seed),
        KnownMaze(first),
        total_steps=LEARNED + RATE_FALLS,
        learning_rate=LEARNING_RATE,
    ).distil(LEARNED)
    students: dict[str, ByHeart | Seeing] = {
        told(pace): ByHeart(deepcopy(learned), pace) for pace in (0, *config.gradient_steps)
    }
    if config.student is not None:
        students[PLANNER] = Seeing(load_student(config.student))
    curves = {
        name: drifting(student, config, seed)
        if world == DRIFTING
        else after_one_change(student, world, config.steps)
        for name, student in students.items()
    }
    length = len(curves[NEVER])
    return {
        "world": np.full(length * len(curves), world),
        "student": np.repeat([*curves], length),
        "run": np.full(length * len(curves), number),
        "step": np.tile(np.arange(length), len(curves)),
        "kept": np.concatenate([*curves.values()]),
    }


class ByHeart:
    """A student that sees only where it is, and is distilled anew in the maze as it is now.

    Args:
        distiller: what it has been taught by so far.
        pace: gradient steps for each step of the world.
    """

    def __init__(self, distiller: Distiller, pace: int) -> None:
        self.distiller, self.pace = distiller, pace

    def changed(self, layout: Layout) -> None:
        """From now on the teacher answers for this maze."""
        self.distiller.source = KnownMaze(layout)

    def step(self) -> None:
        """What it learns in a step of the world."""
        self.distiller.distil(self.pace)

    def logits(self, layout: Layout) -> Any:
        """(cells, 4) logits in every cell, whatever the maze."""
        return self.distiller.student.action_logits(np.eye(layout.num_cells, dtype=np.float32))


class Seeing:
    """A student that sees the maze as it is, and learns nothing any more."""

    def __init__(self, student: Any) -> None:
        self.student = student

    def changed(self, layout: Layout) -> None:
        """Nothing: it sees for itself."""

    def step(self) -> None:
        """Nothing."""

    def logits(self, layout: Layout) -> Any:
        """(cells, 4) logits in every cell of a maze."""
        return everywhere(layout, self.student.action_logits(asked(layout)))


def after_one_change(student: ByHeart | Seeing, world: str, steps: int) -> list[float]:
    """What a student keeps from the start, at the change and after each step that follows."""
    after = Schedule.from_text(PRESETS[world]).layouts[1]
    student.changed(after)
    curve = [kept(after, student.logits(after))]
    for _ in range(steps):
        student.step()
        curve.append(kept(after, student.logits(after)))
    return curve


def drifting(student: ByHeart | Seeing, config: Adapt, seed: int) -> list[float]:
    """What a student keeps from where it stands, at each step of a life while walls drift."""
    world: Any = gym.make(
        "DynaMazeDrifting-v0",
        random_changes={"when": "each_step", "probability": config.drift, "cells": CELLS},
        max_episode_steps=-1,
    ).unwrapped
    world.reset(seed=seed)
    layout, curve = world.layout, []
    for _ in range(config.life):
        if world.layout is not layout:
            layout = world.layout
            student.changed(layout)
        logits = student.logits(layout)
        row, col = world.agent
        curve.append(kept(layout, logits, world.agent))
        action = int(logits[row * layout.walls.shape[1] + col].argmax())
        _, _, terminated, _, _ = world.step(action)
        if terminated:
            world.reset()
        student.step()
    return curve


def told(pace: int) -> str:
    """What a student is called that takes so many gradient steps for each step of the world."""
    return f"{pace} gradient {'step' if pace == 1 else 'steps'} a step" if pace else NEVER


def worse_for(curve: Any) -> float:
    """Steps of the world until enough is kept for good; inf if that does not come."""
    below = np.flatnonzero(np.asarray(curve) < ENOUGH)
    if not below.size:
        return 0.0
    return float(below[-1] + 1) if below[-1] + 1 < len(curve) else np.inf


def spells(curve: Any) -> list[int]:
    """Lengths of the stretches of steps in which too little is kept; the last may be cut short."""
    below = np.concatenate([[False], np.asarray(curve) < ENOUGH, [False]])
    edges = np.flatnonzero(np.diff(below.astype(np.int8)))
    return (edges[1::2] - edges[::2]).tolist()  # type: ignore[no-any-return]


def summary(tables: dict[str, Table], config: Adapt) -> dict[str, list[tuple[str, ...]]]:
    """A line for each world and student: how much change costs, and for how long."""
    rows = tables[config.name]
    once: list[tuple[str, ...]] = [("world", "student", "kept at once", "steps it is worse")]
    for world in ONE_CHANGE:
        for student, curves in _curves_in(rows, world).items():
            middle, least, most = quantile_interval([worse_for(curve) for curve in curves])
            worse = f"{_steps(middle, config)} [{_steps(least, config)}, {_steps(most, config)}]"
            once.append((world, student, _percent(curves[:, 0]), worse))
    ever: list[tuple[str, ...]] = [("student", "kept", "share of its life it is worse", "a spell")]
    for student, curves in _curves_in(rows, DRIFTING).items():
        worse = _percent((curves < ENOUGH).mean(axis=1))
        ever.append((student, _percent(curves.mean(axis=1)), worse, _spell(curves)))
    return {"After one change, from the start": once, "While walls drift, where it stands": ever}


def _percent(shares: Any) -> str:
    return format_interval(
        mean_interval(100 * np.asarray(shares)), unit="%", minimum=0, maximum=100
    )


def _spell(curves: Any) -> str:
    """How long a spell lasts in the mean of those runs that have any."""
    lengths = [np.mean(each) for each in map(spells, curves) if each]
    if len(lengths) < 2:
        return "-"
    return format_interval(mean_interval(lengths), unit=" steps", minimum=1)


def _steps(number: Any, config: Adapt) -> str:
    return f"{number:.0f}" if np.isfinite(number) else f"over {config.steps}"


def _curves_in(rows: Table, world: str) -> dict[str, Any]:
    """Of each student (runs, steps) what is kept in a world."""
    own = rows_where(rows, "world", world)
    return {
        student: _curves(rows_where(own, "student", student))
        for student in dict.fromkeys(own["student"].tolist())
    }


def _curves(rows: Table) -> Any:
    return np.stack([rows_where(rows, "run", run)["kept"] for run in np.unique(rows["run"])])


def plot(tables: dict[str, Table], config: Adapt) -> Figure:
    """A panel for each world that changes once, of what is kept; and one for lives while it drifts.

    In the last one a point is a run: the share of its life in which the student is worse.
    """
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    grid: Any = figure.subplots(1, len(WORLDS))
    colours: dict[str, Any] = {}
    for axes, world in zip(grid, ONE_CHANGE, strict=False):
        for student, curves in _curves_in(tables[config.name], world).items():
            mean, low, high = mean_interval(100 * curves)
            line = axes.plot(mean, label=student, linestyle="--" if student == PLANNER else "-")
            colours[student] = line[0].get_color()
            axes.fill_between(
                range(len(mean)), low, high, color=colours[student], alpha=0.25, linewidth=0
            )
        axes.set_title(f"{world} maze, after one change", fontsize=10)
        axes.set_xlabel("steps of the world after the change")
        axes.set_ylabel("% of the best return kept from the start")
        axes.set_ylim(-3, 104)
    for at, (student, curves) in enumerate(_curves_in(tables[config.name], DRIFTING).items()):
        each = 100 * (curves < ENOUGH).mean(axis=1)
        mean, low, high = mean_interval(each)
        spread = at + np.linspace(-0.2, 0.2, len(each))
        grid[-1].plot(spread, each, ".", color="silver", zorder=0)
        bars = [[mean - low], [high - mean]]
        grid[-1].errorbar(at, mean, bars, fmt="o", capsize=4, color=colours[student])
    grid[-1].set_xticks([])
    grid[-1].set_ylabel("% of its life in which it is worse")
    grid[-1].set_title(f"walls drift, {config.life} steps each", fontsize=10)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(f"Students while the maze changes: mean of {config.runs} runs, 95% interval")
    return figure
