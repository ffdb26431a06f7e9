"""Curves with confidence intervals: columns, plots and summaries; learning curves of methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.intervals import (
    ConfidenceInterval,
    format_interval,
    mean_interval,
)
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
from dynamaze.common.arrays import FloatArray

# -- one quantity with an interval -------------------------------------------------------------


def interval_columns(quantity: str, interval: ConfidenceInterval) -> Table:
    """Return the columns `quantity`_mean, `quantity`_low and `quantity`_high."""
    return {
        f"{quantity}_{part}": np.asarray(getattr(interval, part))
        for part in ConfidenceInterval._fields
    }


def draw_curve(axes: Axes, x: str, table: Table, quantity: str, **style: Any) -> None:
    """Draw the mean of a quantity over a column, with its interval as a band.

    Args:
        axes: of the plot.
        x: the column of the horizontal axis.
        table: with the columns of `interval_columns`.
        quantity: the name of the quantity.
        style: of the line.
    """
    (line,) = axes.plot(table[x], table[f"{quantity}_mean"], **style)
    axes.fill_between(
        table[x],
        table[f"{quantity}_low"],
        table[f"{quantity}_high"],
        color=line.get_color(),
        alpha=0.3,
        linewidth=0,
    )


def interval_text(table: Table, quantity: str, row: int, digits: int = 2) -> str:
    """Format the mean and interval of one row, for a summary."""
    parts = (table[f"{quantity}_{part}"][row] for part in ConfidenceInterval._fields)
    return format_interval(ConfidenceInterval(*parts), digits)


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
        episodes = len(numbers[0])
        curves.append(
            {
                "method": np.full(episodes, method),
                "episode": np.arange(1, episodes + 1),
                **interval_columns(quantity, mean_interval(numbers)),
                "runs": np.full(episodes, runs),
            }
        )
    return stack(curves)


def plot_methods(table: Table, quantity: str, *, title: str, ylabel: str) -> Figure:
    """Plot the stored table on a logarithmic scale."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes: Axes = figure.add_subplot()
    for method in method_names(table):
        curve = rows_where(table, "method", method)
        (line,) = axes.plot(curve["episode"], curve[f"{quantity}_mean"], label=method)
        # An interval may reach below 0, which has no logarithm.
        low, high = np.maximum(curve[f"{quantity}_low"], 1e-3), curve[f"{quantity}_high"]
        axes.fill_between(
            curve["episode"], low, high, color=line.get_color(), alpha=0.3, linewidth=0
        )
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
) -> list[tuple[str, ...]]:
    """Return a line for each method: its number in some episodes and in the last one."""
    last = int(table["episode"].max())
    shown = [episode for episode in episodes if episode < last] + [last]
    lines: list[tuple[str, ...]] = [("method", *(f"episode {episode}" for episode in shown))]
    for method in method_names(table):
        curve = rows_where(table, "method", method)
        texts = (interval_text(curve, quantity, episode - 1, digits) for episode in shown)
        lines.append((method, *texts))
    return lines


def method_names(table: Table) -> list[Any]:
    """Return the methods of a table, in its order."""
    return list(dict.fromkeys(table["method"].tolist()))
