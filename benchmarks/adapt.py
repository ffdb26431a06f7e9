"""`dynamaze distill adapt`: how long a student is worse when the maze changes under it.

A student that sees the walls follows a change at once, if it has learned to plan. One that sees
only where it is has learned one maze by heart: after the change it must be distilled anew, from the
best actions in every cell of the maze as it is now, while the world goes on. Here it takes some
gradient steps for each step of the world, from the step after the change on.

Both are judged at each step of the world, exactly: by the share of the best return that their best
actions keep from the start. A student is worse while that is below 99%.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from dynamaze.distill.data import Batch, make_batch
from dynamaze.distill.distiller import Distiller
from dynamaze.distill.files import load_student
from dynamaze.distill.logits import log_probabilities
from dynamaze.distill.students.mlp import MLP
from dynamaze.envs.exact import optimal_policy
from dynamaze.envs.layout import Layout
from dynamaze.envs.presets import PRESETS
from dynamaze.envs.questions import BestActions, steps_to_goal
from dynamaze.envs.schedule import Schedule

from .judging import GAMMA
from .runner import OnRun, Storing, check_runs, kept_folder, run_alone, work
from .statistics import mean_interval, quantile_interval
from .table import Table, rows_where, stack

WORLDS = ("blocking", "shortcut")
"""The book's mazes that change once (Sutton & Barto 2018, examples 8.2 and 8.3)."""

WIDTH = 8
LEARNING_RATE = 0.02
LEARNED = 1000
"""Units of the student, Adam's step size, and gradient steps before the change."""

RATE_FALLS = 100_000
"""Gradient steps after it over which the step size would fall to nothing: it hardly does."""

ENOUGH = 0.99
NEVER, PLANNER = "not distilled again", "planner that sees the walls"

CAPTION = "steps of the world until 99% of the best return is kept again, median and 95% interval"


@dataclass(frozen=True)
class Adapt(Storing):
    """How long students are worse when a maze changes, and what it takes to distil them anew."""

    name: ClassVar[str] = "adapt"

    student: Path | None = None
    """A file of `dynamaze distill student`, a planner that sees the walls; judged beside them."""
    runs: int = 30
    """Students of each kind, which differ in their first weights."""
    steps: int = 50
    """Steps of the world that are watched after the change."""
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


class KnownMaze:
    """A source that gives every cell of a maze at once, with the best actions as it is now.

    Args:
        layout: the maze.
    """

    levels = ()

    def __init__(self, layout: Layout) -> None:
        free = np.flatnonzero(~layout.walls.ravel() & (layout.distances.ravel() > 0))
        cells = np.eye(layout.num_cells, dtype=np.float32)[free]
        self._batch = make_batch(cells, log_probabilities(optimal_policy(layout, GAMMA)[free]))

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """All cells."""
        return self._batch


