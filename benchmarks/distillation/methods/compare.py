"""Command `dynamaze distill compare`: all methods that fit one teacher, at equal CPU time.

Each arm trains small convolutional networks for the same CPU seconds, whatever a step costs, and is
evaluated on held-out mazes: perfect, with loops, with obstacles, and changing. Methods of peers
train a cohort that shares the time; its result is the mean over the members. Beside the methods
stand three simple arms: one learner with all the time and labels (the default method), the same on
random states instead of mazes, and an ensemble of three that share the time. Methods of rewards
play in mazes with loops, with a reward at the goal alone.

A method that does not fit the teacher is listed with its reason. What an arm used is counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple
from warnings import catch_warnings

import numpy as np

from dynamaze.benchmarks.distillation.by_distance import (
    distance_sections,
    result_rows,
    split_ranges,
)
from dynamaze.benchmarks.distillation.changing_mazes import evaluate_in_changing_mazes
from dynamaze.benchmarks.distillation.mazes import (
    evaluate_policy,
    held_out_generators,
)
from dynamaze.benchmarks.distillation.methods.compare_arms import (
    COUNTED,
    MULTIPLE,
    SIMPLE,
    affordable_steps,
    make_training,
)
from dynamaze.benchmarks.distillation.methods.maze_teacher import (
    SIDE,
    TEACHER_STEPS,
    held_out_mazes,
    maze_teacher,
)
from dynamaze.benchmarks.distillation.student import read_teacher
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, mean_interval
from dynamaze.benchmarks.harness.analysis.plots import BLUE, GREY, panels, points_with_bars
from dynamaze.benchmarks.harness.analysis.summaries import mean_text
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
from dynamaze.common.options import Mazes, Range, Runs, Steps
from dynamaze.common.validation import checked_choice
from dynamaze.distill.core.distances import DistanceRange
from dynamaze.distill.training.method import METHODS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


STATIC, CHANGING = ("perfect", "loops", "obstacles"), "changing"
KINDS = (*STATIC, CHANGING)

MEASURES = ("success", "normalised_return", "agreement")


@dataclass(frozen=True)
class CompareConfig(ExperimentConfig):
    """Compare all methods of distillation that fit one teacher, at equal CPU time."""

    name: ClassVar[str] = "compare"
    title: ClassVar[str] = "Methods of distillation at equal CPU time"
    swept: ClassVar[tuple[str, ...]] = ("methods",)

    teacher: Path | None = None
    """A file of `dynamaze distill teacher`, module:name or path/file.py:name, as for `distill
    student`. By default a residual network of 131,556 parameters is trained first, in each
    process."""
    methods: tuple[str, ...] = ()
    """Methods and simple arms; by default all."""
    runs: Runs = 5
    cpu_seconds: Annotated[float, Range(0.01, limit=86_400)] = 20.0
    """CPU seconds of the training of an arm, in a run."""
    mazes: Mazes = 200
    """Held-out mazes of each kind, from every cell; of changing ones an episode in each."""
    teacher_steps: Steps = TEACHER_STEPS
    """Training steps of the default teacher."""

    @property
    def arms(self) -> list[str]:
        """Arms that are compared.

        Raises:
            ValueError: for an unknown name.
        """
        known = [*SIMPLE, *(name for name in METHODS if name != "soft")]
        for name in self.methods:
            checked_choice("methods", name, known)
        return list(dict.fromkeys(self.methods or known))

    @property
    def settings(self) -> Sequence[Setting]:
        """A setting for each arm that fits."""
        unfit = self.unfit()
        return [Setting((arm,), self.runs, arm) for arm in self.arms if arm not in unfit]

    def unfit(self) -> dict[str, str]:
        """Return the methods that do not fit the teacher, with the reason."""
        return unfit_methods(self)

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            f"mean over n seeds and Student's 95% interval; {self.cpu_seconds:g} CPU seconds of "
            f"training an arm; {FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an unknown method, or a number outside its range.
        """
        super().check()
        _ = self.arms


@cache
def unfit_methods(config: CompareConfig) -> dict[str, str]:
    """Return the arms that do not fit, and why: their construction is tried."""
    reasons = {}
    for arm in config.arms:
        try:
            with catch_warnings(action="ignore"):  # each run warns of a small teacher itself
                make_training(arm, teacher_of(config, untrained=True), seed=0, steps=MULTIPLE)
        except (TypeError, ValueError) as error:
            reasons[arm] = str(error)
    return reasons


def teacher_of(config: CompareConfig, *, untrained: bool = False) -> Any:
    """Return the teacher.

    Raises:
        ValueError, TypeError: for a file or a name that is no teacher.
    """
    if config.teacher is not None:
        return read_teacher(config.teacher)
    return maze_teacher(1 if untrained else config.teacher_steps)


def run(config: CompareConfig, runner: Runner | None = None) -> Tables:
    """Run the comparison.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each arm, run and kind of mazes, one for each of their ranges of distances, and
        one for each method that does not fit.
    """
    rows = stack_runs((runner or Runner()).run(trial, config))
    unfit = config.unfit() or {"": ""}
    results, ranges = split_ranges(rows)
    return {
        config.name: results,
        f"{config.name}_distances": ranges,
        f"{config.name}_unfit": from_rows([{"arm": a, "reason": r} for a, r in unfit.items()]),
    }


