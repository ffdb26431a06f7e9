"""Tables and plot of the study of soft labels and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.intervals import format_interval, mean_interval
from dynamaze.benchmarks.harness.table import Table, rows_where

HARD, UNIFORM = "hard labels", "uniform"
"""Baselines of the comparisons."""

SUFFICIENT_PERCENT = 99
"""Normalised return in percent that a small student should reach."""


def summary(tables: dict[str, Table], config: Any) -> dict[str, list[tuple[str, ...]]]:
    """Return each loss's normalised return and its paired gain; the same for each weighting."""
    rows, weight_rows = tables[config.name], tables[f"{config.name}_weights"]
    few: list[tuple[str, ...]] = [
        ("labelled", "loss", "normalised return", "points above hard labels")
    ]
    for count in np.unique(rows["labelled"]).tolist():
        few += [
            (str(count), *line)
            for line in _compared(rows_where(rows, "labelled", count), "loss", HARD)
        ]
    parameters = int(weight_rows["parameters"][0])
    weights: list[tuple[str, ...]] = [
        (
            "weights",
            "normalised return",
            "points above uniform",
            f"runs at {SUFFICIENT_PERCENT}% or more",
        )
    ]
    for line in _compared(weight_rows, "weights", UNIFORM):
        own = 100 * rows_where(weight_rows, "weights", line[0])["normalised_return"]
        weights.append((*line, f"{(own >= SUFFICIENT_PERCENT).sum()} of {len(own)}"))
    return {
        "Few labels, held-out levels": few,
        f"Weights, a student of {parameters} parameters": weights,
    }


def _compared(rows: Table, column: str, base: str) -> list[tuple[str, ...]]:
    """Return a line for each kind: name, normalised return, paired difference from a baseline."""
    lines: list[tuple[str, ...]] = []
    for name in dict.fromkeys(rows[column].tolist()):
        own = 100 * rows_where(rows, column, name)["normalised_return"]
        gain = mean_interval(own - 100 * rows_where(rows, column, base)["normalised_return"])
        above = "-" if name == base else format_interval(gain, sign="+")
        lines.append((name, format_interval(mean_interval(own), unit="%"), above))
    return lines


def plot(tables: dict[str, Table], config: Any) -> Figure:
    """Return the plot: normalised return against labelled states, and of each weighting."""
    rows, weight_rows = tables[config.name], tables[f"{config.name}_weights"]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    counts = np.unique(rows["labelled"])
    for name in dict.fromkeys(rows["loss"].tolist()):
        own = rows_where(rows, "loss", name)
        returns = np.stack(
            [100 * rows_where(own, "labelled", count)["normalised_return"] for count in counts], 1
        )
        mean, low, high = mean_interval(returns)
        style = "s--" if name == HARD else "o-"
        line = left.plot(counts, mean, style, label=name, markersize=4)
        left.fill_between(counts, low, high, color=line[0].get_color(), alpha=0.2, linewidth=0)
    left.set_xscale("log")
    left.set_xticks(counts, [str(count) for count in counts.tolist()])
    left.minorticks_off()
    left.set_xlabel("labelled states")
    left.set_ylabel("normalised return, %")
    left.set_title("few labels, held-out levels", fontsize=10)
    left.legend(frameon=False)
    names = list(dict.fromkeys(weight_rows["weights"].tolist()))
    for at, name in enumerate(names):
        each = 100 * rows_where(weight_rows, "weights", name)["normalised_return"]
        mean, low, high = mean_interval(each)
        right.plot(at + np.linspace(-0.2, 0.2, len(each)), each, ".", color="silver", zorder=0)
        right.errorbar(
            at, mean, [[mean - low], [high - mean]], fmt="o", capsize=4, color="tab:blue"
        )
    right.axhline(SUFFICIENT_PERCENT, color="grey", linestyle=":", label=f"{SUFFICIENT_PERCENT}%")
    right.set_xticks(range(len(names)), names)
    right.set_ylabel("normalised return, %")
    parameters = int(weight_rows["parameters"][0])
    right.set_title(f"weights of states, a student of {parameters} parameters", fontsize=10)
    right.legend(frameon=False)
    figure.suptitle(
        f"Soft labels and weights: mean of {len(set(rows['run'].tolist()))} seeds, 95% interval"
    )
    return figure
