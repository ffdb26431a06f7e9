"""Exercise 8.4 of Sutton & Barto (2018): exploration bonus in planning or in action selection.

Dyna-Q+ adds its bonus kappa sqrt(tau) to the rewards of planning, so that the values propagate it
to distant states. The exercise asks for a bonus that is added only to the values at action
selection. Both run in the mazes of figures 8.4 and 8.5, with the settings of those figures, and
with other weights kappa too: one weight does not fit both.

A run has found the change if an episode that began after it was shorter than the old maze allows
(shortcut), or ended at all (blocking: an episode that begins below the wall must find the new gap).
Regret is the reward of an agent that knows the maze and always takes shortest paths, less the
agent's own.

Results with the default settings (epsilon = 0.1; the stored tables have the intervals):

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
from functools import partial
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
    optimal_rewards,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.compiled_runs import run_many
from dynamaze.benchmarks.harness.curves import draw_curve, interval_columns, interval_text
from dynamaze.benchmarks.harness.intervals import mean_interval, proportion_interval
from dynamaze.benchmarks.harness.runner import ExperimentConfig, interval_caption, run_module
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
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
COLOURS = {"none": "tab:red", "planning": "tab:blue", "action": "tab:green"}
STORE_EVERY = 10
"""Steps between two stored points of a curve."""


@dataclass(frozen=True)
class Exercise84Config(ExperimentConfig):
    """Exercise 8.4 (section 8.3, p. 168): bonus in planning or in action selection."""

    name: ClassVar[str] = "exercise_8_4"
    heading: ClassVar[str] = "Exercise 8.4"

    runs: int = 500
    """Runs of each agent."""
    seed: int = 0
    """Seed of all random numbers."""
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


def main(config: Exercise84Config) -> None:
    """Run the experiment, store its tables and plot, and print its summary.

    Raises:
        ValueError: for fewer than 2 runs.
        OSError: if the output folder cannot be written.
    """
    run_module(__name__, config, title=config.heading, caption=interval_caption(config.runs))


def run(config: Exercise84Config, callback: Callable[[], None] | None = None) -> dict[str, Table]:
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
            labels = {"maze": name, "epsilon": setting.epsilon, "bonus": setting.bonus}
            ends.append(_end(rewards, reference, {**labels, "kappa": setting.kappa}))
            if setting.kappa in (0.0, maze.kappa):
                curves.append(_curve(rewards, labels))
    return {config.name: stack(curves), f"{config.name}_kappas": stack(ends)}


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
    common: dict[str, Any] = {
        "learning_rate": maze.learning_rate,
        "gamma": maze.gamma,
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


def _end(rewards: FloatArray, reference: MazeReference, labels: dict[str, Any]) -> Table:
    runs = len(rewards)
    found = sum(found_change(row, reference.change, reference.shortest) for row in rewards)
    regret = mean_interval(reference.best[-1] - rewards.sum(axis=1, keepdims=True))
    return {
        **{name: np.array([value]) for name, value in labels.items()},
        **interval_columns("regret", regret),
        **interval_columns("found", proportion_interval(found, runs)),
        "runs": np.array([runs]),
    }


def _curve(rewards: FloatArray, labels: dict[str, Any]) -> Table:
    runs, steps = rewards.shape
    at = np.arange(STORE_EVERY, steps + 1, STORE_EVERY)
    cumulative = rewards.cumsum(axis=1)[:, at - 1]
    return {
        **{name: np.full(at.size, value) for name, value in labels.items()},
        "step": at,
        **interval_columns("reward", mean_interval(cumulative)),
        "runs": np.full(at.size, runs),
    }


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: dict[str, Table], config: Exercise84Config) -> Figure:
    """Plot for each maze the curves, and for each kappa regret and runs that find the change."""
    table, ends = tables[config.name], tables[f"{config.name}_kappas"]
    figure = Figure(figsize=(12, 7), layout="constrained")
    rows: Any = figure.subplots(len(MAZES), 3, width_ratios=(1.5, 1, 1))
    for (left, middle, right), name in zip(rows, MAZES, strict=True):
        _draw_rewards(left, rows_where(table, "maze", name), name)
        own = rows_where(ends, "maze", name)
        _draw_kappas(middle, own, "found", "Fraction of runs that find the change", name)
        _draw_kappas(right, own, "regret", "Regret", name)
        middle.set_ylim(-0.04, 1.04)
        right.set_ylim(0, None)
    figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(
        f"Bonus in planning or action selection: {int(table['runs'][0])} runs of each agent, "
        "95% interval"
    )
    return figure


def _draw_rewards(axes: Axes, table: Table, name: str) -> None:
    maze = MAZES[name]
    for bonus, label in METHODS.items():
        for epsilon, style in _styles(table):
            curve = rows_where(rows_where(table, "bonus", bonus), "epsilon", epsilon)
            text = f"{label}, $\\epsilon$ = {epsilon:g}"
            draw_curve(
                axes, "step", curve, "reward", color=COLOURS[bonus], linestyle=style, label=text
            )
    reference = maze_reference(maze)
    steps = np.arange(1, reference.best.size + 1)
    axes.plot(steps, reference.best, color="grey", linestyle=":", label="knows the maze")
    axes.axvline(reference.change, color="grey", linewidth=0.8)
    axes.set(
        xlabel="Time steps (vertical line: the maze changes)",
        ylabel="Cumulative reward",
        xlim=(0, maze.steps),
        ylim=(0, None),
        title=f"{maze.title}, $\\kappa$ = {maze.kappa:g}",
    )


def _draw_kappas(axes: Axes, table: Table, quantity: str, ylabel: str, name: str) -> None:
    kappas = np.unique(table["kappa"][table["kappa"] > 0])
    for epsilon, style in _styles(table):
        own = rows_where(table, "epsilon", epsilon)
        none = rows_where(own, "bonus", "none")
        wide = {key: np.repeat(column, 2) for key, column in none.items()}
        wide["kappa"] = kappas[[0, -1]]
        draw_curve(axes, "kappa", wide, quantity, color=COLOURS["none"], linestyle=style)
        for bonus in ("planning", "action"):
            curve = rows_where(own, "bonus", bonus)
            draw_curve(
                axes, "kappa", curve, quantity, color=COLOURS[bonus], linestyle=style, marker="."
            )
    axes.axvline(MAZES[name].kappa, color="grey", linewidth=0.8)
    axes.set(
        xlabel="$\\kappa$ (vertical line: the figure's)",
        ylabel=ylabel,
        xscale="log",
        title=MAZES[name].title,
    )


def _styles(table: Table) -> Iterator[tuple[float, str]]:
    """Return each epsilon with its line style; the first is solid."""
    epsilons = dict.fromkeys(table["epsilon"].tolist())
    return zip(epsilons, cycle(("-", "--", "-.", ":")), strict=False)


def summary(tables: dict[str, Table], config: Exercise84Config) -> dict[str, list[tuple[str, ...]]]:
    """Return for each maze a line for each agent: runs that find the change, and regret."""
    ends = tables[f"{config.name}_kappas"]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for name, maze in MAZES.items():
        lines: list[tuple[str, ...]] = [("bonus", "epsilon", "kappa", "find the change", "regret")]
        own = rows_where(ends, "maze", name)
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
        sections[f"Exercise 8.4, {maze.title.lower()} (* the figure's kappa)"] = lines
    return sections


if __name__ == "__main__":
    run_script(__file__)
