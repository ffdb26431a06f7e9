"""LoCA comparison: classify all built-in agents as adaptive or not.

The criterion is in `evaluation`, the phases in `DynaMazeLoCAEnv`, the agents in `agents`. By
default a run has half the steps of Wan et al. (2022); `--steps 100000 50000 50000` gives theirs.
`--slip-probability 0` is the environment of van Seijen et al. (2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.intervals import format_interval, mean_interval
from dynamaze.benchmarks.harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
from dynamaze.benchmarks.studies.loca.agents import AGENTS, LoCAAgent
from dynamaze.benchmarks.studies.loca.evaluation import (
    AdaptationResult,
    classify_adaptation,
    run_agent,
)
from dynamaze.benchmarks.studies.loca.protocol import PHASES, LoCAProtocol
from dynamaze.common.validation import did_you_mean

COLUMNS = 4
"""Panels in a row."""

COLOURS = {"yes": "tab:green", "no": "tab:red", "undecided": "tab:grey"}

REFERENCE_LINES = {"optimum": ("--", "optimum"), "other": (":", "optimal in the other task")}
"""Reference returns of the panels: line style and label."""

ENDS = ("", "_low", "_high")
"""Ends of the columns of a mean and of its interval."""

CAPTION = (
    "normalised score (0: policy that is optimal in the other task, 1: optimum), mean of the runs "
    "and 95% interval; adaptive: near the optimum in phases 1 and 2"
)


@dataclass(frozen=True)
class LoCAComparisonConfig(ExperimentConfig):
    """Options of both environments' comparisons."""

    variant: ClassVar[str]
    old_names: ClassVar[Mapping[str, str]] = {
        f"share_{phase}{end}": f"score_{phase}{end}"
        for phase in range(1, len(PHASES) + 1)
        for end in ENDS
    }

    runs: int = 10
    """Runs of each agent."""
    slow_runs: int = 5
    """Runs of each slow agent."""
    seed: int = 0
    """Seed of all random numbers."""
    agents: tuple[str, ...] = ()
    """Some of the agents, by name (an unknown one lists them); all by default."""
    sb3: bool = False
    """Include DQN of Stable-Baselines3, which takes minutes for a run."""
    evaluation_interval: int = 500
    """Real steps between two evaluations."""
    near: float = 0.9
    """Normalised score from which an agent is near the optimum."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def names(self) -> list[str]:
        """Names of the agents that take part."""
        if self.agents:
            return [*self.agents]
        entries = AGENTS[self.variant]
        return [name for name in entries if self._takes_part(name, entries[name])]

    def _takes_part(self, name: str, entry: LoCAAgent) -> bool:
        return not entry.is_optional or (self.sb3 and name == "sb3_dqn")

    @property
    def protocol(self) -> LoCAProtocol:
        """The protocol with these options.

        Raises:
            ValueError: for a number outside its range.
        """
        raise NotImplementedError

    @property
    def jobs(self) -> list[tuple[LoCAProtocol, str, int]]:
        """Protocol, agent and run of each run."""
        protocol, entries = self.protocol, AGENTS[self.variant]
        return [
            (protocol, name, run)
            for run in range(max(self.runs, self.slow_runs))
            for name in self.names
            if run < (self.slow_runs if entries[name].is_slow else self.runs)
        ]

    @property
    def total_runs(self) -> int:
        """Number of runs of all agents."""
        return len(self.jobs)


@dataclass(frozen=True)
class LoCAConfig(LoCAComparisonConfig):
    """Local change adaptation (LoCA) of agents, on the grid."""

    name: ClassVar[str] = "loca"
    variant: ClassVar[str] = "grid"

    steps: tuple[int, int, int] = (50_000, 25_000, 25_000)
    """Real steps of the three phases."""
    slip_probability: float = 0.25
    """Probability that an action is replaced by one of the four at random."""

    @property
    def protocol(self) -> LoCAProtocol:
        """The protocol with these options."""
        return LoCAProtocol(
            self.variant,
            self.steps,
            self.evaluation_interval,
            seed=self.seed,
            near=self.near,
            options={"slip_probability": self.slip_probability},
        )


@dataclass(frozen=True)
class LoCAContinuousConfig(LoCAComparisonConfig):
    """Local change adaptation (LoCA) of agents, for a point in a corridor."""

    name: ClassVar[str] = "loca_continuous"
    variant: ClassVar[str] = "continuous"

    runs: int = 5
    """Runs of each agent."""
    evaluation_interval: int = 1000
    """Real steps between two evaluations."""
    steps: tuple[int, int, int] = (20_000, 10_000, 10_000)
    """Real steps of the three phases."""
    noise: float = 0.1
    """Standard deviation of the displacement's noise, in cells."""

    @property
    def protocol(self) -> LoCAProtocol:
        """The protocol with these options."""
        return LoCAProtocol(
            self.variant,
            self.steps,
            self.evaluation_interval,
            seed=self.seed,
            near=self.near,
            options={"noise": self.noise},
        )


def main(config: LoCAComparisonConfig) -> None:
    """Run the comparison, store its tables and plot, and print their paths.

    Raises:
        ValueError: for fewer than 2 runs, an unknown agent, or a number outside its range.
        ImportError: for DQN without Stable-Baselines3.
        OSError: if the output folder cannot be written.
    """
    check(config)
    run_module(
        __name__,
        config,
        title="Local change adaptation",
        caption=CAPTION,
        cache_dir=cache_folder(config, ignore=("near",)),
    )


