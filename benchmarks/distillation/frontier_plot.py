"""Tables and plot of the frontier."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dynamaze.benchmarks.distillation.frontier_students import (
    CHANGING_MAZES,
    EXACT_PLANNER,
    LARGER_MAZES,
    POLICY_GRADIENT,
    SIDE,
    STALE_PLANNER,
    TABLE,
)
from dynamaze.benchmarks.harness.intervals import format_interval, mean_interval
from dynamaze.benchmarks.harness.table import Table, rows_where

AXES = {
    "parameters": "parameters",
    "bytes": "bytes of weights",
    "multiply_adds": "multiply-adds of a decision",
    "microseconds": "microseconds of a decision",
}
"""Columns of the four measures of size, and their labels."""


def summary(tables: dict[str, Table], config: Any) -> dict[str, list[tuple[str, ...]]]:
    """Return normalised returns by kind of mazes, and the sizes."""
    rows, sizes = tables[config.name], tables[f"{config.name}_sizes"]
    kinds = list(dict.fromkeys(rows["mazes"].tolist()))
    returns: list[tuple[str, ...]] = [("student", *kinds)]
    for name in dict.fromkeys(rows["student"].tolist()):
        own = rows_where(rows, "student", name)
        cells = [
            _interval_text(rows_where(own, "mazes", kind)["normalised_return"]) for kind in kinds
        ]
        returns.append((name, *cells))
    axes: list[tuple[str, ...]] = [("student", *AXES.values(), "seconds of training")]
    for at, name in enumerate(sizes["student"].tolist()):
        numbers = [f"{sizes[axis][at]:,.4g}" for axis in (*AXES, "seconds")]
        axes.append((name, *numbers))
    return {"Normalised return on held-out levels": returns, "Sizes": axes}


def _interval_text(samples: Any) -> str:
    if not len(samples):
        return "-"
    return format_interval(mean_interval(100 * samples), 2, unit="%", minimum=0, maximum=100)


# Groups of students, by the first word of their names.
COLOURS = {"VIN": "tab:blue", "convolutional": "tab:orange", "MLP": "tab:green"}
BASELINES = {TABLE: "tab:brown", POLICY_GRADIENT: "tab:red", "teacher": "black"}


def plot(tables: dict[str, Table], config: Any) -> Figure:
    """Return the plot: a panel for each axis in perfect mazes, and one for each other kind."""
    rows, sizes = tables[config.name], tables[f"{config.name}_sizes"]
    figure = Figure(figsize=(16, 7.5), layout="constrained")
    grid: Any = figure.subplots(2, 4)
    perfect, loops = (f"{kind} {SIDE}x{SIDE}" for kind in ("perfect", "loops"))
    panels = [(axis, perfect) for axis in AXES]
    panels += [("parameters", kind) for kind in (loops, CHANGING_MAZES, *LARGER_MAZES)]
    stale = 100 * rows["normalised_return"][rows["student"] == STALE_PLANNER].mean()
    exact = sizes["microseconds"][sizes["student"] == EXACT_PLANNER]
    for axes, (axis, kind) in zip(grid.flat, panels, strict=True):
        for group, colour in (COLOURS | BASELINES).items():
            points = _points(rows, sizes, group, axis, kind)
            if points:
                x, mean, low, high = (np.array(part) for part in zip(*points, strict=True))
                bars = np.maximum([mean - low, high - mean], 0)
                line = "o-" if group in COLOURS else "s"
                axes.errorbar(x, mean, bars, fmt=line, color=colour, capsize=3, label=group)
        if axis == "microseconds" and len(exact):
            axes.axvline(exact[0], color="grey", linestyle=":", label=f"{EXACT_PLANNER} (100%)")
        if kind == CHANGING_MAZES:
            axes.axhline(stale, color="tab:purple", linestyle="--", label=STALE_PLANNER)
        axes.set_xscale("log")
        axes.set_ylim(-3, 104)
        axes.set_xlabel(AXES[axis])
        axes.set_ylabel("normalised return, %")
        axes.set_title(f"held out, {kind}", fontsize=10)
    handles: dict[str, Any] = {}
    for axes in grid.flat:
        found, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"Normalised return of students, {config.runs} seeds, 95% interval")
    return figure


def _points(
    rows: Table, sizes: Table, group: str, axis: str, kind: str
) -> list[tuple[float, float, float, float]]:
    """Return size, mean and interval of each student of a group, by size."""
    points = []
    for at, name in enumerate(sizes["student"].tolist()):
        if name != group and (
            group in BASELINES or name in BASELINES or not name.startswith(group)
        ):
            continue
        own = rows_where(rows_where(rows, "student", name), "mazes", kind)["normalised_return"]
        if len(own) and np.isfinite(sizes[axis][at]):
            mean, low, high = mean_interval(100 * own)
            points.append((float(sizes[axis][at]), float(mean), float(low), float(high)))
    return sorted(points)
