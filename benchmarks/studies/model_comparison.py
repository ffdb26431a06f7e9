"""Every model of the world in every maze that it can serve, with Dyna-Q round it.

All learn with the same step size, exploration and number of simulated updates; what is measured,
and how, stands in `model_trial`. Two things are worth knowing beside the table:

1. A model that generalises is told row and column and must find out where walls are; a table need
   not generalise, and what it does not know it does not imagine. So in a maze this small a table
   is hard to beat, and networks, which have not seen enough in one or two thousand steps to be
   sharp at each wall, come within some 12 to 16% of it after 20 episodes.
2. In the blocking maze none of them looks for what may have changed: `model_confidence` is about
   that. The forgetting models plan with the same n as the others, and forget in the static maze
   too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from dynamaze.agents.models import LEARNED_MODELS, MODELS
from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import did_you_mean

from ..harness.intervals import ConfidenceInterval, format_interval, mean_interval
from ..harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from ..harness.table import Table, rows_where, stack
from .model_trial import AFTER, MAZES, SAMPLES, STATED, trial

SLOW = ("gaussian_process", "deep_belief", "ensemble")
REFERENCE = "latest_outcome"
COLOURS = {"table": "tab:blue", "linear": "tab:green", "learned": "tab:orange"}

MEASURES = {
    "steps_to_solve": "real steps to solve",
    "next_error": "error of the next place (cells)",
    "coverage": f"truth within the stated {STATED:.0%}",
    "update_us": "one update (us)",
    "sample_ms": "1000 samples (ms)",
}
"""What is drawn, and what is written below it."""

TIMES = ("update_us", "sample_ms")
LOGARITHMIC = ("steps_to_solve", *TIMES)


@dataclass(frozen=True)
class Models(ExperimentConfig):
    """Compare the models of the world: steps to solve, errors, calibration, time."""

    name: ClassVar[str] = "models"

    runs: int = 30
    """Runs of each model in each maze."""
    slow_runs: int = 4
    """Runs of Gaussian process, deep belief network, ensemble; in continuous mazes of all."""
    seed: int = 0
    """Settles every number but times."""
    models: tuple[str, ...] = ()
    """Some of the models instead of all, by name."""
    mazes: tuple[Literal["static", "slippery", "blocking", "continuous"], ...] = ()
    """Some of the mazes instead of all."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def jobs(self) -> list[tuple[str, str, int, int]]:
        """Maze, model, run and seed of each run."""
        return [
            (maze, model, run, self.seed)
            for run in range(max(self.runs, self.slow_runs))
            for maze in self.mazes or MAZES
            for model in self.models or MODELS
            if run < (self.slow_runs if is_slow(model, maze) else self.runs) and serves(model, maze)
        ]

    @property
    def total_runs(self) -> int:
        """Runs of all models in all mazes together."""
        return len(self.jobs)


def is_slow(model: str, maze: str) -> bool:
    """Whether a run takes so long that there are fewer of them."""
    return model in SLOW or "values" in MAZES[maze].agent


def serves(model: str, maze: str) -> bool:
    """Whether a model can serve a maze: where there is no grid, a table cannot."""
    on_grid = "values" not in MAZES[maze].agent
    return on_grid or model in LEARNED_MODELS or model == "stored_experience"


def main(config: Models) -> None:
    """Run the comparison, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, or a model that there is not.
        ImportError: without SciPy or torch, which the slow models need.
        OSError: if the output folder cannot be written.
    """
    check(config)
    run_module(
        __name__,
        config,
        title="Models of the world",
        caption="means of so many runs and half their 95% intervals; a run that does not solve its "
        "maze counts with all its steps",
        cache_dir=cache_folder(config),
    )


def check(config: Models) -> None:
    """Refuse what cannot be run before anything runs.

    Raises:
        ValueError: for fewer than 2 runs, or a model that there is not.
    """
    check_runs(config.runs)
    check_runs(config.slow_runs, "slow_runs")
    for model in config.models:
        if model not in MODELS:
            raise ValueError(
                f"models: {model!r}; expected some of {sorted(MODELS)}{did_you_mean(model, MODELS)}"
            )


