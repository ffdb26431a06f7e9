"""Planning in the background against planning at decision time, in mazes that change once.

The mazes are those of figures 8.4 and 8.5. All agents learn the same model online, the latest
outcome of each pair, act epsilon-greedily, and have the same budget of simulated transitions for
each real step. Use of the budget:

1. Q-learning has no model, and is the baseline.
2. Dyna-Q makes one update of each transition.
3. Prioritised sweeping uses up to seven transitions for an update: the pair's own before and after
   it, those of the four predecessor pairs, and of one more that was a predecessor before the
   change. One more is used for the last real transition. So it makes a seventh of the updates at
   most, and mostly far fewer, as its queue is empty.
4. Monte-Carlo search and tree search simulate episodes of at most `depth` steps (fewer only where
   the budget is too small for one episode with each action). The rest of the budget is not used
   where episodes end early.

The settings are those of the figures; the searches have the defaults of `dynamaze.agents`. The
regret is measured against an agent that knows the maze and always takes shortest paths, before and
after the change. `exercise_8_4` defines finding the change.

Results with the default settings (the stored tables have the intervals):

1. While the maze is constant, planning in the background needs a hundredth of the transitions. In
   the shortcut maze Dyna-Q with 300 for each step has a regret of 59 at the change, tree search
   with 30,000 one of 98: values are stored, a search starts from zero.
2. Where the path is blocked, all searches with 30,000 transitions find the new one, and a third of
   the runs of Dyna-Q. After the change tree search then has a regret of 73, Dyna-Q of 102, where an
   agent without any reward has 125.
3. No Dyna-Q finds the shortcut. Most searches with 30,000 transitions do, as their decisions are
   noisy. This costs reward before the change, and their reward in the whole run is lower.
4. These runs are too few to separate uniform updates from prioritised sweeping, or a large budget
   of either from a small one: the regret of Dyna-Q depends on whether it finds the new path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, ClassVar, Literal, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import Agent, DynaQ, MonteCarloSearch, QLearning, TreeSearch
from dynamaze.agents.models import Model
from dynamaze.benchmarks.figures.exercise_8_4 import (
    MAZES,
    MazeReference,
    found_change,
    maze_reference,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.compiled_runs import run_one
from dynamaze.benchmarks.harness.curves import draw_curve, interval_columns, interval_text
from dynamaze.benchmarks.harness.intervals import mean_interval, proportion_interval
from dynamaze.benchmarks.harness.runner import (
    ExperimentConfig,
    interval_caption,
    run_jobs,
    run_module,
)
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
from dynamaze.common.arrays import FloatArray

LABELS = {
    "q_learning": "Q-learning",
    "uniform": "Dyna-Q",
    "prioritised_sweeping": "prioritised sweeping",
    "monte_carlo": "Monte-Carlo search",
    "tree": "tree search (UCT)",
}
COLOURS = {
    "q_learning": "tab:brown",
    "uniform": "tab:red",
    "prioritised_sweeping": "tab:blue",
    "monte_carlo": "tab:orange",
    "tree": "tab:green",
}
MARKERS = {"uniform": "o", "prioritised_sweeping": "s", "monte_carlo": "v", "tree": "^"}
STYLES = {"prioritised_sweeping": "--"}
"""Line styles of curves that coincide with others."""
BACKGROUND = ("q_learning", "uniform", "prioritised_sweeping")
"""Methods with compiled runs."""
TRANSITIONS_PER_UPDATE = 7
"""Largest number of transitions that prioritised sweeping uses for one update."""
ACTIONS = 4
"""Each is simulated at least once."""
STORE_EVERY = 10
"""Steps between two stored points of a curve."""


@dataclass(frozen=True)
class BackgroundOrDecisionConfig(ExperimentConfig):
    """Background against decision-time planning in mazes that change (section 8.8)."""

    name: ClassVar[str] = "background_or_decision"
    heading: ClassVar[str] = "Background or decision"

    runs: int = 30
    """Runs of each agent with each budget."""
    seed: int = 0
    """Seed of all random numbers."""
    budgets: tuple[int, ...] = (300, 3000, 30_000)
    """Simulated transitions for each real step; the curves are those of the largest."""
    depth: int = 50
    """Largest depth of the searches, in steps."""
    mazes: tuple[Literal["blocking", "shortcut"], ...] = ("blocking", "shortcut")
    """The mazes, of those of exercise 8.4."""

    @property
    def total_runs(self) -> int:
        """Seeds in all mazes, each of them with all agents."""
        return self.runs * len(self.mazes)

    def settings(self) -> Iterator[BudgetSetting]:
        """Yield the agents of each maze."""
        yield BudgetSetting("q_learning", 0)
        for method in LABELS:
            if method != "q_learning":
                yield from (BudgetSetting(method, budget) for budget in self.budgets)


class BudgetSetting(NamedTuple):
    """A method and its budget."""

    method: str
    budget: int


def main(config: BackgroundOrDecisionConfig) -> None:
    """Run the experiment, store its tables and plot, and print its summary.

    Raises:
        ValueError: for fewer than 2 runs.
        OSError: if the output folder cannot be written.
    """
    run_module(__name__, config, title=config.heading, caption=interval_caption(config.runs))


def run(
    config: BackgroundOrDecisionConfig,
    callback: Callable[[], None] | None = None,
    *,
    workers: int | None = None,
) -> dict[str, Table]:
    """Run all agents in the mazes.

    Args:
        config: the settings.
        callback: called after each seed in a maze.
        workers: processes, which do not influence the numbers; None for one on each core.

    Returns:
        The table of the curves, with the columns maze, method, budget, step (every tenth),
        reward_mean, reward_low, reward_high (cumulative reward; a 95% interval of the mean)
        and runs. And, named `..._regret`, maze, method, budget, before_... and after_... (regret
        before the change and after it), found_... (fraction of the runs that find the change), each
        ..._mean, ..._low and ..._high, and runs.
    """
    jobs = [(config, maze, number) for maze in config.mazes for number in range(config.runs)]
    results = run_jobs(run_seed, jobs, workers=workers or os.cpu_count() or 1, callback=callback)
    curves, regrets = [], []
    for number, maze in enumerate(config.mazes):
        own = results[number * config.runs : (number + 1) * config.runs]
        for setting in config.settings():
            name = "{}_{}".format(*setting)
            rewards = np.array([result[name] for result in own])
            curves.append(_curve(maze, setting, rewards))
            regrets.append(_regret(maze, setting, rewards))
    return {config.name: stack(curves), f"{config.name}_regret": stack(regrets)}


def run_seed(config: BackgroundOrDecisionConfig, maze: str, number: int) -> Table:
    """Return the rewards of each step of each agent, with one of the seeds."""
    seed = np.random.SeedSequence(config.seed, spawn_key=(number,))
    return {
        "{}_{}".format(*setting): run_agent(config, maze, setting, seed)
        for setting in config.settings()
    }


def run_agent(
    config: BackgroundOrDecisionConfig,
    maze: str,
    setting: BudgetSetting,
    seed: np.random.SeedSequence,
) -> FloatArray:
    """Return (steps,) the rewards of an agent."""
    agent, steps = make_agent(config, maze, setting, seed), MAZES[maze].steps
    if setting.method in BACKGROUND:
        return run_one(agent, steps, 0).rewards
    return np.fromiter((step.reward for step in islice(agent.steps(), steps)), float, steps)


def make_agent(
    config: BackgroundOrDecisionConfig,
    maze: str,
    setting: BudgetSetting,
    seed: np.random.SeedSequence,
    model: str | Model = "latest_outcome",
) -> Agent:
    """Return an agent that uses at most its budget in each real step."""
    numbers, budget = MAZES[maze], setting.budget
    env = gym.make(numbers.env)
    common: dict[str, Any] = {"gamma": numbers.gamma, "epsilon": numbers.epsilon, "seed": seed}
    if setting.method == "q_learning":
        return QLearning(env, learning_rate=numbers.learning_rate, **common)
    common["model"] = model
    if setting.method in BACKGROUND:
        sweeps = setting.method == "prioritised_sweeping"
        return DynaQ(
            env,
            learning_rate=numbers.learning_rate,
            planning=setting.method,
            planning_steps=(budget - 1) // TRANSITIONS_PER_UPDATE if sweeps else budget,
            **common,
        )
    depth = max(1, min(config.depth, budget // ACTIONS))
    searcher = TreeSearch if setting.method == "tree" else MonteCarloSearch
    return searcher(env, simulations=budget // depth, depth=depth, **common)


def _curve(maze: str, setting: BudgetSetting, rewards: FloatArray) -> Table:
    runs, steps = rewards.shape
    at = np.arange(STORE_EVERY, steps + 1, STORE_EVERY)
    return {
        **{name: np.full(at.size, value) for name, value in _labels(maze, setting).items()},
        "step": at,
        **interval_columns("reward", mean_interval(rewards.cumsum(axis=1)[:, at - 1])),
        "runs": np.full(at.size, runs),
    }


def _regret(maze: str, setting: BudgetSetting, rewards: FloatArray) -> Table:
    reference = _cached_reference(maze)
    change, best = reference.change, reference.best
    until = best[change - 1]
    before = until - rewards[:, :change].sum(axis=1, keepdims=True)
    after = best[-1] - until - rewards[:, change:].sum(axis=1, keepdims=True)
    found = sum(found_change(row, change, reference.shortest) for row in rewards)
    return {
        **{name: np.array([value]) for name, value in _labels(maze, setting).items()},
        **interval_columns("before", mean_interval(before)),
        **interval_columns("after", mean_interval(after)),
        **interval_columns("found", proportion_interval(found, len(rewards))),
        "runs": np.array([len(rewards)]),
    }


def _labels(maze: str, setting: BudgetSetting) -> dict[str, Any]:
    return {"maze": maze, **setting._asdict()}


@cache
def _cached_reference(maze: str) -> MazeReference:
    return maze_reference(MAZES[maze])


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: dict[str, Table], config: BackgroundOrDecisionConfig) -> Figure:
    """Plot for each maze the curves, and the regret before and after the change."""
    table, regret = tables[config.name], tables[f"{config.name}_regret"]
    mazes = list(dict.fromkeys(table["maze"].tolist()))
    figure = Figure(figsize=(12, 3.6 * len(mazes)), layout="constrained")
    rows: Any = figure.subplots(len(mazes), 3, squeeze=False, width_ratios=(1.5, 1, 1))
    for (left, middle, right), maze in zip(rows, mazes, strict=True):
        _draw_rewards(left, rows_where(table, "maze", maze), maze)
        own, title = rows_where(regret, "maze", maze), MAZES[maze].title
        _draw_regret(middle, own, "before", f"{title}, before the change")
        _draw_regret(right, own, "after", f"{title}, after the change")
    figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.suptitle(
        f"Background or decision-time planning: {int(table['runs'][0])} runs of each agent, "
        "95% interval"
    )
    return figure


def _draw_rewards(axes: Axes, table: Table, maze: str) -> None:
    budget = int(table["budget"].max())
    for method, label in LABELS.items():
        curve = rows_where(table, "method", method)
        if method != "q_learning":
            curve = rows_where(curve, "budget", budget)
        style = {"color": COLOURS[method], "linestyle": STYLES.get(method, "-")}
        draw_curve(axes, "step", curve, "reward", label=label, **style)
    reference = _cached_reference(maze)
    steps = np.arange(1, reference.best.size + 1)
    axes.plot(steps, reference.best, color="grey", linestyle=":", label="knows the maze")
    axes.axvline(reference.change, color="grey", linewidth=0.8)
    axes.set(
        xlabel="Time steps (vertical line: the maze changes)",
        ylabel="Cumulative reward",
        xlim=(0, reference.best.size),
        ylim=(0, None),
        title=f"{MAZES[maze].title}, {budget:,} transitions a step",
    )


def _draw_regret(axes: Axes, table: Table, quantity: str, title: str) -> None:
    planned = table["budget"][table["budget"] > 0]
    for method, colour in COLOURS.items():
        curve = rows_where(table, "method", method)
        if method == "q_learning":
            curve = {name: np.repeat(column, 2) for name, column in curve.items()}
            curve["budget"] = np.array([planned.min(), planned.max()])
        style = {"marker": MARKERS.get(method, ""), "linestyle": STYLES.get(method, "-")}
        draw_curve(axes, "budget", curve, quantity, color=colour, **style)
    axes.set(
        xlabel="Simulated transitions for a real step",
        ylabel="Regret",
        xscale="log",
        ylim=(0, None),
        title=title,
    )


def summary(
    tables: dict[str, Table], config: BackgroundOrDecisionConfig
) -> dict[str, list[tuple[str, ...]]]:
    """Return for each maze a line for each agent: regret, and runs that find the change."""
    regret = tables[f"{config.name}_regret"]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for maze in dict.fromkeys(regret["maze"].tolist()):
        own = rows_where(regret, "maze", maze)
        own |= {name: 100 * column for name, column in own.items() if name.startswith("found")}
        lines: list[tuple[str, ...]] = [
            ("agent", "budget", "regret before", "after", "% find the change")
        ]
        for row, (method, budget) in enumerate(zip(own["method"], own["budget"], strict=True)):
            texts = (interval_text(own, name, row, 0) for name in ("before", "after", "found"))
            lines.append((LABELS[str(method)], f"{budget:,}" if budget else "", *texts))
        sections[f"Background or decision-time planning, {MAZES[maze].title.lower()}"] = lines
    return sections


if __name__ == "__main__":
    run_script(__file__)
