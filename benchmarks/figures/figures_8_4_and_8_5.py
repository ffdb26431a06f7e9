"""Figures 8.4 and 8.5 of Sutton & Barto (2018): Dyna-Q and Dyna-Q+ in mazes that change once.

The book gives neither alpha nor n nor kappa. Differences from it:

1. 1000 runs for each curve, with 95% intervals. In the blocking maze plain Dyna-Q recovers at once
   or not at all, so that a few runs prove nothing; the histogram shows both kinds of runs.
2. The maze changes at exactly step 1000 (figure 8.4) or 3000 (figure 8.5), in the middle of an
   episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dynamaze.agents import Agent, DynaQ, DynaQPlus
from dynamaze.benchmarks.figures.maze_panel import draw_maze
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one, shared_env
from dynamaze.benchmarks.harness.analysis.intervals import few_runs, format_interval, mean_interval
from dynamaze.benchmarks.harness.analysis.plots import (
    EVENT,
    METHODS,
    REFERENCE,
    empty_figure,
)
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
    reward_curve,
    runs_text,
)
from dynamaze.benchmarks.harness.experiment import AgentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column, run_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import NonNegative, PlanningSteps, Runs, Steps
from dynamaze.envs import DynaMazeEnv, greedy_policy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


AGENTS = ("DynaQ", "DynaQPlus")


@dataclass(frozen=True)
class ChangingMazeFigureConfig(AgentConfig):
    """Settings that both figures have; each gives its own numbers."""

    maze: ClassVar[str]  # title of the plot
    env: ClassVar[str]  # the environment's id
    # Rewards have a rare mode: few runs of Dyna-Q find a shorter path, or the other way round.
    interval_kind: ClassVar[str] = "time"

    runs: Runs = 1000
    """Runs of each agent."""
    steps: Steps = 3000
    """Real steps of each run."""
    planning_steps: PlanningSteps = 10
    """Simulated updates n after each real step."""
    kappa: NonNegative = 1e-3
    """Weight of Dyna-Q+'s bonus."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Both agents."""
        return [Setting((agent,), self.runs, METHODS[agent].label, self.env) for agent in AGENTS]


@dataclass(frozen=True)
class Figure84Config(ChangingMazeFigureConfig):
    """Figure 8.4 (section 8.3, p. 166): the blocking maze."""

    name: ClassVar[str] = "figure_8_4"
    title: ClassVar[str] = "Figure 8.4"
    seconds_per_run: ClassVar[float] = 0.0048
    maze: ClassVar[str] = "Blocking maze"
    env: ClassVar[str] = "DynaMazeBlocking-v0"

    steps: Steps = 3000
    planning_steps: PlanningSteps = 10
    kappa: NonNegative = 1e-4


@dataclass(frozen=True)
class Figure85Config(ChangingMazeFigureConfig):
    """Figure 8.5 (section 8.3, p. 167): the shortcut maze."""

    name: ClassVar[str] = "figure_8_5"
    title: ClassVar[str] = "Figure 8.5"
    seconds_per_run: ClassVar[float] = 0.0018
    maze: ClassVar[str] = "Shortcut maze"
    env: ClassVar[str] = "DynaMazeShortcut-v0"

    steps: Steps = 6000
    planning_steps: PlanningSteps = 50
    kappa: NonNegative = 1e-3


def run(config: ChangingMazeFigureConfig, runner: Runner | None = None) -> Tables:
    """Run both agents.

    Args:
        config: the figure's settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        The table of the curves, with the columns agent, step (from 1), reward_mean, reward_low,
        reward_high (cumulative reward; a 95% interval of the mean) and runs; and, named `..._runs`,
        that of the single runs, with the columns agent, run and reward_after (the reward earned
        after the change).
    """
    env: Any = shared_env(config.env).unwrapped
    change = env.schedule.steps[1]
    curves, ends = [], []
    for name, tables in zip(AGENTS, (runner or Runner()).run(trial, config), strict=True):
        rewards = column(tables, "reward").astype(np.float64)
        curves.append(reward_curve(rewards, every=1, agent=name))
        after = rewards[:, change:].sum(axis=1)
        ends.append(make_table(agent=name, run=np.arange(config.runs), reward_after=after))
    return {config.name: stack(curves), f"{config.name}_runs": stack(ends)}


def trial(config: ChangingMazeFigureConfig, name: str, number: int) -> Table:
    """Run one agent once: the reward of each step, 0 or 1."""
    agent = make_agent(config, name, run_seed(config.seed, number))
    return {"reward": run_one(agent, config.steps, 0).rewards.astype(np.int8)}


