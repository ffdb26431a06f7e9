"""All environment models in all mazes that they support, with Dyna-Q.

All have the same step size, exploration and number of simulated updates; `model_trial` has the
measurements. Two remarks on the results:

1. A model that generalises observes row and column and must learn the walls; a table need not
   generalise, and samples only visited pairs. So in so small a maze a table is hard to beat:
   networks have seen too little in one or two thousand steps to be sharp at each wall
   (`dynamaze bench run models` prints by how much longer their episodes are).
2. In the blocking maze none of them explores for changes (see `model_confidence`). The forgetting
   models plan with the same n as the others, and forget in the static maze too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from dynamaze.agents.models import LEARNED_MODELS, MODELS
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_NOTE,
    IntervalEstimate,
    few_runs,
    format_interval,
    geometric_mean_interval,
    mean_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, REFERENCE, panels, points_with_bars
from dynamaze.benchmarks.harness.analysis.summaries import (
    count_text,
    fraction_interval,
    mean_text,
    median_interval,
    median_text,
    share_text,
)
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    from_rows,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.benchmarks.studies.model_trial import (
    MAZES,
    SAMPLES,
    SKIPPED_EPISODES,
    STATED_PROBABILITY,
    run_model,
)
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Runs, Seed
from dynamaze.common.validation import checked_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SLOW = ("gaussian_process", "deep_belief", "ensemble")
BASELINE_MODEL = "latest_outcome"

MEASURES = {
    "steps_to_solve": "real steps to solve (median)",
    "next_error": "error of the next position (cells)",
    "coverage": f"truth within the stated {STATED_PROBABILITY:.0%}",
    "update_us": "one update (us)",
    "sample_ms": "1000 samples (ms)",
}
"""Measured columns and their labels in the plot."""

TIMES = ("update_us", "sample_ms")
LOGARITHMIC = ("steps_to_solve", *TIMES)


@dataclass(frozen=True)
class ModelComparisonConfig(ExperimentConfig):
    """Compare the environment models: steps to solve, errors, calibration, time."""

    name: ClassVar[str] = "models"
    title: ClassVar[str] = "Environment models"
    swept: ClassVar[tuple[str, ...]] = ("slow_runs", "models", "mazes")

    runs: Runs = 30
    """Runs of each model in each maze."""
    slow_runs: Runs = 4
    """Runs of Gaussian process, deep belief network, ensemble; in continuous mazes of all."""
    seed: Seed = 0
    """Seed of all random numbers; times vary."""
    models: tuple[str, ...] = ()
    """Some of the models, by name (an unknown one lists them); all by default."""
    mazes: tuple[Literal["static", "slippery", "blocking", "continuous"], ...] = ()
    """Some of the mazes; all by default."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Mazes, and the models that support each; slow ones have fewer runs."""
        return [
            Setting(
                (maze, model),
                self.slow_runs if is_slow(model, maze) else self.runs,
                f"{model}, {maze}",
                MAZES[maze].env,
            )
            for maze in self.mazes or MAZES
            for model in self.models or MODELS
            if supports(model, maze)
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "n runs; 95% intervals: Wilson's of the share of solved mazes, by order statistics of "
            "the median of steps to solve, Student's of means, on the log scale of ratios; times: "
            f"median and quartiles; {FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, or an unknown model.
        """
        super().check()
        for model in self.models:
            checked_choice("models", model, sorted(MODELS))


def is_slow(model: str, maze: str) -> bool:
    """Return whether a run takes so long that there are fewer of them."""
    return model in SLOW or "values" in MAZES[maze].agent


def supports(model: str, maze: str) -> bool:
    """Return whether a model supports a maze: a table cannot where there is no grid."""
    on_grid = "values" not in MAZES[maze].agent
    return on_grid or model in LEARNED_MODELS or model == "stored_experience"


def run(config: ModelComparisonConfig, runner: Runner | None = None) -> Tables:
    """Run the comparison.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        `models`, a row for each model in each maze: the means of the columns below (of
        steps_to_solve the median) with `_low` and `_high`, 95% intervals (of times the median and
        the quartiles), and the number of runs;
        `models_runs`, the single runs, with the columns maze, model, run, solved (0 or 1),
        steps_to_solve (real steps, in a changing maze from the change on; all steps if it was not
        solved), steps_after (mean length of episodes 21 to 25, in the static maze), next_error
        (cells), reward_error, coverage (of the model's 90% prediction sets), update_us
        (microseconds for one real transition) and sample_ms (milliseconds for 1000 samples).

    Raises:
        ValueError: for fewer than 2 runs, or an unknown model.
        ImportError: without SciPy or torch, which the slow models need.
    """
    config.check()
    runs = stack_runs((runner or Runner()).run(trial, config), by_number=True)
    return {"models": summarise(runs), "models_runs": runs}


def trial(config: ModelComparisonConfig, maze: str, model: str, number: int) -> Table:
    """Run one model in one maze once: a table of one row."""
    return run_model(maze, model, number, config.seed)


def summarise(runs: Table) -> Table:
    """Return a row for each model in each maze, from a row for each run."""
    rows: list[dict[str, Any]] = []
    for maze, model in _pairs(runs):
        own = rows_where(runs, maze=maze, model=model)
        row: dict[str, Any] = {"maze": maze, "model": model, "runs": len(own["run"])}
        for name in list(own)[3:]:
            middle, low, high = INTERVALS.get(name, mean_interval)(own[name])
            row |= {name: float(middle), f"{name}_low": float(low), f"{name}_high": float(high)}
        rows.append(row)
    return from_rows(rows)


def quartiles(times: FloatArray) -> IntervalEstimate:
    """Return the median and the quartiles, which other load on the machine affects little."""
    low, middle, high = np.quantile(times, (0.25, 0.5, 0.75))
    return IntervalEstimate(middle, low, high)


INTERVALS: dict[str, Callable[[FloatArray], IntervalEstimate]] = {
    "solved": fraction_interval,
    "steps_to_solve": median_interval,
    **dict.fromkeys(TIMES, quartiles),
}
"""Columns whose interval is not that of a mean."""


def ratio_to_table(runs: Table, model: str) -> IntervalEstimate:
    """Return the paired ratio of the lengths of episodes 21 to 25 to those with the table.

    The mean is geometric: the 95% interval is that of the logarithms.
    """
    static = rows_where(runs, maze="static")
    mine, table = (
        rows_where(static, model=name)["steps_after"] for name in (model, BASELINE_MODEL)
    )
    several = min(len(mine), len(table))
    return geometric_mean_interval(mine[:several] / table[:several])


def summary(tables: Tables, config: ModelComparisonConfig) -> dict[str, Lines]:
    """Return a section for each maze, with a line for each model, and one of the models' times."""
    runs = tables["models_runs"]
    table = summarise(runs)  # stored tables of version 0.1 have other intervals
    sections = {
        f"{maze} maze": _lines(rows_where(table, maze=maze), runs)
        for maze in MAZES
        if maze in table["maze"]
    }
    first = rows_where(table, maze=table["maze"][0])
    times: Lines = [("model", "n", "update, us", f"{SAMPLES} samples, ms")]
    for row in _rows(first):
        texts = (_quartiles_text(row, "update_us", 0), _quartiles_text(row, "sample_ms", 2))
        times.append((row["model"], str(row["runs"]), *texts))
    return {**sections, f"Times in the {first['maze'][0]} maze": times}


def _lines(table: Table, runs: Table) -> Lines:
    compared = _has_reference(table)
    heading = [
        "model",
        "n",
        "solved",
        "steps to solve",
        "error, cells",
        f"within {STATED_PROBABILITY:.0%}",
    ]
    lines = [
        (*heading, f"steps after {SKIPPED_EPISODES} episodes, ratio to the table")[: 6 + compared]
    ]
    for row in _rows(table):
        own = rows_where(runs, maze=row["maze"], model=row["model"])
        limit = float(own["steps_to_solve"].max())
        steps = np.where(own["solved"] == 1, own["steps_to_solve"], np.inf)
        line = [
            row["model"],
            str(row["runs"]),
            share_text(own["solved"]),
            median_text(steps, limit=limit),
            mean_text(own["next_error"], 3, kind="time"),
            "" if np.isnan(row["coverage"]) else mean_text(own["coverage"], 3, kind="time"),
        ]
        if compared:
            line.append(
                _ratio_text(runs, row["model"]) if np.isfinite(own["steps_after"]).all() else "-"
            )
        lines.append(tuple(line))
    return lines


def _ratio_text(runs: Table, model: str) -> str:
    static = rows_where(runs, maze="static")
    pairs = min(int((static["model"] == name).sum()) for name in (model, BASELINE_MODEL))
    return format_interval(ratio_to_table(runs, model), 2, few=few_runs("geometric", pairs))


def _has_reference(table: Table) -> bool:
    return table["maze"][0] == "static" and BASELINE_MODEL in table["model"]


def _rows(table: Table) -> list[dict[str, Any]]:
    return [
        {name: column[row] for name, column in table.items()} for row in range(len(table["model"]))
    ]


def _quartiles_text(row: dict[str, Any], name: str, digits: int) -> str:
    return format_interval(
        IntervalEstimate(row[name], row[f"{name}_low"], row[f"{name}_high"]), digits
    )


def _pairs(table: Table) -> Iterable[tuple[str, str]]:
    """Return maze and model of the rows, each pair once, in the order of their tables."""
    there = set(zip(table["maze"].tolist(), table["model"].tolist(), strict=True))
    return [(maze, model) for maze in MAZES for model in MODELS if (maze, model) in there]


# -- plot --------------------------------------------------------------------------------------


def plot(tables: Tables, config: ModelComparisonConfig) -> Figure:
    """Return the plot: a row for each measure, a column for each maze, a point for each model."""
    table = summarise(tables["models_runs"])
    mazes = [maze for maze in MAZES if maze in table["maze"]]
    models = [model for model in MODELS if model in table["model"]]
    size = (max(2.6 + 2.7 * len(mazes), 7.5), 0.9 + 2.9 * len(MEASURES))  # the title is wide
    figure, grid = panels(len(MEASURES), len(mazes), size=size, sharey=True)
    for line, (measure, label) in zip(grid, MEASURES.items(), strict=True):
        for axes, maze in zip(line, mazes, strict=True):
            _draw(axes, rows_where(table, maze=maze), models, measure)
            axes.set_xlabel(label, fontsize="small")
    for axes, maze in zip(grid[0], mazes, strict=True):
        axes.set_title(maze)
    grid[0, 0].set_yticks(range(len(models)), labels=[name.replace("_", " ") for name in models])
    grid[0, 0].invert_yaxis()
    figure.suptitle(
        f"{config.title} in Dyna-Q, {count_text(table['runs'])}: 95% intervals; times: quartiles"
    )
    return figure


def _draw(axes: Axes, table: Table, models: list[str], measure: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    for row, model in enumerate(table["model"]):
        interval = IntervalEstimate(*(table[measure + end][row] for end in ("", "_low", "_high")))
        style = {"fmt": "o", "markersize": 4, "capsize": 0, "color": COLOURS[_family(model)]}
        points_with_bars(axes, models.index(model), interval, horizontal=True, **style)
    if measure == "coverage":
        axes.axvline(STATED_PROBABILITY, **REFERENCE)
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


if __name__ == "__main__":
    run_script(__file__)
