"""Exercise 8.4 of Sutton & Barto (2018): exploration bonus in planning or in action selection.

Dyna-Q+ adds its bonus kappa sqrt(tau) to the rewards of planning, so that the values propagate it
to distant states. The exercise asks for a bonus that is added only to the values at action
selection. Both run in the mazes of figures 8.4 and 8.5, with the settings of those figures, and
with other weights kappa too: one weight does not fit both.

A run has found the change if an episode that began after it was shorter than the old maze allows
(shortcut), or ended at all (blocking: an episode that begins below the wall must find the new gap).
Regret is the reward of an agent that knows the maze and always takes shortest paths, less the
agent's own.

Results of `dynamaze bench run exercise-8-4` with the default settings (500 runs, seed 0; epsilon =
0.1 if not stated; it prints the intervals):

1. With the bonus in planning and the figure's own kappa every run finds the change.
2. With the bonus in action selection and the same kappa 26% of the runs find the new path where the
   old one is blocked, fewer than without a bonus (41%), and 1% find the shortcut. It leads to
   untried actions of the current state, not of distant states.
3. It does help at first, when nothing was tried yet: in the shortcut maze its regret is 184, that
   of plain Dyna-Q 200, though neither finds the shortcut.
4. It is not summed along a path, so the best weight is larger. At kappa = 3e-3 the bonus in
   planning dominates the reward of the goal (in the blocking maze a regret of 205, where an agent
   without any reward has 225), and the
   bonus in action selection finds the new path in 99% of the runs. But its cost of finding the
   shortcut (71% at kappa = 1e-2) is more than the shortcut saves.
5. The exercise has greedy action selection, epsilon = 0. This changes none of the above.

Differences from the exercise: it leaves the maze, alpha, n and kappa open, and asks for no
intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import cycle
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import Agent, DynaQ, DynaQPlus
from dynamaze.benchmarks.figures.figures_8_4_and_8_5 import (
    ChangingMazeFigureConfig,
    Figure84Config,
    Figure85Config,
    draw_reference,
    optimal_rewards,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.compiled_runs import run_many
from dynamaze.benchmarks.harness.curves import (
    draw_curve,
    draw_level,
    interval_columns,
    interval_text,
    mean_columns,
    reward_curve,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, RunCallback
from dynamaze.benchmarks.harness.intervals import IntervalEstimate, proportion_interval
from dynamaze.benchmarks.harness.plots import COLOURS, EVENT, legend_below, panels
from dynamaze.benchmarks.harness.table import (
    Lines,
    Table,
    Tables,
    distinct,
    make_table,
    rows_where,
    stack,
)
from dynamaze.common.arrays import FloatArray

MAZES: dict[str, ChangingMazeFigureConfig] = {
    "blocking": Figure84Config(),
    "shortcut": Figure85Config(),
}
METHODS = {
    "none": "Dyna-Q",
    "planning": "bonus in planning",
    "action": "bonus in action selection",
}


@dataclass(frozen=True)
class Exercise84Config(ExperimentConfig):
    """Exercise 8.4 (section 8.3, p. 168): bonus in planning or in action selection."""

    name: ClassVar[str] = "exercise_8_4"
    title: ClassVar[str] = "Exercise 8.4"

    runs: int = 500
    """Runs of each agent."""
    epsilons: tuple[float, ...] = (0.1, 0.0)
    """Probabilities of a random action."""
    kappas: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    """Weights of the bonus; those of the figures themselves are run in any case."""

    @property
    def total_runs(self) -> int:
        """Runs of all agents together."""
        return self.runs * sum(1 for maze in MAZES for _ in self.agents(maze))

    def agents(self, maze: str) -> Iterator[BonusSetting]:
        """Yield the settings of the agents in a maze."""
        kappas = sorted({*self.kappas, MAZES[maze].kappa})
        for epsilon in self.epsilons:
            yield BonusSetting(epsilon, "none", 0.0)
            for bonus in ("planning", "action"):
                for kappa in kappas:
                    yield BonusSetting(epsilon, bonus, kappa)


class BonusSetting(NamedTuple):
    """Settings of an agent's exploration."""

    epsilon: float
    bonus: str  # "none", "planning" or "action"
    kappa: float


