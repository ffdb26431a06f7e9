"""Learning curves of several methods over the same episodes: table, picture and summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.common.arrays import FloatArray

from .statistics import mean_interval
from .table import Table, rows_where, stack

Learn = Callable[[str, np.random.SeedSequence], FloatArray]
"""One run of a method from a seed: a number for each episode."""


def run_methods(
    methods: Iterable[str],
    learn: Learn,
    *,
    what: str,
    runs: int,
    seed: int,
    on_run: Callable[[], None] | None = None,
) -> Table:
    """Run each method from the same seeds.

    Args:
        methods: their names.
        learn: one run.
        what: the name of the number.
        runs: for each method.
        seed: settles every number.
        on_run: called after each run.

    Returns:
        The columns method, episode (from 1), `what`_mean, `what`_low, `what`_high (a 95% interval
        of the mean) and runs.

    Raises:
        ValueError: for fewer than 2 runs.
    """
    curves = []
    for method in methods:
        numbers = []
        for own in np.random.SeedSequence(seed).spawn(runs):
            numbers.append(learn(method, own))
            if on_run is not None:
                on_run()
        interval = mean_interval(numbers)
        episodes = len(numbers[0])
        curves.append(
            {
                "method": np.full(episodes, method),
                "episode": np.arange(1, episodes + 1),
                f"{what}_mean": interval.mean,
                f"{what}_low": interval.low,
                f"{what}_high": interval.high,
                "runs": np.full(episodes, runs),
            }
        )
    return stack(curves)


def plot_methods(table: Table, what: str, *, title: str, ylabel: str) -> Figure:
    """The picture from the stored table, on a logarithmic scale."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes: Axes = figure.add_subplot()
    for method in names(table):
        curve = rows_where(table, "method", method)
        (line,) = axes.plot(curve["episode"], curve[f"{what}_mean"], label=method)
        low, high = np.maximum(curve[f"{what}_low"], 1e-3), curve[f"{what}_high"]
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
    table: Table, what: str, moments: Sequence[int], *, digits: int = 2
) -> list[tuple[str, ...]]:
    """A line for each method: its number after some episodes and in the end."""
    last = int(table["episode"].max())
    looks = [moment for moment in moments if moment < last] + [last]
    lines: list[tuple[str, ...]] = [("method", *(f"episode {look}" for look in looks))]
    for method in names(table):
        curve = rows_where(table, "method", method)
        lines.append((method, *(_interval(curve, what, look - 1, digits) for look in looks)))
    return lines


def names(table: Table) -> list[Any]:
    """The methods of a table, in its order."""
    return list(dict.fromkeys(table["method"].tolist()))


def _interval(curve: Table, what: str, row: int, digits: int) -> str:
    mean, low, high = (float(curve[f"{what}_{name}"][row]) for name in ("mean", "low", "high"))
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
