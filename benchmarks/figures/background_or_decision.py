"""Planning in the background against planning at decision time, in mazes that change once.

The mazes are those of figures 8.4 and 8.5. All agents learn the same model on the way, the latest
outcome of each pair, act epsilon-greedily, and have the same budget: so many simulated transitions
for each real step. How each makes use of it:

1. Q-learning has no model, and is the floor.
2. Dyna-Q makes one update of each transition.
3. Prioritised sweeping looks at up to seven transitions for an update: the pair's own before and
   after it, those of the four pairs that lead there, and of one more that is only believed to since
   the change. A last one goes to what has just happened. So it makes a seventh of the updates at
   most, and mostly far fewer, as there is nothing to do.
4. Monte-Carlo search and tree search simulate episodes of at most `depth` steps (fewer only where
   the budget does not pay for one episode with each action). What is left where episodes end early
   is not spent.

The settings are those of the figures; the searches have those that `dynamaze.agents` gives them.
The regret is the reward that is missing to an agent that always knows the maze and takes shortest
ways, before the change and after it. What finding the change means is told in `exercise_8_4`.

What is found, with the default settings (the stored tables have the intervals):

1. As long as the maze stays as it is, planning in the background does with a hundredth of the
   transitions. In the shortcut maze Dyna-Q with 300 for each step has a regret of 59 at the change,
   tree search with 30,000 one of 98: values keep what was found, a search begins from nothing.
2. Where the way is blocked, all searches with 30,000 transitions find the new one, and a third of
   the runs of Dyna-Q. After the change tree search has a regret of 73 then, Dyna-Q 102 (of 125).
3. No Dyna-Q finds the shortcut. Most searches with 30,000 transitions do, for their choices are
   noisy. They pay for it before the change, and in the end have earned less.
4. These runs are too few to tell uniform updates from prioritised sweeping, or a large budget of
   either from a small one: Dyna-Q finds the new way or does not, and that decides its regret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import Agent, DynaQ, MonteCarloSearch, QLearning, TreeSearch
from dynamaze.agents.models import Model
from dynamaze.common.arrays import FloatArray

from ..harness.compiled_runs import run_one
from ..harness.curves import columns_of, draw_curve, interval_text
from ..harness.runner import work
from ..harness.statistics import mean_interval
from ..harness.table import Table, rows_where, stack
from .exercise_8_4 import MAZES, World, found_change, know, share_interval

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
"""Of lines that lie on others."""
BACKGROUND = ("q_learning", "uniform", "prioritised_sweeping")
"""Those whose runs are compiled as a whole."""
LOOKS_OF_AN_UPDATE = 7
"""Transitions that prioritised sweeping may look at for one update."""
ACTIONS = 4
"""Each is simulated at least once."""
EVERY = 10
"""Of so many steps one is stored."""


@dataclass(frozen=True)
class Config:
    """Background against decision-time planning in mazes that change (section 8.8)."""

    name: ClassVar[str] = "background_or_decision"

    runs: int = 30
    """Runs of each agent with each budget."""
    seed: int = 0
    """Settles every number."""
    budgets: tuple[int, ...] = (300, 3000, 30_000)
    """Simulated transitions for each real step; the curves are drawn of the largest."""
    depth: int = 50
    """Most steps that a search looks ahead."""
    mazes: tuple[str, ...] = tuple(MAZES)
    """The mazes, of those of exercise 8.4."""

    @property
    def total_runs(self) -> int:
        """Seeds in all mazes; with each all agents live."""
        return self.runs * len(self.mazes)

    def settings(self) -> Iterator[Setting]:
        """The agents that live in each maze."""
        yield Setting("q_learning", 0)
        for method in LABELS:
            if method != "q_learning":
                yield from (Setting(method, budget) for budget in self.budgets)


class Setting(NamedTuple):
    """An agent and its budget."""

    method: str
    budget: int


def run(
    config: Config, on_run: Callable[[], None] | None = None, *, workers: int | None = None
) -> dict[str, Table]:
    """Let all agents live in the mazes.

    Args:
        config: its numbers.
        on_run: called after each seed in a maze.
        workers: processes, which change no number; None for one on each core.

    Returns:
        The table of the curves, with the columns maze, method, budget, step (every tenth),
        reward_mean, reward_low, reward_high (cumulative reward so far; a 95% interval of the mean)
        and runs. And, named `..._regret`, maze, method, budget, before_... and after_... (regret
        before the change and after it), found_... (share of the runs that find the change), each
        ..._mean, ..._low and ..._high, and runs.
    """
    jobs = [(config, maze, number) for maze in config.mazes for number in range(config.runs)]
    lives = work(one_seed, jobs, workers=workers or os.cpu_count() or 1, on_run=on_run)
    curves, regrets = [], []
    for which, maze in enumerate(config.mazes):
        found = lives[which * config.runs : (which + 1) * config.runs]
        for setting in config.settings():
            name = "{}_{}".format(*setting)
            rewards = np.array([life[name] for life in found])
            curves.append(_curve(maze, setting, rewards))
            regrets.append(_regret(maze, setting, rewards))
    return {config.name: stack(curves), f"{config.name}_regret": stack(regrets)}


def one_seed(config: Config, maze: str, number: int) -> Table:
    """The rewards of each step of each agent with one of the seeds."""
    seed = np.random.SeedSequence(config.seed, spawn_key=(number,))
    return {
        "{}_{}".format(*setting): live(config, maze, setting, seed) for setting in config.settings()
    }


def live(config: Config, maze: str, setting: Setting, seed: np.random.SeedSequence) -> FloatArray:
    """(steps,) rewards of an agent."""
    agent, steps = make_agent(config, maze, setting, seed), MAZES[maze].steps
    if setting.method in BACKGROUND:
        return run_one(agent, steps, 0).rewards
    return np.fromiter((step.reward for step in islice(agent.steps(), steps)), float, steps)


def make_agent(
    config: Config,
    maze: str,
    setting: Setting,
    seed: np.random.SeedSequence,
    model: str | Model = "latest_outcome",
) -> Agent:
    """An agent that spends at most its budget in each real step."""
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
            planning_steps=(budget - 1) // LOOKS_OF_AN_UPDATE if sweeps else budget,
            **common,
        )
    depth = max(1, min(config.depth, budget // ACTIONS))
    searcher = TreeSearch if setting.method == "tree" else MonteCarloSearch
    return searcher(env, simulations=budget // depth, depth=depth, **common)


def _curve(maze: str, setting: Setting, rewards: FloatArray) -> Table:
    runs, steps = rewards.shape
    at = np.arange(EVERY, steps + 1, EVERY)
    return {
        **{name: np.full(at.size, value) for name, value in _labels(maze, setting).items()},
        "step": at,
        **columns_of("reward", mean_interval(rewards.cumsum(axis=1)[:, at - 1])),
        "runs": np.full(at.size, runs),
    }


def _regret(maze: str, setting: Setting, rewards: FloatArray) -> Table:
    world = _known(maze)
    until = world.best[world.change - 1]
    before = until - rewards[:, : world.change].sum(axis=1, keepdims=True)
    after = world.best[-1] - until - rewards[:, world.change :].sum(axis=1, keepdims=True)
    found = sum(found_change(row, world.change, world.shortest) for row in rewards)
    return {
        **{name: np.array([value]) for name, value in _labels(maze, setting).items()},
        **columns_of("before", mean_interval(before)),
        **columns_of("after", mean_interval(after)),
        **columns_of("found", share_interval(found, len(rewards))),
        "runs": np.array([len(rewards)]),
    }


def _labels(maze: str, setting: Setting) -> dict[str, Any]:
    return {"maze": maze, **setting._asdict()}


@cache
def _known(maze: str) -> World:
    return know(MAZES[maze])


# -- picture and summary -----------------------------------------------------------------------


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """The picture: for each maze the curves, and what is lost before and after the change."""
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
        f"Planning before or after a decision is due: {int(table['runs'][0])} runs of each agent, "
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
    world = _known(maze)
    steps = np.arange(1, world.best.size + 1)
    axes.plot(steps, world.best, color="grey", linestyle=":", label="knows the maze")
    axes.axvline(world.change, color="grey", linewidth=0.8)
    axes.set(
        xlabel="Time steps (vertical line: the maze changes)",
        ylabel="Cumulative reward",
        xlim=(0, world.best.size),
        ylim=(0, None),
        title=f"{MAZES[maze].title}, {budget:,} transitions a step",
    )


def _draw_regret(axes: Axes, table: Table, what: str, title: str) -> None:
    planned = table["budget"][table["budget"] > 0]
    for method, colour in COLOURS.items():
        curve = rows_where(table, "method", method)
        if method == "q_learning":
            curve = {name: np.repeat(column, 2) for name, column in curve.items()}
            curve["budget"] = np.array([planned.min(), planned.max()])
        style = {"marker": MARKERS.get(method, ""), "linestyle": STYLES.get(method, "-")}
        draw_curve(axes, "budget", curve, what, color=colour, **style)
    axes.set(
        xlabel="Simulated transitions for a real step",
        ylabel="Regret",
        xscale="log",
        ylim=(0, None),
        title=title,
    )


def summary(tables: dict[str, Table], config: Config) -> dict[str, list[tuple[str, ...]]]:
    """For each maze a line for each agent: what it loses before and after, and if it finds out."""
    regret = tables[f"{config.name}_regret"]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for maze in dict.fromkeys(regret["maze"].tolist()):
        own = rows_where(regret, "maze", maze)
        own |= {name: 100 * column for name, column in own.items() if name.startswith("found")}
        lines: list[tuple[str, ...]] = [("agent", "budget", "regret before", "after", "% find it")]
        for row, (method, budget) in enumerate(zip(own["method"], own["budget"], strict=True)):
            texts = (interval_text(own, what, row, 0) for what in ("before", "after", "found"))
            lines.append((LABELS[str(method)], f"{budget:,}" if budget else "", *texts))
        sections[f"Background or decision-time planning, {MAZES[maze].title.lower()}"] = lines
    return sections
