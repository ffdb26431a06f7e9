"""Figure 8.2 of Sutton & Barto (2018): learning curves of Dyna-Q in the Dyna maze.

Differences from the book:

1. 1000 runs for each curve instead of 30, with 95% intervals.
2. The first episode, which no planning can shorten, has a mean of 868.7 steps: the exact mean of a
   random walk from start to goal, whatever n is. (The book says about 1700; this maze does not
   give that.)
3. The curves level off at the best that an epsilon-greedy agent can do, 15.88 steps, not at 14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dynamaze.agents import DynaQ
from dynamaze.benchmarks.figures.maze_panel import draw_maze
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one, shared_env
from dynamaze.benchmarks.harness.analysis.plots import GREY, REFERENCE, panels
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import (
    draw_curve,
    interval_text,
    mean_columns,
    runs_text,
)
from dynamaze.benchmarks.harness.experiment import AgentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column, run_seed
from dynamaze.common.options import Count, PlanningSteps, PositiveFraction, Runs
from dynamaze.envs import greedy_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ENV = "DynaMaze-v0"


@dataclass(frozen=True)
class Figure82Config(AgentConfig):
    """Figure 8.2 (section 8.2, p. 165): the Dyna maze."""

    name: ClassVar[str] = "figure_8_2"
    title: ClassVar[str] = "Figure 8.2"
    seconds_per_run: ClassVar[float] = 0.0031
    interval_kind: ClassVar[str] = "skewed"
    swept: ClassVar[tuple[str, ...]] = ("planning_steps",)

    runs: Runs = 1000
    """Runs for each curve."""
    episodes: Count = 50
    """Episodes of each run."""
    planning_steps: tuple[PlanningSteps, ...] = (0, 5, 50)
    """Numbers n of simulated updates after each real step, a curve for each."""
    learning_rate: PositiveFraction = 0.1
    """Step size alpha."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Numbers n of planning steps."""
        return [Setting((n,), self.runs, f"n = {n}", ENV) for n in self.planning_steps]


def run(config: Figure82Config, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table, with the columns planning_steps, episode (from 1), steps_mean, steps_low,
        steps_high (a 95% interval of the mean) and runs.
    """
    results = (runner or Runner()).run(trial, config)
    curves = [
        make_table(
            planning_steps=planning_steps,
            episode=np.arange(1, config.episodes + 1),
            **mean_columns(steps=column(tables, "steps")),
            runs=config.runs,
        )
        for planning_steps, tables in zip(config.planning_steps, results, strict=True)
    ]
    return {config.name: stack(curves)}


def trial(config: Figure82Config, planning_steps: int, number: int) -> Table:
    """Run one agent once: the steps of each episode."""
    agent = DynaQ(
        shared_env(ENV),
        planning_steps=planning_steps,
        seed=run_seed(config.seed, number),
        **config.learning,
    )
    return {"steps": run_one(agent, 0, config.episodes).episode_steps}


def plot(tables: Tables, config: Figure82Config) -> Figure:
    """Plot the stored table, in the book's axes, and the maze beside it."""
    table = tables[config.name]
    figure, ((axes, beside),) = panels(1, 2, size=(9, 4.5), width_ratios=(2.4, 1))
    maze: Any = shared_env(ENV).unwrapped
    draw_maze(beside, maze, 0, "Dyna maze: start (ring), goal (star)")
    for planning_steps in np.unique(table["planning_steps"]):
        curve = rows_where(table, planning_steps=planning_steps)
        label = f"{planning_steps} planning steps"
        if planning_steps == 0:
            label += " (direct RL only)"
        draw_curve(axes, "episode", curve, "steps", label=label)
    best = best_epsilon_greedy_steps(config)
    axes.axhline(best, **REFERENCE)
    axes.annotate(
        f"best with epsilon = {config.epsilon}: {best:.2f}",
        (config.episodes, best),
        (0, 6),
        textcoords="offset points",
        ha="right",
        color=GREY,
        fontsize="small",
    )
    axes.set(
        xlabel="Episodes",
        ylabel="Steps per episode",
        ylim=(0, 800),
        xlim=(1, max(config.episodes, 2)),
        title=f"Dyna maze: mean of {int(table['runs'][0])} runs, 95% interval",
    )
    axes.legend()
    return figure


def summary(tables: Tables, config: Figure82Config) -> Lines:
    """Return a line for each curve: the first and the last episode."""
    table = tables[config.name]
    lines: Lines = [("planning steps", "n", "first episode", "last episode")]
    for planning_steps in np.unique(table["planning_steps"]):
        curve = rows_where(table, planning_steps=planning_steps)
        texts = (interval_text(curve, "steps", row, kind=config.interval_kind) for row in (0, -1))
        lines.append((str(planning_steps), runs_text(curve), *texts))
    return lines


def best_epsilon_greedy_steps(config: Figure82Config) -> float:
    """Return the exact mean episode length of the optimal epsilon-greedy policy."""
    maze: Any = shared_env(ENV).unwrapped
    mdp = maze.mdp
    # Ties between optimal actions are broken at random, as the agents break them.
    policy = greedy_policy(
        mdp.optimal_action_values(config.gamma), epsilon=config.epsilon, tolerance=1e-9
    )
    mean, _ = mdp.episode_steps(policy)
    return float(mean)


if __name__ == "__main__":
    run_script(__file__)
