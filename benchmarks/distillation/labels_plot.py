"""What the study of labels and weights looks like: tables in the terminal, and a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..harness.intervals import format_interval, mean_interval
from ..harness.table import Table, rows_where

HARD, ALIKE = "hard labels", "alike"
"""What the others are held against."""

ENOUGH = 99
"""Percent of the return that a tiny student shall keep."""


def summary(tables: dict[str, Table], config: Any) -> dict[str, list[tuple[str, ...]]]:
    """What each loss keeps and gains on hard labels; what weights gain on counting alike."""
    rows, tiny_rows = tables[config.name], tables[f"{config.name}_weights"]
    few: list[tuple[str, ...]] = [("labelled", "loss", "kept", "points above hard labels")]
    for count in np.unique(rows["labelled"]).tolist():
        few += [
            (str(count), *line)
            for line in _compared(rows_where(rows, "labelled", count), "loss", HARD)
        ]
    parameters = int(tiny_rows["parameters"][0])
    weights: list[tuple[str, ...]] = [
        ("states count", "kept", "points above alike", f"runs at {ENOUGH}% or more")
    ]
    for line in _compared(tiny_rows, "weights", ALIKE):
        own = 100 * rows_where(tiny_rows, "weights", line[0])["kept"]
        weights.append((*line, f"{(own >= ENOUGH).sum()} of {len(own)}"))
    return {
        "Few labels, judged on unseen levels": few,
        f"Weights, a student of {parameters} parameters": weights,
    }


def _compared(rows: Table, column: str, base: str) -> list[tuple[str, ...]]:
    """Of each kind: its name, what it keeps, and its paired difference from one of them."""
    lines: list[tuple[str, ...]] = []
    for name in dict.fromkeys(rows[column].tolist()):
        own = 100 * rows_where(rows, column, name)["kept"]
        gain = mean_interval(own - 100 * rows_where(rows, column, base)["kept"])
        above = "-" if name == base else format_interval(gain, sign="+")
        lines.append((name, format_interval(mean_interval(own), unit="%"), above))
    return lines


def plot(tables: dict[str, Table], config: Any) -> Figure:
    """Return kept against labelled states for each loss, and of each way of weighting."""
    rows, tiny_rows = tables[config.name], tables[f"{config.name}_weights"]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    counts = np.unique(rows["labelled"])
    for name in dict.fromkeys(rows["loss"].tolist()):
        own = rows_where(rows, "loss", name)
        kept = np.stack([100 * rows_where(own, "labelled", count)["kept"] for count in counts], 1)
        mean, low, high = mean_interval(kept)
        style = "s--" if name == HARD else "o-"
        line = left.plot(counts, mean, style, label=name, markersize=4)
        left.fill_between(counts, low, high, color=line[0].get_color(), alpha=0.2, linewidth=0)
    left.set_xscale("log")
    left.set_xticks(counts, [str(count) for count in counts.tolist()])
    left.minorticks_off()
    left.set_xlabel("labelled states")
    left.set_ylabel("% of the best return kept")
    left.set_title("few labels, judged on unseen levels", fontsize=10)
    left.legend(frameon=False)
    names = list(dict.fromkeys(tiny_rows["weights"].tolist()))
    for at, name in enumerate(names):
        each = 100 * rows_where(tiny_rows, "weights", name)["kept"]
        mean, low, high = mean_interval(each)
        right.plot(at + np.linspace(-0.2, 0.2, len(each)), each, ".", color="silver", zorder=0)
        right.errorbar(
            at, mean, [[mean - low], [high - mean]], fmt="o", capsize=4, color="tab:blue"
        )
    right.axhline(ENOUGH, color="grey", linestyle=":", label=f"{ENOUGH}%")
    right.set_xticks(range(len(names)), names)
    right.set_ylabel("% of the best return kept")
    parameters = int(tiny_rows["parameters"][0])
    right.set_title(f"how states count, a student of {parameters} parameters", fontsize=10)
    right.legend(frameon=False)
    figure.suptitle(
        f"Labels and weights: mean of {len(set(rows['run'].tolist()))} seeds, 95% interval"
    )
    return figure
