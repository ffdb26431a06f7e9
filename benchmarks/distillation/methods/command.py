"""Command `dynamaze distill methods`: the experiments of the distillation methods.

For each experiment: its setting, each arm's results, paired comparisons with a verdict that is
computed from the numbers (see `harness`), and the lesson.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import tyro

from dynamaze.benchmarks.distillation.methods import EXPERIMENTS
from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    RETURN,
    Arms,
    MethodExperiment,
    arm_table,
    demand_text,
    is_met,
    paired_gain,
    values_of,
    verdict,
)
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_NOTE,
)
from dynamaze.benchmarks.harness.analysis.plots import (
    BLACK,
    EVENT,
    GREEN,
    VERMILLION,
    panels,
    points_with_bars,
)
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.options import Runs, Seed
from dynamaze.common.validation import checked_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure


COLOURS = {True: GREEN, False: VERMILLION}
"""Colours of comparisons whose demand is met or not."""


@dataclass(frozen=True)
class MethodsConfig(ExperimentConfig):
    """What each distillation method is for: paired comparisons with a verdict."""

    name: ClassVar[str] = "methods"
    title: ClassVar[str] = "Methods of distillation"
    swept: ClassVar[tuple[str, ...]] = ("names",)

    names: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME ...]")
    ] = ()
    """Experiments; by default all."""
    runs: Runs | None = None  # type: ignore[assignment]  # each experiment has its own number
    """Seeds of each experiment; by default its own number."""
    seed: Seed = 0
    """The first seed."""

    @property
    def experiments(self) -> list[MethodExperiment]:
        """Experiments that are run.

        Raises:
            ValueError: for an unknown name, listing the known ones.
        """
        given = [name.replace("-", "_") for name in self.names] or list(EXPERIMENTS)
        for name in given:
            checked_choice("NAME", name, EXPERIMENTS)
        return [EXPERIMENTS[name] for name in dict.fromkeys(given)]

    @property
    def settings(self) -> Sequence[Setting]:
        """A setting for each experiment."""
        return [
            Setting((each.name, each.trial), self.runs or each.runs, each.name)
            for each in self.experiments
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "mean over n seeds and Student's 95% interval; gains are paired by seed, in points; "
            f"{FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an unknown experiment, or a number outside its range.
        """
        super().check()
        _ = self.experiments


def run(config: MethodsConfig, runner: Runner | None = None) -> Tables:
    """Run the experiments.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each experiment, run, arm and measure: value.
    """
    return {config.name: stack_runs((runner or Runner()).run(trial, config))}


def trial(config: MethodsConfig, name: str, arms_of: Callable[[int], Arms], number: int) -> Table:
    """Run all arms of an experiment for one seed."""
    seed = config.seed + number
    return arm_table(name, seed, arms_of(seed))


# -- plot and summary --------------------------------------------------------------------------


def summary(tables: Tables, config: MethodsConfig) -> dict[str, Lines]:
    """Return for each experiment a line of each arm, of each comparison, and the lesson."""
    sections: dict[str, Lines] = {}
    for experiment, rows in _stored(tables, config):
        name = experiment.name
        sections[f"{name}: {experiment.setting}"] = arm_lines(experiment, rows)
        sections[f"{name}: paired gains"] = comparison_lines(experiment, rows)
        sections[f"{name}: lesson"] = [("",), (experiment.lesson,)]
    return sections


def arm_lines(experiment: MethodExperiment, rows: Table) -> Lines:
    """Return a line for each arm: its runs, and the measures that are shown."""
    titles = ["return, %" if each == RETURN else each for each in experiment.columns]
    lines: Lines = [("arm", "n", *titles)]
    for arm in distinct(rows, "arm"):
        cells = []
        for measure in experiment.columns:
            values = values_of(rows, arm, measure)
            digits = 1 if measure == RETURN else None
            cells.append(mean_text(values, digits, kind="mean") if values.size else "-")
        lines.append((arm, str(len(distinct(rows, "run"))), *cells))
    return lines


def comparison_lines(experiment: MethodExperiment, rows: Table) -> Lines:
    """Return a line for each comparison: the gain, the demand and the verdict."""
    lines: Lines = [("comparison", "gain", "demand", "met", "verdict")]
    for comparison in experiment.comparisons:
        values, gain = paired_gain(rows, comparison)
        lines.append(
            (
                _label(comparison.arm, comparison.baseline, comparison.measure),
                mean_text(
                    values, 1 if comparison.measure == RETURN else None, kind="mean", sign="+"
                ),
                demand_text(comparison),
                "yes" if is_met(gain, comparison) else "no",
                verdict(gain, comparison),
            )
        )
    return lines


def plot(tables: Tables, config: MethodsConfig) -> Figure:
    """Return the plot: the paired gain of each comparison with its interval and its demand."""
    found = [
        (experiment.name, comparison, *paired_gain(rows, comparison))
        for experiment, rows in _stored(tables, config)
        for comparison in experiment.comparisons
    ]
    figure, ((axes,),) = panels(size=(9, 1.5 + 0.4 * len(found)))
    axes.axvline(0, **EVENT)
    for at, (_, comparison, _, gain) in enumerate(found):
        colour = COLOURS[is_met(gain, comparison)]
        points_with_bars(axes, -at, gain, horizontal=True, fmt="o", color=colour)
        marker = "|" if comparison.claim == NULL else "D"
        axes.plot(comparison.demand, -at, marker, color=BLACK, markersize=8, fillstyle="none")
    labels = [f"{name}: {_label(c.arm, c.baseline, c.measure)}" for name, c, _, _ in found]
    axes.set_yticks(-np.arange(len(found)), labels)
    axes.set_xlabel("gain, points")
    axes.margins(y=0.5 / max(len(found), 1))
    counts = [len(values) for _, _, values, _ in found]
    figure.suptitle(
        f"{config.title}: mean, {count_text(counts)} seeds, 95% interval\n"
        "diamond: demanded mean; bar: margin of a null; red: not met"
    )
    return figure


def _stored(tables: Tables, config: MethodsConfig) -> list[tuple[MethodExperiment, Table]]:
    """Return the experiments of a table with their rows."""
    rows = tables[config.name]
    return [
        (EXPERIMENTS.find(name), rows_where(rows, experiment=name))
        for name in distinct(rows, "experiment")
    ]


def _label(arm: str, baseline: str, measure: str) -> str:
    of = "" if measure == RETURN else f", {measure}"
    return f"{arm} against {baseline}{of}"


if __name__ == "__main__":
    run_script(__file__)
