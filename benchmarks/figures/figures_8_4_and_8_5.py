"""What figures 8.4 and 8.5 share: Dyna-Q and Dyna-Q+ in a maze that changes once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import Agent, DynaQ, DynaQPlus
from dynamaze.common.arrays import FloatArray
from dynamaze.envs import DynaMazeEnv, greedy_policy
from dynamaze.envs.rendering.frame import FramePainter

from ..harness.compiled_runs import run_many
from ..harness.curves import interval_text
from ..harness.statistics import mean_interval, written
from ..harness.table import Table, rows_where, stack

COLOURS = {"DynaQ": "tab:red", "DynaQPlus": "tab:blue"}
LABELS = {"DynaQ": "Dyna-Q", "DynaQPlus": "Dyna-Q+"}


@dataclass(frozen=True)
class ChangingMaze:
    """What such an experiment is made of; each figure gives its numbers."""

    name: ClassVar[str]  # what the tables and the picture are called
    title: ClassVar[str]  # what stands above the picture
    env: ClassVar[str]  # the environment's id

    runs: int = 1000
    """Runs of each agent."""
    seed: int = 0
    """Settles every number."""
    steps: int = 3000
    """Real steps of each run."""
    learning_rate: float = 1.0
    """Step size alpha; 1 is right in a deterministic world."""
    gamma: float = 0.95
    """Discount."""
    epsilon: float = 0.1
    """Probability of an action at random."""
    planning_steps: int = 10
    """Simulated updates n after each real step."""
    kappa: float = 1e-3
    """Weight of Dyna-Q+'s bonus."""

    @property
    def total_runs(self) -> int:
        """Runs of both agents together."""
        return 2 * self.runs

    def agents(self, env: gym.Env[Any, Any]) -> dict[str, Callable[..., Agent]]:
        """What makes each agent from a seed."""
        common: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "gamma": self.gamma,
            "epsilon": self.epsilon,
            "planning_steps": self.planning_steps,
        }
        return {
            "DynaQ": partial(DynaQ, env, **common),
            "DynaQPlus": partial(DynaQPlus, env, kappa=self.kappa, **common),
        }


def run(maze: ChangingMaze, on_run: Callable[[], None] | None = None) -> dict[str, Table]:
    """Run both agents.

    Returns:
        The table of the curves, with the columns agent, step (from 1), reward_mean, reward_low,
        reward_high (cumulative reward so far; a 95% interval of the mean) and runs; and, named
        `..._runs`, that of the single runs, with the columns agent, run and reward_after (the
        reward earned after the change).
    """
    env = gym.make(maze.env)
    unwrapped: Any = env.unwrapped
    change = unwrapped.schedule.steps[1]
    curves, ends = [], []
    for name, agent in maze.agents(env).items():
        runs = run_many(agent, runs=maze.runs, steps=maze.steps, seed=maze.seed, on_run=on_run)
        cumulative = runs.rewards.cumsum(axis=1)
        interval = mean_interval(cumulative)
        curves.append(
            {
                "agent": np.full(maze.steps, name),
                "step": np.arange(1, maze.steps + 1),
                "reward_mean": interval.mean,
                "reward_low": interval.low,
                "reward_high": interval.high,
                "runs": np.full(maze.steps, maze.runs),
            }
        )
        ends.append(
            {
                "agent": np.full(maze.runs, name),
                "run": np.arange(maze.runs),
                "reward_after": cumulative[:, -1] - cumulative[:, change - 1],
            }
        )
    return {maze.name: stack(curves), f"{maze.name}_runs": stack(ends)}


def plot(tables: dict[str, Table], maze: ChangingMaze) -> Figure:
    """The picture: the two mazes, the curves in the book's axes, and how the runs ended."""
    env: Any = gym.make(maze.env).unwrapped
    figure = Figure(figsize=(9, 5), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1, 2.4))
    top, bottom = halves
    _draw_mazes(top, env)
    left, right = bottom.subplots(1, 2, width_ratios=(2, 1))
    _draw_curves(left, tables[maze.name], maze, env)
    _draw_runs(right, tables[f"{maze.name}_runs"])
    runs = int(tables[maze.name]["runs"][0])
    figure.suptitle(f"{maze.title}: mean of {runs} runs, 95% interval")
    return figure


def summary(tables: dict[str, Table], maze: ChangingMaze) -> list[tuple[str, ...]]:
    """A line for each agent: the reward in the end and after the change."""
    lines: list[tuple[str, ...]] = [("agent", "cumulative reward", "of it after the change")]
    for agent in COLOURS:
        curve = rows_where(tables[maze.name], "agent", agent)
        after = rows_where(tables[f"{maze.name}_runs"], "agent", agent)["reward_after"]
        whole = interval_text(curve, "reward", -1, 1)
        lines.append((agent, whole, written(mean_interval(after))))
    return lines


def best_reward(env: DynaMazeEnv, steps: int, *, gamma: float, epsilon: float) -> FloatArray:
    """(steps,) cumulative reward of an epsilon-greedy agent that always knows the maze, exactly.

    At the rate of one goal in the mean length of an episode; how an episode is cut by the change
    or the end is left out (less than one goal).
    """
    rate = np.empty(steps)
    schedule = env.schedule
    for phase, first in enumerate(schedule.steps):
        mdp = env.phase_mdp(phase)
        policy = greedy_policy(mdp.optimal_action_values(gamma), epsilon=epsilon, tolerance=1e-9)
        rate[first:] = 1 / mdp.episode_steps(policy)[0]
    return rate.cumsum()


def _draw_mazes(figure: Any, env: DynaMazeEnv) -> None:
    steps = env.schedule.steps
    titles = (f"before step {steps[1]}", f"from step {steps[1]} on")
    for axes, phase, title in zip(np.ravel(figure.subplots(1, 2)), (0, 1), titles, strict=True):
        painter = FramePainter(env.layout.rows, env.layout.cols)
        axes.imshow(painter.paint(env.phase_scene(phase)))
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()


def _draw_curves(axes: Axes, table: Table, maze: ChangingMaze, env: DynaMazeEnv) -> None:
    for agent, colour in COLOURS.items():
        curve = rows_where(table, "agent", agent)
        axes.plot(curve["step"], curve["reward_mean"], color=colour, label=LABELS[agent])
        axes.fill_between(
            curve["step"],
            curve["reward_low"],
            curve["reward_high"],
            color=colour,
            alpha=0.3,
            linewidth=0,
        )
    steps = int(table["step"].max())
    best = best_reward(env, steps, gamma=maze.gamma, epsilon=maze.epsilon)
    axes.plot(np.arange(1, steps + 1), best, color="grey", linestyle=":", label="knows the maze")
    axes.axvline(env.schedule.steps[1], color="grey", linewidth=0.8)
    axes.set(xlabel="Time steps", ylabel="Cumulative reward", xlim=(0, steps), ylim=(0, None))
    axes.legend(frameon=False)


def _draw_runs(axes: Axes, table: Table) -> None:
    bins = np.linspace(0, table["reward_after"].max() + 1, 31)
    for agent, colour in COLOURS.items():
        after = rows_where(table, "agent", agent)["reward_after"]
        axes.hist(after, bins=bins.tolist(), color=colour, alpha=0.5, label=LABELS[agent])
    axes.set(xlabel="Reward after the change", ylabel="Runs")
