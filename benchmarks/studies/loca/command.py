"""Which agents adapt to a local change: the LoCA protocol for all built-in ones.

What is judged, and how, stands in `evaluation`; the phases in `DynaMazeLoCAEnv`; the agents in
`agents`. By default a life is half as long as that of Wan et al. (2022), which `--steps 100000
50000 50000` asks for. `--slip-probability 0` is the world of van Seijen et al. (2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.common.validation import did_you_mean

from ...harness.intervals import format_interval, mean_interval
from ...harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from ...harness.table import Table, rows_where, stack
from .agents import AGENTS, Entry
from .evaluation import Verdict, live, verdict_of
from .protocol import PHASES, Protocol

COLUMNS = 4
"""Panels beside each other."""

COLOURS = {"yes": "tab:green", "no": "tab:red", "undecided": "tab:grey"}

LEVELS = {"optimum": ("--", "optimum"), "other": (":", "optimal in the other task")}
"""What is drawn into the panels: line and label."""

CAPTION = (
    "the share of the way from what is optimal in the other task to the optimum, mean of so many "
    "runs and 95% interval; adaptive: near the optimum in phases 1 and 2"
)


@dataclass(frozen=True)
class Comparison(ExperimentConfig):
    """What both worlds' comparisons have."""

    world: ClassVar[str]

    runs: int = 10
    """Runs of each agent."""
    slow_runs: int = 5
    """Runs of each agent that takes long."""
    seed: int = 0
    """Settles every number."""
    agents: tuple[str, ...] = ()
    """Some of the agents instead of all, by name."""
    sb3: bool = False
    """DQN of Stable-Baselines3, too; it takes minutes a run."""
    every: int = 500
    """Real steps from one look at an agent to the next."""
    near: float = 0.9
    """From which share of the way to the optimum on an agent is near it."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def names(self) -> list[str]:
        """The agents that take part."""
        if self.agents:
            return [*self.agents]
        entries = AGENTS[self.world]
        return [name for name in entries if self._takes_part(name, entries[name])]

    def _takes_part(self, name: str, entry: Entry) -> bool:
        return not entry.is_chosen or (self.sb3 and name == "sb3_dqn")

    @property
    def protocol(self) -> Protocol:
        """How the agents live and are judged.

        Raises:
            ValueError: for a number outside its range.
        """
        raise NotImplementedError

    @property
    def jobs(self) -> list[tuple[Protocol, str, int]]:
        """Protocol, agent and run of each run."""
        protocol, entries = self.protocol, AGENTS[self.world]
        return [
            (protocol, name, run)
            for run in range(max(self.runs, self.slow_runs))
            for name in self.names
            if run < (self.slow_runs if entries[name].is_slow else self.runs)
        ]

    @property
    def total_runs(self) -> int:
        """Runs of all agents together."""
        return len(self.jobs)


@dataclass(frozen=True)
class LoCA(Comparison):
    """Which agents adapt to a local change, on the grid (LoCA)."""

    name: ClassVar[str] = "loca"
    world: ClassVar[str] = "grid"

    steps: tuple[int, int, int] = (50_000, 25_000, 25_000)
    """Real steps of the three phases."""
    slip_probability: float = 0.25
    """With it an action is replaced by one of the four, each as likely."""

    @property
    def protocol(self) -> Protocol:
        """How the agents live and are judged."""
        return Protocol(
            self.world,
            self.steps,
            self.every,
            seed=self.seed,
            near=self.near,
            options={"slip_probability": self.slip_probability},
        )


@dataclass(frozen=True)
class LoCAContinuous(Comparison):
    """Which agents adapt to a local change, for a point in a corridor (LoCA)."""

    name: ClassVar[str] = "loca_continuous"
    world: ClassVar[str] = "continuous"

    runs: int = 5
    """Runs of each agent."""
    every: int = 1000
    """Real steps from one look at an agent to the next."""
    steps: tuple[int, int, int] = (20_000, 10_000, 10_000)
    """Real steps of the three phases."""
    noise: float = 0.1
    """Standard deviation of what is added to a displacement, in cells."""

    @property
    def protocol(self) -> Protocol:
        """How the agents live and are judged."""
        return Protocol(
            self.world,
            self.steps,
            self.every,
            seed=self.seed,
            near=self.near,
            options={"noise": self.noise},
        )


def main(config: Comparison) -> None:
    """Run the comparison, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, an agent that there is not, or a number outside its
            range.
        ImportError: for DQN without stable-baselines3.
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