class MazeReference(NamedTuple):
    """A maze that changes once, with exact reference values."""

    env: gym.Env[Any, Any]
    change: int  # world step
    shortest: tuple[int, int]  # path lengths to the goal, before and after
    best: FloatArray  # (steps,) cumulative reward of an agent that knows the maze


def run(config: Exercise84Config, callback: RunCallback = None) -> Tables:
    """Run all agents in both mazes.

    Args:
        config: the settings.
        callback: called after each of the `config.total_runs` runs.

    Returns:
        The table of the curves with the figures' own kappas, with the columns maze, epsilon, bonus,
        step (every tenth), reward_mean, reward_low, reward_high (cumulative reward; a 95%
        interval of the mean) and runs. And, named `..._kappas`, that of all agents: maze, epsilon,
        bonus, kappa, regret_..., found_... (fraction of the runs), each ..._mean, ..._low and
        ..._high, and runs.
    """
    curves, ends = [], []
    for name, maze in MAZES.items():
        reference = maze_reference(maze)
        for setting in config.agents(name):
            agent = make_agent(maze, reference.env, setting)
            rewards = run_many(
                agent, runs=config.runs, steps=maze.steps, seed=config.seed, callback=callback
            ).rewards
            labels: dict[str, Any] = {
                "maze": name,
                "epsilon": setting.epsilon,
                "bonus": setting.bonus,
            }
            regret = reference.best[-1] - rewards.sum(axis=1, keepdims=True)
            ends.append(
                make_table(
                    **labels,
                    kappa=setting.kappa,
                    **mean_columns(regret=regret),
                    **interval_columns("found", found_interval(rewards, reference)),
                    runs=config.runs,
                )
            )
            if setting.kappa in (0.0, maze.kappa):
                curves.append(reward_curve(rewards, **labels))
    return {config.name: stack(curves), f"{config.name}_kappas": stack(ends)}


@cache
def maze_reference(maze: ChangingMazeFigureConfig) -> MazeReference:
    """Return the maze of a figure with its exact reference values."""
    env = gym.make(maze.env)
    unwrapped: Any = env.unwrapped
    before, after = (len(layout.shortest_path) - 1 for layout in unwrapped.schedule.layouts)
    best = optimal_rewards(unwrapped, maze.steps, gamma=maze.gamma, epsilon=0.0)
    return MazeReference(env, unwrapped.schedule.steps[1], (before, after), best)


def make_agent(
    maze: ChangingMazeFigureConfig, env: gym.Env[Any, Any], setting: BonusSetting
) -> Callable[..., Agent]:
    """Return a function that makes an agent from a seed, with the settings of a maze's figure."""
    common = {
        **maze.learning,
        "planning_steps": maze.planning_steps,
        "epsilon": setting.epsilon,
    }
    if setting.bonus == "none":
        return partial(DynaQ, env, **common)
    return partial(DynaQPlus, env, kappa=setting.kappa, bonus=setting.bonus, **common)


def found_change(rewards: FloatArray, change: int, shortest: tuple[int, int]) -> bool:
    """Return whether a run found the path that opened, or a new one where the old one closed.

    Args:
        rewards: (steps,) of a run; an episode ends with the reward at the goal.
        change: the world step of the change.
        shortest: path lengths to the goal before and after it.
    """
    ends = np.flatnonzero(rewards) + 1
    begins = np.concatenate(([0], ends[:-1]))
    new = begins >= change
    if shortest[1] < shortest[0]:  # a path as long as the old shortest one may be the old one
        new &= ends - begins < shortest[0]
    return bool(new.any())


