"""Figure 8.7 of Sutton & Barto (2018): how fast expected and sample updates reduce an error.

A pair has b equally likely successors, whose values v are correct and do not change. An expected
update takes b computations and leaves no error. Sample updates take one computation each; with
step size 1/t the estimate is the mean of t draws with replacement, and the initial estimate is
forgotten at the first draw.

Why the closed form of the book is the truth here: the mean m of the v is the target, and
given v the mean of t draws has the variance sum (v - m)^2 / (b t). The book says only that the
initial error is 1. If the v are independent with variance 1, the expected sum is b - 1, so that
the mean squared error is (b - 1) / (b t): the formula holds where the spread of the successors'
values is as large as the initial error, and for no other ratio of the two.

Differences from the book:

1. Simulated, with 95% intervals, beside the closed form: each run draws fresh values v from a
   normal distribution with mean 0 and variance 1. Any distribution with this variance gives the
   same curves.
2. The curves show the root of the mean squared error. Other programs plot the mean of the absolute
   error under this name, which is smaller (for normal errors by the factor 0.80).
3. At t = 1 the curves fall from 1 to sqrt((b - 1) / b).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from dynamaze.agents.core.rng import make_generator
from dynamaze.common.arrays import FloatArray, IntArray

from ..harness.curves import columns_of, draw_curve, interval_text
from ..harness.statistics import Interval, mean_interval
from ..harness.table import Table, rows_where, stack

LINEAR_LOOKS, EARLY_LOOKS = 100, 40
"""Looks at the error: so many evenly over 2b updates, and so many ever denser towards the first."""


@dataclass(frozen=True)
class Config:
    """Figure 8.7 (section 8.5, p. 174): expected against sample updates."""

    name: ClassVar[str] = "figure_8_7"

    runs: int = 5000
    """Runs for each number of successors."""
    seed: int = 0
    """Settles every number."""
    branching: tuple[int, ...] = (2, 10, 100, 1000, 10_000)
    """The numbers b of equally likely successors, a curve for each."""

    @property
    def total_runs(self) -> int:
        """Runs of all curves together."""
        return self.runs * len(self.branching)


def run(config: Config, on_run: Callable[[], None] | None = None) -> dict[str, Table]:
    """Run the simulation.

    Returns:
        One table, with the columns branching (b), updates (t, from 0 to 2b), computation (t / b),
        rms_mean, rms_low, rms_high (root of the mean squared error, as a fraction of the initial
        error; a 95% interval), closed_form and runs.
    """
    seed = np.random.SeedSequence(config.seed)
    curves = []
    for number, branching in enumerate(config.branching):
        rng = make_generator(seed, number)
        looks = moments(branching)
        squares = np.empty((config.runs, looks.size))
        for row in squares:
            row[:] = errors(branching, looks, rng) ** 2
            if on_run is not None:
                on_run()
        curves.append(
            {
                "branching": np.full(looks.size, branching),
                "updates": looks,
                "computation": looks / branching,
                **columns_of("rms", root_of_mean(squares)),
                "closed_form": closed_form(branching, looks),
                "runs": np.full(looks.size, config.runs),
            }
        )
    return {config.name: stack(curves)}


def errors(branching: int, looks: IntArray, rng: np.random.Generator) -> FloatArray:
    """(looks,) errors of one run's estimate after so many sample updates."""
    values = rng.standard_normal(branching)
    target = values.mean()
    draws = values[rng.integers(branching, size=looks[-1])]
    estimates = np.empty(looks[-1] + 1)
    estimates[0] = target + 1  # the initial error is 1
    estimates[1:] = draws.cumsum() / np.arange(1, draws.size + 1)  # updates with step size 1/t
    error: FloatArray = estimates[looks] - target
    return error


def closed_form(branching: int, updates: npt.ArrayLike) -> FloatArray:
    """The book's sqrt((b - 1) / (b t)); before the first update, the initial error of 1."""
    updates = np.asarray(updates)
    error = np.sqrt((branching - 1) / (branching * np.maximum(updates, 1)))
    return np.where(updates == 0, 1.0, error)


def moments(branching: int) -> IntArray:
    """Numbers t of updates at which the error is looked at: 0, 1, ..., b, ..., 2b."""
    last = 2 * branching
    looks = [
        np.array([0, branching]),
        np.linspace(1, last, LINEAR_LOOKS),
        np.geomspace(1, last, EARLY_LOOKS),
    ]
    return np.unique(np.concatenate(looks).round().astype(np.int64))


def root_of_mean(squares: FloatArray) -> Interval:
    """The root of the mean over the first axis, and of the ends of its interval."""
    return Interval(*(np.sqrt(np.maximum(part, 0)) for part in mean_interval(squares)))


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """The picture, in the book's axes, from the stored table."""
    table = tables[config.name]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1, 1, 2], [1, 1, 0, 0], color="black", linewidth=2, label="expected updates")
    for branching in np.unique(table["branching"]):
        curve = rows_where(table, "branching", branching)
        draw_curve(axes, "computation", curve, "rms", label=f"sample updates, b = {branching:,}")
        axes.plot(
            curve["computation"],
            curve["closed_form"],
            color="black",
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
    axes.legend(frameon=False)
    return figure


def summary(tables: dict[str, Table], config: Config) -> list[tuple[str, ...]]:
    """A line for each b: the error after b/2, b and 2b sample updates, and what it should be."""
    table = tables[config.name]
    shares = {"b/2": 0.5, "b": 1.0, "2b": 2.0}
    lines: list[tuple[str, ...]] = [("b", *(f"RMS error, t = {name}" for name in shares))]
    for branching in np.unique(table["branching"]):
        curve = rows_where(table, "branching", branching)
        rows = [int(np.abs(curve["computation"] - share).argmin()) for share in shares.values()]
        lines.append((f"{branching:,}", *(_compared(curve, row) for row in rows)))
    return lines


def _compared(curve: Table, row: int) -> str:
    return f"{interval_text(curve, 'rms', row, 4)}, exactly {curve['closed_form'][row]:.4f}"
