"""Curves with confidence intervals: columns, plots and summaries; learning curves of methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.harness.analysis.intervals import (
    IntervalEstimate,
    few_runs,
    format_interval,
    mean_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, line_with_band, panels
from dynamaze.benchmarks.harness.analysis.summaries import (
    count_text,
    median_interval,
)
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    distinct,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.running.runner import Runner, column
from dynamaze.benchmarks.harness.running.workers import Trial
from dynamaze.common.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# -- one quantity with an interval -------------------------------------------------------------


def interval_columns(quantity: str, interval: IntervalEstimate) -> Table:
    """Return the columns `quantity`_mean, `quantity`_low and `quantity`_high."""
    return {
        f"{quantity}_{part}": np.asarray(getattr(interval, part))
        for part in IntervalEstimate._fields
    }


def mean_columns(**samples: npt.ArrayLike) -> Table:
    """Return the interval columns of the means over runs of some quantities: `reward=...`."""
    table: Table = {}
    for quantity, each in samples.items():
        table |= interval_columns(quantity, mean_interval(each))
    return table


def median_columns(**samples: npt.ArrayLike) -> Table:
    """Return the columns `quantity`_median, _low and _high of the medians over runs."""
    table: Table = {}
    for quantity, each in samples.items():
        for part, name in zip(median_interval(each), ("median", "low", "high"), strict=True):
            table[f"{quantity}_{name}"] = part
    return table


def interval_of(table: Table, quantity: str) -> IntervalEstimate:
    """Return what `interval_columns` or `median_columns` wrote of a quantity."""
    middle = "median" if f"{quantity}_median" in table else "mean"
    return IntervalEstimate(*(table[f"{quantity}_{part}"] for part in (middle, "low", "high")))


def draw_curve(axes: Axes, x: str, table: Table, quantity: str, **style: Any) -> None:
    """Draw the mean of a quantity over a column, with its interval as a band.

    Args:
        axes: of the plot.
        x: the column of the horizontal axis.
        table: with the columns of `interval_columns`.
        quantity: the name of the quantity.
        style: of the line.
    """
    line_with_band(axes, table[x], interval_of(table, quantity), **style)


def draw_level(axes: Axes, ends: npt.ArrayLike, table: Table, quantity: str, **style: Any) -> None:
    """Draw the quantity of a table of one row as a horizontal line between two ends."""
    level = IntervalEstimate(*(np.repeat(part, 2) for part in interval_of(table, quantity)))
    line_with_band(axes, np.asarray(ends), level, **style)


def interval_text(
    table: Table, quantity: str, row: int, digits: int = 2, *, kind: str = "mean"
) -> str:
    """Format the estimate and interval of one row, for a summary, marked where runs are few.

    Args:
        table: with the columns of `interval_columns` or `median_columns`, and the column `runs`.
        quantity: the name of the quantity.
        row: of the table.
        digits: after the decimal point.
        kind: of a mean's interval and data (`intervals.FEW_RUNS_BY_KIND`).
    """
    parts = (part[row] for part in interval_of(table, quantity))
    runs = int(table["runs"][row]) if "runs" in table else None
    if f"{quantity}_median" in table:
        kind = "median"
    few = runs is not None and few_runs(kind, runs)
    return format_interval(IntervalEstimate(*parts), digits, few=few)


def runs_text(table: Table, row: int = 0) -> str:
    """Return the number of runs of one row, for the column `n` of a summary."""
    return f"{int(table['runs'][row]):,}"


# -- cumulative rewards ------------------------------------------------------------------------

STORE_EVERY = 10
"""Steps between two stored points of a curve of rewards."""


def curve_steps(steps: int, every: int = STORE_EVERY) -> IntArray:
    """Return the steps that are stored of a curve: `every`, 2 `every`, ..."""
    return np.arange(every, steps + 1, every)


def reward_curve(rewards: FloatArray, *, every: int = STORE_EVERY, **labels: Any) -> Table:
    """Return the cumulative reward of (runs, steps) rewards, a row for each stored step.

    Args:
        rewards: of each run and step.
        every: steps between two stored ones.
        labels: further columns, of a single value each; they come first.
    """
    runs, steps = rewards.shape
    at = curve_steps(steps, every)
    cumulative = rewards.cumsum(axis=1)[:, at - 1]
    return make_table(**labels, step=at, **mean_columns(reward=cumulative), runs=runs)


# -- learning curves of several methods over the same episodes ---------------------------------


def run_methods(
    trial: Trial,
    config: ExperimentConfig,
    runner: Runner | None = None,
    columns: Callable[..., Table] = mean_columns,
) -> Table:
    """Run each method, a setting of an experiment, with the same seeds.

    Args:
        trial: one run; a table of one column, with a number for each episode.
        config: its settings have the method as their first argument.
        runner: runs the runs; by default one after another, in this process.
        columns: returns the estimates and intervals: `mean_columns` or `median_columns`.

    Returns:
        The columns method, episode (from 1), those of the estimate of the trial's column, and runs.
    """
    results = (runner or Runner()).run(trial, config)
    curves = []
    for setting, tables in zip(config.settings, results, strict=True):
        (quantity,) = tables[0]
        numbers = column(tables, quantity)
        episodes = np.arange(1, numbers.shape[1] + 1)
        estimates = columns(**{quantity: numbers})
        curves.append(
            make_table(method=setting.arguments[0], episode=episodes, **estimates, runs=len(tables))
        )
    return stack(curves)


def plot_methods(table: Table, quantity: str, *, title: str, ylabel: str) -> Figure:
    """Plot the stored table on a logarithmic scale; an interval that reaches 0 is cut off."""
    figure, ((axes,),) = panels()
    axes.set_yscale("log", nonpositive="clip")
    for method in distinct(table, "method"):
        curve = rows_where(table, method=method)
        draw_curve(axes, "episode", curve, quantity, label=method, color=COLOURS.get(method))
    middle = "median" if f"{quantity}_median" in table else "mean"
    axes.set(
        xlabel="Episodes",
        ylabel=ylabel,
        xlim=(1, int(table["episode"].max())),
        title=f"{title}: {middle}, {count_text(table['runs'])}, 95% interval",
    )
    axes.legend()
    return figure


def summarise_methods(
    table: Table, quantity: str, episodes: Sequence[int], *, digits: int = 2
) -> Lines:
    """Return a line for each method: its number in some episodes and in the last one."""
    last = int(table["episode"].max())
    shown = [episode for episode in episodes if episode < last] + [last]
    lines: Lines = [("method", "n", *(f"episode {episode}" for episode in shown))]
    for method in distinct(table, "method"):
        curve = rows_where(table, method=method)
        texts = (interval_text(curve, quantity, episode - 1, digits) for episode in shown)
        lines.append((method, str(curve["runs"][0]), *texts))
    return lines