def main(config: Adapt) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, or a file that is no student.
        OSError: if the output folder cannot be written.
    """
    check_runs(config.runs)
    if config.student is not None:
        load_student(config.student)
    keep = kept_folder(config)
    run_alone(__name__, config, title="After a change", caption=CAPTION, keep=keep)


def run(config: Adapt, on_run: OnRun = None, keep: Path | None = None) -> dict[str, Table]:
    """Run the experiment.

    Returns:
        A row for each world, student, run and step of the world after the change: kept, the share
        of the best return from the start.
    """
    rows = stack(work(trial, config.jobs, workers=config.workers, keep=keep, on_run=on_run))
    return {config.name: rows}


def trial(config: Adapt, world: str, number: int) -> Table:
    """One run: the same student, distilled anew at each pace and not at all."""
    torch.set_num_threads(1)
    before, after = Schedule.from_text(PRESETS[world]).layouts
    seed = int(np.random.SeedSequence([config.seed, number]).generate_state(1)[0] % 2**31)
    learned = Distiller(
        MLP((before.num_cells,), 4, WIDTH, seed=seed),
        KnownMaze(before),
        total_steps=LEARNED + RATE_FALLS,
        learning_rate=LEARNING_RATE,
    ).distil(LEARNED)
    cells = np.eye(before.num_cells, dtype=np.float32)
    curves: dict[str, list[float]] = {}
    for pace in (0, *config.gradient_steps):
        anew = deepcopy(learned)
        anew.source = KnownMaze(after)
        curve = [kept(after, anew.student.action_logits(cells))]
        for _ in range(config.steps):
            anew.distil(pace)
            curve.append(kept(after, anew.student.action_logits(cells)))
        curves[told(pace)] = curve
    if config.student is not None:
        planner = load_student(config.student)
        sees = kept(after, everywhere(after, planner.action_logits(asked(after))))
        curves[PLANNER] = [sees] * (config.steps + 1)
    length = config.steps + 1
    return {
        "world": np.full(length * len(curves), world),
        "student": np.repeat([*curves], length),
        "run": np.full(length * len(curves), number),
        "step": np.tile(np.arange(length), len(curves)),
        "kept": np.concatenate([*curves.values()]),
    }


def told(pace: int) -> str:
    """What a student is called that takes so many gradient steps for each step of the world."""
    return f"{pace} gradient {'step' if pace == 1 else 'steps'} a step" if pace else NEVER


def asked(layout: Layout) -> Any:
    """(1, 3, rows, cols) planes of a maze in which every free cell but the goals is asked."""
    planes = np.zeros((1, 3, *layout.walls.shape), dtype=np.float32)
    planes[0, 0] = layout.walls
    planes[0, 1] = ~layout.walls & (layout.distances != 0)
    planes[0, 2] = layout.distances == 0
    return planes


def everywhere(layout: Layout, logits: Any) -> Any:
    """(cells, 4) logits of all cells, of those of the cells asked."""
    spread = np.zeros((layout.num_cells, 4))
    spread[asked(layout)[0, 1].ravel() > 0.5] = logits
    return spread


def kept(layout: Layout, logits: Any) -> float:
    """The share of the best discounted return from the start that the best actions keep."""
    planes = asked(layout)
    cells = planes[0, 1].ravel() > 0.5
    start = np.ravel_multi_index(layout.starts[0], layout.walls.shape)
    at = int(cells[:start].sum())
    steps = steps_to_goal(planes, logits.argmax(axis=1)[cells])[at]
    best = steps_to_goal(planes, BestActions().action_probabilities(planes).argmax(axis=1))[at]
    return float(GAMMA ** (steps - best)) if steps >= 0 else 0.0


def worse_for(curve: Any) -> float:
    """Steps of the world until enough is kept for good; inf if that does not come."""
    below = np.flatnonzero(np.asarray(curve) < ENOUGH)
    if not below.size:
        return 0.0
    return float(below[-1] + 1) if below[-1] + 1 < len(curve) else np.inf


def summary(tables: dict[str, Table], config: Adapt) -> list[tuple[str, ...]]:
    """A line for each world and student: how much the change costs, and for how long."""
    rows = tables[config.name]
    lines: list[tuple[str, ...]] = [("world", "student", "kept at once", "steps it is worse")]
    for world in WORLDS:
        own = rows_where(rows, "world", world)
        for student in dict.fromkeys(own["student"].tolist()):
            curves = _curves(rows_where(own, "student", student))
            mean, low, high = mean_interval(100 * curves[:, 0])
            middle, least, most = quantile_interval([worse_for(curve) for curve in curves])
            at_once = f"{mean:.1f}% [{low:.1f}, {high:.1f}]"
            worse = f"{_steps(middle, config)} [{_steps(least, config)}, {_steps(most, config)}]"
            lines.append((world, student, at_once, worse))
    return lines


def _steps(number: Any, config: Adapt) -> str:
    return f"{number:.0f}" if np.isfinite(number) else f"over {config.steps}"


def _curves(rows: Table) -> Any:
    """(runs, steps) what is kept."""
    return np.stack([rows_where(rows, "run", run)["kept"] for run in np.unique(rows["run"])])


def plot(tables: dict[str, Table], config: Adapt) -> Figure:
    """A panel for each world: what is kept over the steps after the change."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    grid: Any = figure.subplots(1, len(WORLDS), sharey=True)
    for axes, world in zip(grid, WORLDS, strict=True):
        own = rows_where(tables[config.name], "world", world)
        for student in dict.fromkeys(own["student"].tolist()):
            curves = 100 * _curves(rows_where(own, "student", student))
            mean, low, high = mean_interval(curves)
            line = axes.plot(mean, label=student, linestyle="--" if student == PLANNER else "-")
            axes.fill_between(
                range(len(mean)), low, high, color=line[0].get_color(), alpha=0.25, linewidth=0
            )
        axes.set_title(f"{world} maze", fontsize=10)
        axes.set_xlabel("steps of the world after the change")
        axes.set_ylim(-3, 104)
    grid[0].set_ylabel("% of the best return kept")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"Students after a change: mean of {config.runs} runs, 95% interval")
    return figure