def found_interval(rewards: FloatArray, reference: MazeReference) -> IntervalEstimate:
    """Return the fraction of the (runs, steps) rewards that find the change, with its interval."""
    found = sum(found_change(row, reference.change, reference.shortest) for row in rewards)
    return proportion_interval(found, len(rewards))


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: Exercise84Config) -> Figure:
    """Plot for each maze the curves, and for each kappa regret and runs that find the change."""
    table, ends = tables[config.name], tables[f"{config.name}_kappas"]
    figure, rows = panels(len(MAZES), 3, size=(12, 7), width_ratios=(1.5, 1, 1))
    for (left, middle, right), name in zip(rows, MAZES, strict=True):
        _draw_rewards(left, rows_where(table, maze=name), name)
        own = rows_where(ends, maze=name)
        _draw_kappas(middle, own, "found", "Fraction of runs that find the change", name)
        _draw_kappas(right, own, "regret", "Regret", name)
        middle.set_ylim(-0.04, 1.04)
        right.set_ylim(0, None)
    legend_below(figure, rows[0, 0], 4)
    figure.suptitle(
        f"Bonus in planning or action selection: {int(table['runs'][0])} runs of each agent, "
        "95% interval"
    )
    return figure


def _draw_rewards(axes: Axes, table: Table, name: str) -> None:
    maze = MAZES[name]
    for bonus, label in METHODS.items():
        for epsilon, style in _styles(table):
            curve = rows_where(table, bonus=bonus, epsilon=epsilon)
            text = f"{label}, $\\epsilon$ = {epsilon:g}"
            draw_curve(
                axes, "step", curve, "reward", color=COLOURS[bonus], linestyle=style, label=text
            )
    reference = maze_reference(maze)
    draw_reference(axes, reference.best, reference.change)
    axes.set_title(f"{maze.maze}, $\\kappa$ = {maze.kappa:g}")


def _draw_kappas(axes: Axes, table: Table, quantity: str, ylabel: str, name: str) -> None:
    kappas = np.unique(table["kappa"][table["kappa"] > 0])
    for epsilon, style in _styles(table):
        own = rows_where(table, epsilon=epsilon)
        none, level = rows_where(own, bonus="none"), {"color": COLOURS["none"], "linestyle": style}
        draw_level(axes, kappas[[0, -1]], none, quantity, **level)
        for bonus in ("planning", "action"):
            curve = rows_where(own, bonus=bonus)
            draw_curve(
                axes, "kappa", curve, quantity, color=COLOURS[bonus], linestyle=style, marker="."
            )
    axes.axvline(MAZES[name].kappa, **EVENT)
    axes.set(
        xlabel="$\\kappa$ (vertical line: the figure's)",
        ylabel=ylabel,
        xscale="log",
        title=MAZES[name].maze,
    )


def _styles(table: Table) -> Iterator[tuple[float, str]]:
    """Return each epsilon with its line style; the first is solid."""
    return zip(distinct(table, "epsilon"), cycle(("-", "--", "-.", ":")), strict=False)


def summary(tables: Tables, config: Exercise84Config) -> dict[str, Lines]:
    """Return for each maze a line for each agent: runs that find the change, and regret."""
    ends = tables[f"{config.name}_kappas"]
    sections: dict[str, Lines] = {}
    for name, maze in MAZES.items():
        lines: Lines = [("bonus", "epsilon", "kappa", "find the change", "regret")]
        own = rows_where(ends, maze=name)
        for row in range(len(own["maze"])):
            kappa = float(own["kappa"][row])
            mark = " *" if kappa == maze.kappa else ""
            lines.append(
                (
                    str(own["bonus"][row]),
                    f"{own['epsilon'][row]:g}",
                    f"{kappa:g}{mark}" if kappa else "",
                    interval_text(own, "found", row),
                    interval_text(own, "regret", row, 1),
                )
            )
        sections[f"Exercise 8.4, {maze.maze.lower()} (* the figure's kappa)"] = lines
    return sections


if __name__ == "__main__":
    run_script(__file__)
