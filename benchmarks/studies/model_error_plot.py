"""Tables and plot of the study of model errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.curves import interval_text
from dynamaze.benchmarks.harness.table import Table, rows_where
from dynamaze.benchmarks.studies.corrupted_model import KINDS, MODEL_FREE, PLANNERS

COLOURS = dict(zip(PLANNERS, ("tab:red", "tab:blue", "tab:orange", "tab:green"), strict=True))
MARKERS = dict(zip(PLANNERS, "osv^", strict=True))


def summary(tables: dict[str, Table], config: Any) -> dict[str, list[tuple[str, ...]]]:
    """Return sections by corruption: for each planner and level the error and the paired gain."""
    table = relative_to_model_free(tables[config.name])
    sections: dict[str, list[tuple[str, ...]]] = {}
    for kind in dict.fromkeys(table["kind"].tolist()):
        mine = rows_where(table, "kind", kind)
        lines: list[tuple[str, ...]] = [
            ("planner", KINDS[kind].level_name, "error", "gain", "", "selective", "")
        ]
        for planner, label in PLANNERS.items():
            own = rows_where(mine, "planner", planner)
            plain, selective = (rows_where(own, "selective", which) for which in (0, 1))
            for row, level in enumerate(plain["level"]):
                texts = (
                    text
                    for each in (plain, selective)
                    for text in (interval_text(each, "gain", row, 0), worse_text(each, row))
                )
                error = f"{plain['error_mean'][row]:.3f}"
                lines.append((label if row == 0 else "", f"{level:g}", error, *texts))
        sections[KINDS[kind].title] = lines
    return sections


def worse_text(table: Table, row: int) -> str:
    """Return the remark beside a gain."""
    return "worse" if table["worse_than_model_free"][row] else ""


def relative_to_model_free(table: Table) -> Table:
    """Return the table with rewards and gains in percent of Q-learning's reward."""
    scaled = dict(table)
    unit = np.empty(table["reward_mean"].size)
    for kind in dict.fromkeys(table["kind"].tolist()):
        mine = table["kind"] == kind
        unit[mine] = table["reward_mean"][mine & (table["planner"] == MODEL_FREE)] / 100
    for name in table:
        if name.startswith(("reward_", "gain_")):
            scaled[name] = table[name] / unit
    return scaled


def plot(tables: dict[str, Table], config: Any) -> Figure:
    """Return the plot: return against model error, a panel for each kind of corruption."""
    table = relative_to_model_free(tables[config.name])
    kinds = list(dict.fromkeys(table["kind"].tolist()))
    rows = (len(kinds) + 1) // 2
    figure = Figure(figsize=(11, 0.8 + 3.8 * rows), layout="constrained")
    grid: Any = figure.subplots(rows, 2, squeeze=False)
    for axes, kind in zip(grid.flat, kinds, strict=False):
        _draw(axes, rows_where(table, "kind", kind))
        axes.set_title(KINDS[kind].title, fontsize=10)
    for axes in grid.flat[len(kinds) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Return, % of Q-learning's")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(
        f"Planning with a corrupted model: {int(table['runs'][0])} runs of each agent, "
        "95% interval of the paired difference from Q-learning"
    )
    return figure


def _draw(axes: Axes, table: Table) -> None:
    free = rows_where(table, "planner", MODEL_FREE)
    axes.axhspan(free["reward_low"][0], free["reward_high"][0], color="grey", alpha=0.4)
    axes.axhline(100, color="grey", linewidth=0.8, label="Q-learning")
    for planner, label in PLANNERS.items():
        for selective, style in ((0, "-"), (1, "--")):
            own = rows_where(rows_where(table, "planner", planner), "selective", selective)
            order = np.argsort(own["error_mean"])
            error, low, mean, high = (
                own[name][order] for name in ("error_mean", "gain_low", "gain_mean", "gain_high")
            )
            axes.plot(
                error,
                100 + mean,
                color=COLOURS[planner],
                linestyle=style,
                marker=MARKERS[planner],
                markersize=4,
                label=f"{label}, selective" if selective else label,
            )
            axes.fill_between(
                error, 100 + low, 100 + high, color=COLOURS[planner], alpha=0.2, linewidth=0
            )
    axes.set(xlabel="Model error", ylim=(0, None))