def trial(config: CompareConfig, arm: str, number: int) -> Table:
    """Train an arm for the CPU time, and evaluate it."""
    teacher, seed = teacher_of(config), config.seed + number
    steps = affordable_steps(arm, teacher, seed, config.cpu_seconds)
    training = make_training(arm, teacher, seed=seed, steps=steps)
    began = time.process_time()
    with training.counted():
        for loop in training.loops:
            loop.distil()
    seconds = time.process_time() - began
    counts = {**training.counts(), "cpu_seconds": seconds}
    rows = []
    for kind in KINDS:
        results = [evaluated(policy, kind, config, seed) for policy in training.policies()]
        means = {
            name: float(np.mean([getattr(each, name) for each in results])) for name in MEASURES
        }
        about = {"run": number, "arm": arm, "mazes": kind, **counts}
        rows += result_rows(about, means, mean_ranges(results))
    return from_rows(rows)


class Evaluation(NamedTuple):
    """Evaluation of a policy in mazes of one kind."""

    success: float
    normalised_return: float
    agreement: float  # fraction of its actions that are optimal
    by_distance: tuple[DistanceRange, ...]  # empty for mazes that change


def evaluated(policy: Any, kind: str, config: CompareConfig, seed: int) -> Evaluation:
    """Return the evaluation of a policy in held-out mazes of a kind."""
    if kind == CHANGING:
        generator = held_out_generators(SIDE)["loops"]
        played = evaluate_in_changing_mazes(policy, generator, config.mazes, seed=seed)
        success, normalised = played.success.mean(), played.normalised_return.mean()
        return Evaluation(float(success), float(normalised), played.agreement, ())
    result = evaluate_policy(policy, held_out_mazes(kind, config.mazes))
    return Evaluation(
        result.success, result.normalised_return, result.agreement, result.by_distance
    )


def mean_ranges(results: Sequence[Evaluation]) -> list[DistanceRange]:
    """Return success rates by distance, means over the members of a cohort in the same mazes."""
    members = zip(*(each.by_distance for each in results), strict=True)
    return [
        ranges[0]._replace(success=float(np.mean([each.success for each in ranges])))
        for ranges in members
    ]


# -- summary and plot ------------------------------------------------------------------------------


def summary(tables: Tables, config: CompareConfig) -> dict[str, Lines]:
    """Return the tables of results and of costs, and the methods that do not fit."""
    rows, unfit = tables[config.name], tables[f"{config.name}_unfit"]
    arms = by_return(rows)
    sections: dict[str, Lines] = {}
    for title, column in (
        ("Normalised return, %", "normalised_return"),
        ("Success rate, %", "success"),
        ("Agreement with optimal actions, %", "agreement"),
    ):
        lines: Lines = [("arm", *KINDS)]
        for arm in arms:
            cells = [
                mean_text(100 * rows_where(rows, arm=arm, mazes=kind)[column], 1, kind="mean")
                for kind in KINDS
            ]
            lines.append((arm, *cells))
        sections[title] = lines
    sections |= distance_sections(tables.get(f"{config.name}_distances"), "arm")
    costs = {"Used in a run, mean": COUNTED[:5], "Networks of a run": (*COUNTED[5:], "cpu_seconds")}
    for title, columns in costs.items():
        lines = [("arm", *(name.replace("_", " ") for name in columns))]
        for arm in arms:
            own = rows_where(rows, arm=arm, mazes=KINDS[0])
            lines.append((arm, *(f"{np.mean(own[name]):,.0f}" for name in columns)))
        sections[title] = lines
    reasons = [(a, r) for a, r in zip(unfit["arm"], unfit["reason"], strict=True) if a]
    if reasons:
        sections["Methods that do not fit"] = [("method", "reason"), *reasons]
    return sections


def by_return(rows: Table) -> list[str]:
    """Return the arms by their mean normalised return over all kinds, the best first."""
    means = {arm: rows_where(rows, arm=arm)["normalised_return"].mean() for arm in arms_of(rows)}
    return sorted(means, key=lambda arm: -means[arm])


def arms_of(rows: Table) -> list[str]:
    """Return the arms of a table."""
    return [str(arm) for arm in distinct(rows, "arm")]


def plot(tables: Tables, config: CompareConfig) -> Figure:
    """Return the plot: normalised return of each arm in each kind of mazes."""
    rows = tables[config.name]
    arms = by_return(rows)
    figure, (axes,) = panels(1, len(KINDS), size=(12, 1.2 + 0.32 * len(arms)), sharey=True)
    for one, kind in zip(axes, KINDS, strict=True):
        for at, arm in enumerate(arms):
            values = 100 * rows_where(rows, arm=arm, mazes=kind)["normalised_return"]
            colour = GREY if arm in SIMPLE else BLUE
            points_with_bars(
                one, -at, mean_interval(values), horizontal=True, fmt="o", color=colour
            )
        one.set_title(f"{kind} mazes")
        one.set_xlabel("normalised return, %")
        one.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(-np.arange(len(arms)), arms)
    runs = len(distinct(rows, "run"))
    figure.suptitle(f"{config.title}: mean, n={runs} seeds, 95% interval; grey: simple arms")
    return figure


if __name__ == "__main__":
    run_script(__file__)