def check(config: LoCAComparisonConfig) -> None:
    """Check the options before anything runs.

    Raises:
        ValueError: for fewer than 2 runs, an unknown agent, or a number outside its range.
    """
    check_runs(config.runs)
    check_runs(config.slow_runs, "slow_runs")
    known = AGENTS[config.variant]
    for name in config.agents:
        if name not in known:
            raise ValueError(
                f"agents: {name!r}; expected some of {sorted(known)}{did_you_mean(name, known)}"
            )
    config.protocol.make_env()


def run(
    config: LoCAComparisonConfig, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the comparison.

    Args:
        config: the settings.
        callback: called after each of the `config.total_runs` runs.
        cache_dir: a folder for the finished runs, from which a stopped comparison continues.

    Returns:
        A row for each agent: runs, for each phase score_1 (normalised) with `_low` and `_high`, and
        near_1 ("yes", "no", "undecided"), and adaptive; and, named `..._curves`, a row for each
        evaluation (see `evaluate_loca`), with the agent as the first column.
    """
    check(config)
    curves = stack(
        run_jobs(
            run_trial, config.jobs, workers=config.workers, cache_dir=cache_dir, callback=callback
        )
    )
    return {config.name: summarise(curves, config), f"{config.name}_curves": curves}


def run_trial(protocol: LoCAProtocol, name: str, number: int) -> Table:
    """Run one agent once."""
    evaluations = run_agent(AGENTS[protocol.variant][name].make, protocol, number)
    return {"agent": np.full(len(evaluations["run"]), name), **evaluations}


def summarise(curves: Table, config: LoCAComparisonConfig) -> Table:
    """Return a row for each agent, from the rows of its evaluations."""
    rows: list[dict[str, Any]] = []
    for name, result, runs in _results(curves, config):
        row: dict[str, Any] = {"agent": name, "runs": runs}
        for number, (score, near) in enumerate(zip(result.scores, result.near, strict=True), 1):
            ends = (score.mean, score.low, score.high)
            row |= {f"score_{number}{end}": value for end, value in zip(ENDS, ends, strict=True)}
            row[f"near_{number}"] = near
        rows.append({**row, "adaptive": result.adaptive})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _results(
    curves: Table, config: LoCAComparisonConfig
) -> list[tuple[str, AdaptationResult, int]]:
    """Return agent, classification and number of runs, in the order of the agents' table."""
    there = set(curves["agent"].tolist())
    results = []
    for name in AGENTS[config.variant]:
        if name in there:
            own = rows_where(curves, "agent", name)
            results.append(
                (name, classify_adaptation(own, config.protocol), len(np.unique(own["run"])))
            )
    return results


def summary(tables: dict[str, Table], config: LoCAComparisonConfig) -> list[tuple[str, ...]]:
    """Return a line for each agent: normalised scores by phase, and whether it is adaptive."""
    phases = [
        f"{number}: task {phase.task}, from {phase.starts}"
        for number, phase in enumerate(PHASES, 1)
    ]
    lines: list[tuple[str, ...]] = [("agent", "runs", *phases, "adaptive")]
    for name, result, runs in _results(tables[f"{config.name}_curves"], config):
        cells = [
            f"{format_interval(score, 2)} {near}"
            for score, near in zip(result.scores, result.near, strict=True)
        ]
        lines.append((name, str(runs), *cells, result.adaptive))
    return lines


# -- plot --------------------------------------------------------------------------------------


def plot(tables: dict[str, Table], config: LoCAComparisonConfig) -> Figure:
    """Return the plot: a panel for each agent with its mean return and the references."""
    curves = tables[f"{config.name}_curves"]
    results = _results(curves, config)
    lines = ceil(len(results) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 0.9 + 2.4 * lines), layout="constrained")
    grid: Any = figure.subplots(lines, COLUMNS, squeeze=False, sharex=True, sharey=True)
    for axes, (name, result, runs) in zip(grid.flat, results, strict=False):
        _draw(axes, rows_where(curves, "agent", name), COLOURS[result.adaptive])
        axes.set_title(f"{name.replace('_', ' ')}: {result.adaptive} ({runs} runs)", fontsize=9)
    for axes in grid.flat[len(results) :]:
        axes.axis("off")
    for axes in grid[-1]:
        axes.set_xlabel("Thousands of real steps")
        axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:g}")
    for axes in grid[:, 0]:
        axes.set_ylabel("Greedy return")
    grid[0, 0].set_ylim(0, 1.1 * curves["optimum"].max())
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle("LoCA: mean greedy return from everywhere, 95% interval; is it adaptive?")
    return figure


def _draw(axes: Axes, evaluations: Table, colour: str) -> None:
    steps = np.unique(evaluations["step"])
    by_run = [rows_where(evaluations, "run", run) for run in np.unique(evaluations["run"])]
    mean, low, high = mean_interval(np.stack([own["discounted_return"] for own in by_run]))
    axes.plot(steps, mean, color=colour, linewidth=1.2)
    axes.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
    begin = 0
    for number in np.unique(evaluations["phase"]):
        own = rows_where(by_run[0], "phase", number)
        end = own["step"][-1]
        for name, (line, label) in REFERENCE_LINES.items():
            shown = label if begin == 0 else ""  # once in the legend
            axes.plot([begin, end], own[name][[0, 0]], f"k{line}", linewidth=1, label=shown)
        axes.axvline(end, color="grey", linewidth=0.5)
        begin = end
    axes.tick_params(labelsize=8)


if __name__ == "__main__":
    run_script(__file__)
