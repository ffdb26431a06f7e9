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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.agents import Agent, DynaQ, DynaQPlus
from dynamaze.benchmarks.figures.figures_8_4_and_8_5 import (
    ChangingMazeFigureConfig,
    Figure84Config,
    Figure85Config,
    draw_reference,
    optimal_rewards,
)
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one, shared_env
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, EVENT, legend_below, panels
from dynamaze.benchmarks.harness.analysis.summaries import fraction_interval
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import (
    STORE_EVERY,
    curve_steps,
    draw_curve,
    draw_level,
    interval_columns,
    interval_text,
    mean_columns,
    runs_text,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column, run_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Fraction, NonNegative, Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    seconds_per_run: ClassVar[float] = 0.00135
    interval_kind: ClassVar[str] = "time"
    other_intervals: ClassVar[str] = "shares of the runs: Wilson's"
    swept: ClassVar[tuple[str, ...]] = ("epsilons", "kappas")

    runs: Runs = 500
    """Runs of each agent."""
    epsilons: tuple[Fraction, ...] = (0.1, 0.0)
    """Probabilities of a random action."""
    kappas: tuple[NonNegative, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    """Weights of the bonus; those of the figures themselves are run in any case."""

    @property
    def settings(self) -> Sequence[Setting]:
        """The agents in each maze."""
        return [
            Setting(
                tuple(each),
                self.runs,
                f"{each.maze}, {METHODS[each.bonus]}, kappa {each.kappa:g}, "
                f"epsilon {each.epsilon:g}",
                MAZES[each.maze].env,
            )
            for each in self.bonus_settings()
        ]

    def bonus_settings(self) -> Iterator[BonusSetting]:
        """Yield the agents in each maze."""
        for name, maze in MAZES.items():
            kappas = sorted({*self.kappas, maze.kappa})
            for epsilon in self.epsilons:
                yield BonusSetting(name, epsilon, "none", 0.0)
                for bonus in ("planning", "action"):
                    for kappa in kappas:
                        yield BonusSetting(name, epsilon, bonus, kappa)


class BonusSetting(NamedTuple):
    """A maze, and settings of an agent's exploration in it."""

    maze: str
    epsilon: float
    bonus: str  # "none", "planning" or "action"
    kappa: float

    @property
    def has_curve(self) -> bool:
        """True if its curve is stored: without a bonus, or with the figure's own weight."""
        return self.kappa in (0.0, MAZES[self.maze].kappa)


class MazeReference(NamedTuple):
    """Exact reference values of a maze that changes once."""

    change: int  # world step
    shortest: tuple[int, int]  # path lengths to the goal, before and after
    best: FloatArray  # (steps,) cumulative reward of an agent that knows the maze


def run(config: Exercise84Config, runner: Runner | None = None) -> Tables:
    """Run all agents in both mazes.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        The table of the curves with the figures' own kappas, with the columns maze, epsilon, bonus,
        step (every tenth), reward_mean, reward_low, reward_high (cumulative reward; a 95%
        interval of the mean) and runs. And, named `..._kappas`, that of all agents: maze, epsilon,
        bonus, kappa, regret_..., found_... (fraction of the runs), each ..._mean, ..._low and
        ..._high, and runs.
    """
    curves, ends = [], []
    results = (runner or Runner()).run(trial, config)
    for setting, tables in zip(config.bonus_settings(), results, strict=True):
        rewards, found = (column(tables, name) for name in ("reward", "found"))
        labels = setting._asdict()
        regret = maze_reference(MAZES[setting.maze]).best[-1] - rewards[:, -1:]
        ends.append(
            make_table(
                **labels,
                **mean_columns(regret=regret),
                **interval_columns("found", fraction_interval(found[:, -1])),
                runs=config.runs,
            )
        )
        if setting.has_curve:
            del labels["kappa"]
            means = mean_columns(reward=rewards)
            curves.append(make_table(**labels, step=tables[0]["step"], **means, runs=config.runs))
    return {config.name: stack(curves), f"{config.name}_kappas": stack(ends)}


def trial(
    config: Exercise84Config, name: str, epsilon: float, bonus: str, kappa: float, number: int
) -> Table:
    """Run one agent once.

    Returns:
        Step, cumulative reward and whether the run finds the change: of every tenth step where the
        curve is stored, else of the last step.
    """
    maze, setting = MAZES[name], BonusSetting(name, epsilon, bonus, kappa)
    agent = make_agent(setting, run_seed(config.seed, number))
    rewards = run_one(agent, maze.steps, 0).rewards
    reference = maze_reference(maze)
    at = curve_steps(maze.steps, STORE_EVERY if setting.has_curve else maze.steps)
    return make_table(
        step=at,
        reward=rewards.cumsum()[at - 1],
        found=np.int8(found_change(rewards, reference.change, reference.shortest)),
    )


@cache
def maze_reference(maze: ChangingMazeFigureConfig) -> MazeReference:
    """Return the exact reference values of a figure's maze."""
    env: Any = shared_env(maze.env).unwrapped
    before, after = (len(layout.shortest_path) - 1 for layout in env.schedule.layouts)
    best = optimal_rewards(env, maze.steps, gamma=maze.gamma, epsilon=0.0)
    return MazeReference(env.schedule.steps[1], (before, after), best)


def make_agent(setting: BonusSetting, seed: np.random.SeedSequence) -> Agent:
    """Return an agent with the settings of its maze's figure."""
    maze = MAZES[setting.maze]
    common: dict[str, Any] = {
        **maze.learning,
        "planning_steps": maze.planning_steps,
        "epsilon": setting.epsilon,
        "seed": seed,
    }
    if setting.bonus == "none":
        return DynaQ(shared_env(maze.env), **common)
    return DynaQPlus(shared_env(maze.env), kappa=setting.kappa, bonus=setting.bonus, **common)


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
        lines: Lines = [("bonus", "epsilon", "kappa", "n", "find the change", "regret")]
        own = rows_where(ends, maze=name)
        for row in range(len(own["maze"])):
            kappa = float(own["kappa"][row])
            mark = " *" if kappa == maze.kappa else ""
            lines.append(
                (
                    str(own["bonus"][row]),
                    f"{own['epsilon'][row]:g}",
                    f"{kappa:g}{mark}" if kappa else "",
                    runs_text(own, row),
                    interval_text(own, "found", row, kind="proportion"),
                    interval_text(own, "regret", row, 1, kind="time"),
                )
            )
        sections[f"Exercise 8.4, {maze.maze.lower()} (* the figure's kappa)"] = lines
    return sections


if __name__ == "__main__":
    run_script(__file__)