def make_agent(config: ChangingMazeFigureConfig, name: str, seed: np.random.SeedSequence) -> Agent:
    """Return an agent by its name."""
    env = shared_env(config.env)
    common: dict[str, Any] = {"planning_steps": config.planning_steps, "seed": seed}
    common |= config.learning
    if name == "DynaQ":
        return DynaQ(env, **common)
    return DynaQPlus(env, kappa=config.kappa, **common)


def optimal_rewards(env: DynaMazeEnv, steps: int, *, gamma: float, epsilon: float) -> FloatArray:
    """Return (steps,) the cumulative reward of an epsilon-greedy agent that knows the maze.

    The agent follows the optimal policy of the maze as it is at each step, and its reward rate is
    exact: one goal in the mean length of an episode. That the change or the end cuts an episode off
    is neglected, which is an error of less than one goal.
    """
    rate = np.empty(steps)
    schedule = env.schedule
    for phase, first in enumerate(schedule.steps):
        mdp = env.phase_mdp(phase)
        policy = greedy_policy(mdp.optimal_action_values(gamma), epsilon=epsilon, tolerance=1e-9)
        rate[first:] = 1 / mdp.episode_steps(policy)[0]  # one goal per mean episode length
    return rate.cumsum()


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: ChangingMazeFigureConfig) -> Figure:
    """Plot the two mazes, the curves in the book's axes, and the runs' rewards after the change."""
    env: Any = shared_env(config.env).unwrapped
    figure = empty_figure((9, 5))
    halves: Any = figure.subfigures(2, 1, height_ratios=(1, 2.4))
    top, bottom = halves
    _draw_mazes(top, env)
    left, right = bottom.subplots(1, 2, width_ratios=(2, 1))
    _draw_curves(left, tables[config.name], config, env)
    _draw_runs(right, tables[f"{config.name}_runs"])
    runs = int(tables[config.name]["runs"][0])
    figure.suptitle(f"{config.maze}: mean of {runs} runs, 95% interval")
    return figure


def summary(tables: Tables, config: ChangingMazeFigureConfig) -> Lines:
    """Return a line for each agent: the cumulative reward, and the part of it after the change."""
    lines: Lines = [("agent", "n", "cumulative reward", "of it after the change")]
    for agent in AGENTS:
        curve = rows_where(tables[config.name], agent=agent)
        after = rows_where(tables[f"{config.name}_runs"], agent=agent)["reward_after"]
        whole = interval_text(curve, "reward", -1, 1, kind=config.interval_kind)
        after_text = format_interval(
            mean_interval(after), few=few_runs(config.interval_kind, after.size)
        )
        lines.append((agent, runs_text(curve), whole, after_text))
    return lines


def _draw_mazes(figure: Any, env: DynaMazeEnv) -> None:
    steps = env.schedule.steps
    titles = (f"before step {steps[1]}", f"from step {steps[1]} on")
    for axes, phase, title in zip(np.ravel(figure.subplots(1, 2)), (0, 1), titles, strict=True):
        draw_maze(axes, env, phase, title)


def _draw_curves(
    axes: Axes, table: Table, config: ChangingMazeFigureConfig, env: DynaMazeEnv
) -> None:
    for agent in AGENTS:
        curve, style = rows_where(table, agent=agent), METHODS[agent]
        draw_curve(axes, "step", curve, "reward", color=style.colour, label=style.label)
    steps = int(table["step"].max())
    best = optimal_rewards(env, steps, gamma=config.gamma, epsilon=config.epsilon)
    draw_reference(axes, best, env.schedule.steps[1])
    axes.set(xlabel="Time steps", title="Means of all runs")
    axes.legend()


def draw_reference(axes: Axes, best: FloatArray, change: int) -> None:
    """Draw the rewards of an agent that knows the maze, the change, and the axes of such a plot.

    Args:
        axes: of the plot.
        best: (steps,) cumulative reward.
        change: the step at which the maze changes.
    """
    axes.plot(np.arange(1, best.size + 1), best, **REFERENCE, label="knows the maze")
    axes.axvline(change, **EVENT)
    axes.set(
        xlabel="Time steps (vertical line: the maze changes)",
        ylabel="Cumulative reward",
        xlim=(0, best.size),
        ylim=(0, None),
    )


def _draw_runs(axes: Axes, table: Table) -> None:
    bins = np.linspace(0, table["reward_after"].max() + 1, 31)
    for agent in AGENTS:
        after, style = rows_where(table, agent=agent)["reward_after"], METHODS[agent]
        axes.hist(after, bins=bins.tolist(), color=style.colour, alpha=0.5, label=style.label)
    axes.set(xlabel="Reward after the change", ylabel="Runs", title="Single runs")
    axes.legend()


if __name__ == "__main__":
    run_script(__file__)