def run(
    config: Models, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the comparison.

    Args:
        config: its numbers.
        callback: called after each of the `config.total_runs` runs.
        cache_dir: a folder for the runs that are done, so that a run that was stopped goes on.

    Returns:
        `models`, a row for each model in each maze: the means of the columns below with `_low` and
        `_high`, 95% intervals (of times the median and the quartiles), and the number of runs;
        `models_runs`, the single runs, with the columns maze, model, run, solved (0 or 1),
        steps_to_solve (real steps, in a maze that changes from the change on; all that there were,
        if it was not solved), steps_after (mean length of episodes 21 to 25, in the static maze),
        next_error (cells), reward_error, coverage (how often the truth lies within the stated 90%),
        update_us (microseconds for one real transition) and sample_ms (milliseconds for 1000).
    """
    check(config)
    runs = stack(
        run_jobs(trial, config.jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    )
    return {"models": means(runs), "models_runs": runs}


def means(runs: Table) -> Table:
    """A row for each model in each maze, of those for each run."""
    rows: list[dict[str, Any]] = []
    for maze, model in _pairs(runs):
        own = rows_where(rows_where(runs, "maze", maze), "model", model)
        row: dict[str, Any] = {"maze": maze, "model": model, "runs": len(own["run"])}
        for name in list(own)[3:]:
            middle, low, high = quartiles(own[name]) if name in TIMES else mean_interval(own[name])
            row |= {name: middle, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def quartiles(times: FloatArray) -> ConfidenceInterval:
    """The median and the two quartiles: what else a machine does lies above them."""
    low, middle, high = np.quantile(times, (0.25, 0.5, 0.75))
    return ConfidenceInterval(middle, low, high)


def ratio_to_table(runs: Table, model: str) -> ConfidenceInterval:
    """How much longer episodes 21 to 25 are than with the table, run by run; a 95% interval.

    The mean is geometric: the interval is that of the logarithms.
    """
    static = rows_where(runs, "maze", "static")
    mine, table = (rows_where(static, "model", name)["steps_after"] for name in (model, REFERENCE))
    several = min(len(mine), len(table))
    interval = mean_interval(np.log(mine[:several] / table[:several]))
    return ConfidenceInterval(*(np.exp(part) for part in interval))


def summary(tables: dict[str, Table], config: Models) -> dict[str, list[tuple[str, ...]]]:
    """For each maze a line for each model; then how long updates and samples take."""
    table, runs = tables["models"], tables["models_runs"]
    sections = {
        f"{maze} maze": _lines(rows_where(table, "maze", maze), runs)
        for maze in MAZES
        if maze in table["maze"]
    }
    first = rows_where(table, "maze", table["maze"][0])
    times: list[tuple[str, ...]] = [("model", "update, us", f"{SAMPLES} samples, ms")]
    for row in _rows(first):
        times.append((row["model"], f"{row['update_us']:.0f}", f"{row['sample_ms']:.2f}"))
    return {**sections, f"Times in the {first['maze'][0]} maze": times}


def _lines(table: Table, runs: Table) -> list[tuple[str, ...]]:
    compared = _has_reference(table)
    heading = ["model", "runs", "solved", "steps to solve", "error, cells", f"within {STATED:.0%}"]
    lines = [(*heading, f"steps after {AFTER} episodes, over the table's")[: 6 + compared]]
    for row in _rows(table):
        line = [
            row["model"],
            str(row["runs"]),
            f"{row['solved']:.0%}",
            _with_half(row, "steps_to_solve", 0),
            _with_half(row, "next_error", 3),
            "" if np.isnan(row["coverage"]) else _with_half(row, "coverage", 3),
        ]
        if compared:
            line.append(format_interval(ratio_to_table(runs, row["model"]), 2))
        lines.append(tuple(line))
    return lines


def _has_reference(table: Table) -> bool:
    return table["maze"][0] == "static" and REFERENCE in table["model"]


def _rows(table: Table) -> list[dict[str, Any]]:
    return [
        {name: column[row] for name, column in table.items()} for row in range(len(table["model"]))
    ]


def _with_half(row: dict[str, Any], name: str, digits: int) -> str:
    return f"{row[name]:.{digits}f} ± {row[name + '_high'] - row[name]:.{digits}f}"


def _pairs(table: Table) -> Iterable[tuple[str, str]]:
    """Maze and model of the rows, each pair once, in the order of their tables."""
    there = set(zip(table["maze"].tolist(), table["model"].tolist(), strict=True))
    return [(maze, model) for maze in MAZES for model in MODELS if (maze, model) in there]


# -- the picture -------------------------------------------------------------------------------


def plot(tables: dict[str, Table], config: Models) -> Figure:
    """A row for each measure, a column for each maze, a point for each model."""
    table = tables["models"]
    mazes = [maze for maze in MAZES if maze in table["maze"]]
    models = [model for model in MODELS if model in table["model"]]
    figure = Figure(
        figsize=(2.6 + 2.7 * len(mazes), 0.9 + 2.9 * len(MEASURES)), layout="constrained"
    )
    grid: Any = figure.subplots(len(MEASURES), len(mazes), squeeze=False, sharey=True)
    for line, (measure, label) in zip(grid, MEASURES.items(), strict=True):
        for axes, maze in zip(line, mazes, strict=True):
            _draw(axes, rows_where(table, "maze", maze), models, measure)
            axes.set_xlabel(label, fontsize=8)
    for axes, maze in zip(grid[0], mazes, strict=True):
        axes.set_title(maze)
    grid[0, 0].set_yticks(range(len(models)), labels=[name.replace("_", " ") for name in models])
    grid[0, 0].invert_yaxis()
    figure.suptitle("Models of the world in Dyna-Q: means and 95% intervals; times: quartiles")
    return figure


def _draw(axes: Axes, table: Table, models: list[str], measure: str) -> None:
    for row, model in enumerate(table["model"]):
        mean, low, high = (table[measure + end][row] for end in ("", "_low", "_high"))
        axes.errorbar(
            mean,
            models.index(model),
            xerr=[[mean - low], [high - mean]],
            fmt="o",
            markersize=4,
            color=COLOURS[_family(model)],
        )
    if measure == "coverage":
        axes.axvline(STATED, color="grey", linestyle=":", linewidth=1)
        axes.set_xlim(-0.03, 1.03)
    elif measure in LOGARITHMIC:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        if axes.get_xlim()[1] < 10 * axes.get_xlim()[0]:  # no power of ten may lie between
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.set_xlim(left=0)
    axes.grid(axis="y", linewidth=0.3)
    axes.tick_params(labelsize=8)


def _family(model: str) -> str:
    if model not in LEARNED_MODELS:
        return "table"
    return "learned" if model in SLOW else "linear"
