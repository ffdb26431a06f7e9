"""Command `dynamaze distill transformer`: transformers in larger mazes than those of the training.

A transformer over the cells of a maze is trained from exact policies, in small mazes alone or in
several sizes, a size in each batch, for equally many steps of equally many cells. It is evaluated
in held-out mazes of the sizes of the training and of a larger one, greedily and from every cell;
no maze in training has the walls of a held-out one. Positions are relative, so larger mazes can be
given, but they need longer paths and have offsets between cells that did not occur in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from dynamaze.benchmarks.distillation.by_distance import (
    distance_sections,
    result_rows,
    split_ranges,
)
from dynamaze.benchmarks.distillation.mazes import evaluate_policy
from dynamaze.benchmarks.distillation.teacher_transformer import (
    EVALUATED_SIZES,
    KindName,
    Side,
    TransformerTeacherConfig,
    held_out,
    initial_network,
    train_transformer,
)
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, mean_interval
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, REFERENCE, line_with_band, panels
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_share_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    by_run,
    distinct,
    from_rows,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.options import Mazes, Range, Runs, Steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure


TRAINING_SIZES: dict[str, tuple[Side, ...]] = {
    "7x7 alone": (7,),
    "7x7 to 11x11": (7, 9, 11),
}
"""Sides of the mazes in training, by name."""

MEASURES = {"success": "success rate", "normalised_return": "normalised return"}


@dataclass(frozen=True)
class TransformerConfig(ExperimentConfig):
    """Success of transformers in larger mazes than those of their training."""

    name: ClassVar[str] = "transformer"
    title: ClassVar[str] = "Transformer"
    seconds_per_run: ClassVar[float | None] = 120.0

    runs: Runs = 3
    """Seeds of each network."""
    steps: Steps = 2000
    """Training steps."""
    mazes: Mazes = 200
    """Held-out mazes of each kind and size."""
    kinds: tuple[KindName, ...] = ("perfect", "loops", "obstacles")
    """Kinds of mazes in training and evaluation."""
    layers: Annotated[int, Range(1, limit=64)] = 4
    """Blocks of attention and MLP."""
    width: Annotated[int, Range(4, limit=1024)] = 64
    """Length of a token, a multiple of 4 times the heads."""
    heads: Annotated[int, Range(1, limit=64)] = 4
    """Attention heads of each block."""

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an option with a value that it cannot have, or a width that is not a
                multiple of 4 times the heads.
        """
        super().check()
        initial_network(self.training("7x7 alone", 0))

    def training(self, trained_on: str, number: int) -> TransformerTeacherConfig:
        """Return the training of a run."""
        return TransformerTeacherConfig(
            steps=self.steps,
            seed=seed_of(self.seed, number),
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            sizes=TRAINING_SIZES[trained_on],
            kinds=self.kinds,
        )

    @property
    def settings(self) -> Sequence[Setting]:
        """A setting for each set of sizes in training."""
        return [Setting((name,), self.runs, f"trained on {name}") for name in TRAINING_SIZES]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "success rate and normalised return in held-out mazes, mean over n seeds and Student's "
            f"95% interval (where all are equal, as if shares of n seeds); {FEW_RUNS_NOTE}"
        )


def run(config: TransformerConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each run, sizes in training (trained_on), kind of mazes and side: success,
        normalised_return, agreement; and, named `..._distances`, a row for each of these and each
        range of distances to the goal: nearest, furthest, cells, weight, success.
    """
    rows = stack_runs((runner or Runner()).run(trial, config), by_number=True)
    results, ranges = split_ranges(rows)
    return {config.name: results, f"{config.name}_distances": ranges}


def trial(config: TransformerConfig, trained_on: str, number: int) -> Table:
    """Train and evaluate one network."""
    torch.set_num_threads(1)
    network = train_transformer(config.training(trained_on, number))
    rows = []
    for kind in config.kinds:
        for side in EVALUATED_SIZES:
            result = evaluate_policy(network, held_out(kind, side, config.mazes))
            about = {"run": number, "trained_on": trained_on, "mazes": kind, "side": side}
            measures = {name: getattr(result, name) for name in (*MEASURES, "agreement")}
            rows += result_rows(about, measures, result.by_distance)
    return from_rows(rows)


# -- plot and summary ------------------------------------------------------------------------------


def summary(tables: Tables, config: TransformerConfig) -> dict[str, Lines]:
    """Return success rates and normalised returns by side, and success rates by distance."""
    rows = tables[config.name]
    sides = distinct(rows, "side")
    sections: dict[str, Lines] = {}
    for measure, label in MEASURES.items():
        lines: Lines = [("trained on", "mazes", "n", *(f"{side}x{side}" for side in sides))]
        for name in distinct(rows, "trained_on"):
            for kind in distinct(rows, "mazes"):
                own = rows_where(rows, trained_on=name, mazes=kind)
                cells = [
                    mean_share_text(rows_where(own, side=side)[measure], kind="mean")
                    for side in sides
                ]
                lines.append((name, kind, str(len(distinct(own, "run"))), *cells))
        sections[f"Held-out mazes: {label}"] = lines
    ranges = tables.get(f"{config.name}_distances")
    for side in sides[-1:]:  # the largest mazes, whose paths are longest
        for title, lines in distance_sections(
            ranges and rows_where(ranges, side=side), "trained_on"
        ).items():
            sections[f"{title} {side}x{side}"] = lines
    return sections


def plot(tables: Tables, config: TransformerConfig) -> Figure:
    """Return the plot: the success rate against the side, a panel for each kind of mazes."""
    rows = tables[config.name]
    kinds = distinct(rows, "mazes")
    figure, (panel,) = panels(1, len(kinds), size=(4 * len(kinds), 4), sharey=True)
    for axes, kind in zip(panel, kinds, strict=True):
        for name in distinct(rows, "trained_on"):
            own = rows_where(rows, trained_on=name, mazes=kind)
            sides = distinct(own, "side")
            interval = mean_interval(100 * by_run(own, "success"))
            line_with_band(axes, sides, interval, marker="o", label=name, color=COLOURS[name])
        axes.axvline(max(TRAINING_SIZES["7x7 to 11x11"]), **REFERENCE)
        axes.set_xticks(sides, [f"{side}x{side}" for side in sides])
        axes.set_title(f"held out, {kind}")
        axes.set_ylim(0, 103)
    panel[0].set_ylabel("success rate, %")
    panel[0].legend(loc="lower left")
    runs = count_text(len(distinct(rows, "run")))
    figure.suptitle(f"{config.title}: success by size of the maze, {runs} seeds, 95% interval")
    return figure


if __name__ == "__main__":
    run_script(__file__)
