"""Figure 8.7 of Sutton & Barto (2018): error of expected and sample updates against computation.

A pair has b equally likely successors, whose values v are correct and constant. An expected update
takes b computations and leaves no error. Sample updates take one computation each; with step size
1/t the estimate is the mean of t samples with replacement, and the first one replaces the initial
estimate.

Differences from the book:

1. Simulated, with 95% intervals, beside the closed form: each run draws fresh values v from a
   normal distribution with mean 0 and variance 1. Any distribution with this variance gives the
   same curves; with another ratio of the variance to the initial error, which is 1, the closed form
   does not hold.
2. The curves show the root of the mean squared error. Other programs plot the mean of the absolute
   error under this name, which is smaller (for normal errors by the factor 0.80).
3. At t = 1 the curves fall from 1 to sqrt((b - 1) / b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate, mean_interval
from dynamaze.benchmarks.harness.analysis.plots import BLACK, panels
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import (
    draw_curve,
    interval_columns,
    interval_text,
    runs_text,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column
from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.options import Range, Runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LINEAR_POINTS, EARLY_POINTS = 100, 40
"""Points of a curve: evenly spaced over 2b updates, and logarithmically (dense at first)."""


@dataclass(frozen=True)
class Figure87Config(ExperimentConfig):
    """Figure 8.7 (section 8.5, p. 174): expected against sample updates."""

    name: ClassVar[str] = "figure_8_7"
    title: ClassVar[str] = "Figure 8.7"
    seconds_per_run: ClassVar[float] = 0.00021
    interval_kind: ClassVar[str] = "skewed"
    swept: ClassVar[tuple[str, ...]] = ("branching",)

    runs: Runs = 5000
    """Runs for each number of successors."""
    branching: tuple[Annotated[int, Range(1, limit=10**6)], ...] = (2, 10, 100, 1000, 10_000)
    """The numbers b of equally likely successors, a curve for each."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Numbers b of successors."""
        return [Setting((number,), self.runs, f"b = {number}") for number in self.branching]


def run(config: Figure87Config, runner: Runner | None = None) -> Tables:
    """Run the simulation.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table, with the columns branching (b), updates (t, from 0 to 2b), computation (t / b),
        rms_mean, rms_low, rms_high (root of the mean squared error, as a fraction of the initial
        error; a 95% interval), closed_form and runs.
    """
    results = (runner or Runner()).run(trial, config)
    curves = []
    for branching, tables in zip(config.branching, results, strict=True):
        updates = curve_points(branching)
        squares = column(tables, "error") ** 2
        curves.append(
            make_table(
                branching=branching,
                updates=updates,
                computation=updates / branching,
                **interval_columns("rms", root_of_mean(squares)),
                closed_form=closed_form(branching, updates),
                runs=config.runs,
            )
        )
    return {config.name: stack(curves)}


def trial(config: Figure87Config, branching: int, number: int) -> Table:
    """Return the errors of one run's estimate at the points of the curve."""
    seed = np.random.SeedSequence(config.seed, spawn_key=(branching, number))
    rng = np.random.Generator(np.random.SFC64(seed))
    return {"error": errors(branching, curve_points(branching), rng)}


def errors(branching: int, updates: IntArray, rng: np.random.Generator) -> FloatArray:
    """Return (points,) the errors of one run's estimate after these numbers of sample updates."""
    values = rng.standard_normal(branching)
    target = values.mean()
    draws = values[rng.integers(branching, size=updates[-1])]
    estimates = np.empty(updates[-1] + 1)
    estimates[0] = target + 1  # the initial error is 1
    estimates[1:] = draws.cumsum() / np.arange(1, draws.size + 1)  # updates with step size 1/t
    error: FloatArray = estimates[updates] - target
    return error


def closed_form(branching: int, updates: npt.ArrayLike) -> FloatArray:
    """Return the RMS error sqrt((b - 1) / (b t)) of the book; for t = 0 the initial error of 1."""
    updates = np.asarray(updates)
    # Given v with mean m, the mean of t samples has the variance sum (v - m)^2 / (b t). For
    # independent v with variance 1 the expected sum is b - 1.
    error = np.sqrt((branching - 1) / (branching * np.maximum(updates, 1)))
    return np.where(updates == 0, 1.0, error)


def curve_points(branching: int) -> IntArray:
    """Return the numbers t of updates at which the error is measured: 0, 1, ..., b, ..., 2b."""
    last = 2 * branching
    points = [
        np.array([0, branching]),
        np.linspace(1, last, LINEAR_POINTS),
        np.geomspace(1, last, EARLY_POINTS),
    ]
    return np.unique(np.concatenate(points).round().astype(np.int64))


def root_of_mean(squares: FloatArray) -> IntervalEstimate:
    """Return the root of the mean over the first axis, and of the ends of its interval."""
    return IntervalEstimate(*(np.sqrt(np.maximum(part, 0)) for part in mean_interval(squares)))


def plot(tables: Tables, config: Figure87Config) -> Figure:
    """Plot the stored table, in the book's axes."""
    table = tables[config.name]
    figure, ((axes,),) = panels()
    axes.plot([0, 1, 1, 2], [1, 1, 0, 0], color=BLACK, linewidth=2, label="expected updates")
    for branching in np.unique(table["branching"]):
        curve = rows_where(table, branching=branching)
        draw_curve(axes, "computation", curve, "rms", label=f"sample updates, b = {branching:,}")
        axes.plot(
            curve["computation"],
            curve["closed_form"],
            color=BLACK,
            linestyle=":",
            linewidth=1,
            label=None if branching != table["branching"].max() else "$\\sqrt{(b-1)/(bt)}$",
        )
    axes.set(
        xlabel="Computations, in units of b",
        ylabel="RMS error / initial error",
        xlim=(0, 2),
        ylim=(-0.02, 1.03),
        xticks=(0, 1, 2),
        title=f"Equally likely successors: {int(table['runs'][0])} runs, 95% interval",
    )
    axes.set_xticklabels(("0", "1b", "2b"))
    axes.legend()
    return figure


def summary(tables: Tables, config: Figure87Config) -> Lines:
    """Return a line for each b: the error after b/2, b and 2b sample updates, and the exact one."""
    table = tables[config.name]
    fractions = {"b/2": 0.5, "b": 1.0, "2b": 2.0}
    lines: Lines = [("b", "n", *(f"RMS error, t = {name}" for name in fractions))]
    for branching in np.unique(table["branching"]):
        curve = rows_where(table, branching=branching)
        rows = [int(np.abs(curve["computation"] - each).argmin()) for each in fractions.values()]
        texts = (_with_exact(curve, row) for row in rows)
        lines.append((f"{branching:,}", runs_text(curve), *texts))
    return lines


def _with_exact(curve: Table, row: int) -> str:
    text = interval_text(curve, "rms", row, 4, kind="skewed")
    return f"{text}, exactly {curve['closed_form'][row]:.4f}"


if __name__ == "__main__":
    run_script(__file__)
