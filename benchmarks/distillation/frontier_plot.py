"""What the frontier looks like: tables in the terminal, and a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..harness.intervals import format_interval, mean_interval
from ..harness.table import Table, rows_where
from .frontier_students import CHANGING, DIRECT, EXACT, LARGER, SIDE, STALE, TABLE

AXES = {
    "parameters": "parameters",
    "bytes": "bytes of weights",
    "multiply_adds": "multiply-adds of a decision",
    "microseconds": "microseconds of a decision",
}
"""The four measures of size, as columns and as words."""


def summary(tables: dict[str, Table], config: Any) -> dict[str, list[tuple[str, ...]]]:
    """Return kept by kind of mazes, and the sizes."""
    rows, sizes = tables[config.name], tables[f"{config.name}_sizes"]
    kinds = list(dict.fromkeys(rows["mazes"].tolist()))
    kept: list[tuple[str, ...]] = [("student", *kinds)]
    for name in dict.fromkeys(rows["student"].tolist()):
        own = rows_where(rows, "student", name)
        cells = [_told(rows_where(own, "mazes", kind)["kept"]) for kind in kinds]
        kept.append((name, *cells))
    axes: list[tuple[str, ...]] = [("student", *AXES.values(), "seconds of training")]
    for at, name in enumerate(sizes["student"].tolist()):
        numbers = [f"{sizes[axis][at]:,.4g}" for axis in (*AXES, "seconds")]
        axes.append((name, *numbers))
    return {"Share of the best return kept on unseen levels": kept, "Sizes": axes}


def _told(samples: Any) -> str:
    if not len(samples):
        return "-"
    return format_interval(mean_interval(100 * samples), 2, unit="%", minimum=0, maximum=100)


COLOURS = {"planner": "tab:blue", "convolutional": "tab:orange", "perceptron": "tab:green"}
FLOORS = {TABLE: "tab:brown", DIRECT: "tab:red", "teacher": "black"}


def plot(tables: dict[str, Table], config: Any) -> Figure:
    """A panel for each axis in unseen perfect mazes of 11x11, and one for each other kind."""
    rows, sizes = tables[config.name], tables[f"{config.name}_sizes"]
    figure = Figure(figsize=(16, 7.5), layout="constrained")
    grid: Any = figure.subplots(2, 4)
    perfect, loops = (f"{kind} {SIDE}x{SIDE}" for kind in ("perfect", "loops"))
    panels = [(axis, perfect) for axis in AXES]
    panels += [("parameters", kind) for kind in (loops, CHANGING, *LARGER)]
    stale = 100 * rows["kept"][rows["student"] == STALE].mean()
    exact = sizes["microseconds"][sizes["student"] == EXACT]
    for axes, (axis, kind) in zip(grid.flat, panels, strict=True):
        for group, colour in (COLOURS | FLOORS).items():
            points = _points(rows, sizes, group, axis, kind)
            if points:
                x, mean, low, high = (np.array(part) for part in zip(*points, strict=True))
                bars = np.maximum([mean - low, high - mean], 0)
                line = "o-" if group in COLOURS else "s"
                axes.errorbar(x, mean, bars, fmt=line, color=colour, capsize=3, label=group)
        if axis == "microseconds" and len(exact):
            axes.axvline(exact[0], color="grey", linestyle=":", label=f"{EXACT} (keeps 100%)")
        if kind == CHANGING:
            axes.axhline(stale, color="tab:purple", linestyle="--", label=STALE)
        axes.set_xscale("log")
        axes.set_ylim(-3, 104)
        axes.set_xlabel(AXES[axis])
        axes.set_ylabel("% of the best return kept")
        axes.set_title(f"unseen, {kind}", fontsize=10)
    handles: dict[str, Any] = {}
    for axes in grid.flat:
        found, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"What students keep of the best return, {config.runs} seeds, 95% interval")
    return figure


def _points(
    rows: Table, sizes: Table, group: str, axis: str, kind: str
) -> list[tuple[float, float, float, float]]:
    """Size, mean and interval of each student of a group, by size."""
    points = []
    for at, name in enumerate(sizes["student"].tolist()):
        if name != group and (group in FLOORS or name in FLOORS or not name.startswith(group)):
            continue
        own = rows_where(rows_where(rows, "student", name), "mazes", kind)["kept"]
        if len(own) and np.isfinite(sizes[axis][at]):
            mean, low, high = mean_interval(100 * own)
            points.append((float(sizes[axis][at]), float(mean), float(low), float(high)))
    return sorted(points)