def check(config: Comparison) -> None:
    """Refuse what cannot be run before anything runs.

    Raises:
        ValueError: for fewer than 2 runs, an agent that there is not, or a number outside its
            range.
    """
    check_runs(config.runs)
    check_runs(config.slow_runs, "slow_runs")
    known = AGENTS[config.world]
    for name in config.agents:
        if name not in known:
            raise ValueError(
                f"agents: {name!r}; expected some of {sorted(known)}{did_you_mean(name, known)}"
            )
    config.protocol.make_world()


def run(
    config: Comparison, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the comparison.

    Args:
        config: its numbers.
        callback: called after each of the `config.total_runs` runs.
        cache_dir: a folder for the runs that are done, so that a run that was stopped goes on.

    Returns:
        A row for each agent: runs, for each phase share_1 (of the way to the optimum) with `_low`
        and `_high`, and near_1 ("yes", "no", "undecided"), and adaptive; and with `_curves` behind
        the name a row for each look, as `evaluate_loca` says, with the agent before.
    """
    check(config)
    curves = stack(
        run_jobs(trial, config.jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    )
    return {config.name: verdicts(curves, config), f"{config.name}_curves": curves}


def trial(protocol: Protocol, name: str, number: int) -> Table:
    """One run of one agent."""
    looks = live(AGENTS[protocol.world][name].make, protocol, number)
    return {"agent": np.full(len(looks["run"]), name), **looks}


def verdicts(curves: Table, config: Comparison) -> Table:
    """A row for each agent, of the rows for each look."""
    rows: list[dict[str, Any]] = []
    for name, verdict, runs in _judged(curves, config):
        row: dict[str, Any] = {"agent": name, "runs": runs}
        for number, (share, near) in enumerate(zip(verdict.shares, verdict.near, strict=True), 1):
            ends = (share.mean, share.low, share.high)
            row |= {f"share_{number}{end}": value for end, value in zip(ENDS, ends, strict=True)}
            row[f"near_{number}"] = near
        rows.append({**row, "adaptive": verdict.adaptive})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


ENDS = ("", "_low", "_high")


def _judged(curves: Table, config: Comparison) -> list[tuple[str, Verdict, int]]:
    """Agent, verdict and runs, in the order of the agents' table."""
    there = set(curves["agent"].tolist())
    judged = []
    for name in AGENTS[config.world]:
        if name in there:
            own = rows_where(curves, "agent", name)
            judged.append((name, verdict_of(own, config.protocol), len(np.unique(own["run"]))))
    return judged


def summary(tables: dict[str, Table], config: Comparison) -> list[tuple[str, ...]]:
    """A line for each agent: its share of the way in each phase, and whether it is adaptive."""
    phases = [
        f"{number}: task {phase.task}, from {phase.starts}"
        for number, phase in enumerate(PHASES, 1)
    ]
    lines: list[tuple[str, ...]] = [("agent", "runs", *phases, "adaptive")]
    for name, verdict, runs in _judged(tables[f"{config.name}_curves"], config):
        cells = [
            f"{format_interval(share, 2)} {near}"
            for share, near in zip(verdict.shares, verdict.near, strict=True)
        ]
        lines.append((name, str(runs), *cells, verdict.adaptive))
    return lines


# -- the picture -------------------------------------------------------------------------------


def plot(tables: dict[str, Table], config: Comparison) -> Figure:
    """A panel for each agent: its mean return over real steps, and the exact levels."""
    curves = tables[f"{config.name}_curves"]
    judged = _judged(curves, config)
    lines = ceil(len(judged) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 0.9 + 2.4 * lines), layout="constrained")
    grid: Any = figure.subplots(lines, COLUMNS, squeeze=False, sharex=True, sharey=True)
    for axes, (name, verdict, runs) in zip(grid.flat, judged, strict=False):
        _draw(axes, rows_where(curves, "agent", name), COLOURS[verdict.adaptive])
        axes.set_title(f"{name.replace('_', ' ')}: {verdict.adaptive} ({runs} runs)", fontsize=9)
    for axes in grid.flat[len(judged) :]:
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


def _draw(axes: Axes, looks: Table, colour: str) -> None:
    steps = np.unique(looks["step"])
    by_run = [rows_where(looks, "run", run) for run in np.unique(looks["run"])]
    mean, low, high = mean_interval(np.stack([own["discounted_return"] for own in by_run]))
    axes.plot(steps, mean, color=colour, linewidth=1.2)
    axes.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
    begin = 0
    for number in np.unique(looks["phase"]):
        own = rows_where(by_run[0], "phase", number)
        end = own["step"][-1]
        for name, (line, label) in LEVELS.items():
            shown = label if begin == 0 else ""  # once in the legend
            axes.plot([begin, end], own[name][[0, 0]], f"k{line}", linewidth=1, label=shown)
        axes.axvline(end, color="grey", linewidth=0.5)
        begin = end
    axes.tick_params(labelsize=8)
