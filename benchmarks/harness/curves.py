"""Curves with confidence intervals: columns, plots and summaries; learning curves of methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.intervals import (
    IntervalEstimate,
    few_runs,
    format_interval,
    mean_interval,
)
from dynamaze.benchmarks.harness.plots import line_with_band, panels
from dynamaze.benchmarks.harness.table import Lines, Table, distinct, make_table, rows_where, stack
from dynamaze.common.arrays import FloatArray, IntArray

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


def interval_of(table: Table, quantity: str) -> IntervalEstimate:
    """Return what `interval_columns` wrote of a quantity."""
    return IntervalEstimate(*(table[f"{quantity}_{part}"] for part in IntervalEstimate._fields))


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
    """Format the mean and interval of one row, for a summary.

    Args:
        table: with the columns of `interval_columns`, and the column `runs`.
        quantity: the name of the quantity.
        row: of the table.
        digits: after the decimal point.
        kind: of interval and data (`intervals.FEW_RUNS_BY_KIND`); with too few runs it is marked.
    """
    parts = (part[row] for part in interval_of(table, quantity))
    few = "runs" in table and few_runs(kind, int(table["runs"][row]))
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

LearnMethod = Callable[[str, np.random.SeedSequence], FloatArray]
"""One run of a method from a seed: a number for each episode."""


def run_methods(
    methods: Iterable[str],
    learn: LearnMethod,
    *,
    quantity: str,
    runs: int,
    seed: int,
    callback: Callable[[], None] | None = None,
) -> Table:
    """Run each method with the same seeds.

    Args:
        methods: their names.
        learn: one run.
        quantity: the name of the number that `learn` returns for each episode.
        runs: for each method.
        seed: determines every number.
        callback: called after each run.

    Returns:
        The columns method, episode (from 1), `quantity`_mean, `quantity`_low, `quantity`_high (a
        95% interval of the mean) and runs.

    Raises:
        ValueError: for fewer than 2 runs.
    """
    curves = []
    for method in methods:
        numbers = []
        for child in np.random.SeedSequence(seed).spawn(runs):
            numbers.append(learn(method, child))
            if callback is not None:
                callback()
        episodes = np.arange(1, len(numbers[0]) + 1)
        columns = mean_columns(**{quantity: numbers})
        curves.append(make_table(method=method, episode=episodes, **columns, runs=runs))
    return stack(curves)


def plot_methods(table: Table, quantity: str, *, title: str, ylabel: str) -> Figure:
    """Plot the stored table on a logarithmic scale."""
    figure, ((axes,),) = panels()
    for method in distinct(table, "method"):
        curve = rows_where(table, method=method)
        mean, low, high = interval_of(curve, quantity)
        # An interval may reach below 0, which has no logarithm.
        shown = IntervalEstimate(mean, np.maximum(low, 1e-3), high)
        line_with_band(axes, curve["episode"], shown, label=method)
    axes.set(
        xlabel="Episodes",
        ylabel=ylabel,
        yscale="log",
        xlim=(1, int(table["episode"].max())),
        title=f"{title}: mean of {int(table['runs'][0])} runs, 95% interval",
    )
    axes.legend(frameon=False)
    return figure


def summarise_methods(
    table: Table, quantity: str, episodes: Sequence[int], *, digits: int = 2
) -> Lines:
    """Return a line for each method: its number in some episodes and in the last one."""
    last = int(table["episode"].max())
    shown = [episode for episode in episodes if episode < last] + [last]
    lines: Lines = [("method", *(f"episode {episode}" for episode in shown))]
    for method in distinct(table, "method"):
        curve = rows_where(table, method=method)
        texts = (interval_text(curve, quantity, episode - 1, digits) for episode in shown)
        lines.append((method, *texts))
    return lines
