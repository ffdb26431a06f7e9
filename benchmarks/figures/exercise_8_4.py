"""Exercise 8.4 of Sutton & Barto (2018): where the bonus goes.

Dyna-Q+ adds its bonus kappa sqrt(tau) to the rewards of planning, so that values tell far off where
something waits to be tried. The exercise asks what happens if the bonus is added only to the values
among which an action is chosen. Both are run in the mazes of figures 8.4 and 8.5, with the settings
of those figures, and for other weights kappa too: one weight does not fit both.

A run has found the change if an episode that began after it ended sooner than the old maze allows
(shortcut), or at all (blocking: an episode that begins below the wall must find the new gap).
Regret is the reward that is missing to an agent that always knows the maze and takes shortest ways.

What is found, with the default settings (epsilon = 0.1; the stored tables have the intervals):

1. With the bonus in planning and the figure's own kappa every run finds the change.
2. With the bonus at the choice and the same kappa 26% of the runs find the new way where the old
   one is blocked, fewer than without a bonus (41%), and 1% find the shortcut. It leads to what is
   untried here, not to what is untried elsewhere.
3. It does help at first, when nothing was tried yet: in the shortcut maze its regret is 184, that
   of plain Dyna-Q 200, though neither finds the shortcut.
4. It does not add up along the way, so it bears a larger weight. At kappa = 3e-3 the bonus in
   planning has the agent forget the goal (a regret of 205 of 225 in the blocking maze), and the
   bonus at the choice finds the new way in 99% of the runs. But what it costs to find the shortcut
   so (71% at kappa = 1e-2) is more than the shortcut saves.
5. The exercise has the greedy choice, epsilon = 0. This changes none of the above.

Differences from the exercise: it leaves the maze, alpha, n and kappa open, and asks for no
intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from statistics import NormalDist
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import Agent, DynaQ, DynaQPlus
from dynamaze.common.arrays import FloatArray

from ..harness.compiled_runs import run_many
from ..harness.curves import columns_of, draw_curve, interval_text
from ..harness.statistics import Interval, mean_interval
from ..harness.table import Table, rows_where, stack
from . import figure_8_4, figure_8_5
from .figures_8_4_and_8_5 import ChangingMaze, best_reward

MAZES: dict[str, ChangingMaze] = {
    "blocking": figure_8_4.Config(),
    "shortcut": figure_8_5.Config(),
}
METHODS = {"none": "Dyna-Q", "planning": "bonus in planning", "action": "bonus at the choice"}
COLOURS = {"none": "tab:red", "planning": "tab:blue", "action": "tab:green"}
EVERY = 10
"""Of so many steps one is stored."""


@dataclass(frozen=True)
class Config:
    """Exercise 8.4 (section 8.3, p. 168): where the bonus goes."""

    name: ClassVar[str] = "exercise_8_4"

    runs: int = 500
    """Runs of each agent."""
    seed: int = 0
    """Settles every number."""
    epsilons: tuple[float, ...] = (0.1, 0.0)
    """Probabilities of an action at random."""
    kappas: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    """Weights of the bonus; those of the figures themselves are run in any case."""

    @property
    def total_runs(self) -> int:
        """Runs of all agents together."""
        return self.runs * sum(1 for maze in MAZES for _ in self.agents(maze))

    def agents(self, maze: str) -> Iterator[Setting]:
        """What is run in a maze."""
        kappas = sorted({*self.kappas, MAZES[maze].kappa})
        for epsilon in self.epsilons:
            yield Setting(epsilon, "none", 0.0)
            for bonus in ("planning", "action"):
                for kappa in kappas:
                    yield Setting(epsilon, bonus, kappa)


class Setting(NamedTuple):
    """An agent: its epsilon, where its bonus goes, and the weight of that."""

    epsilon: float
    bonus: str
    kappa: float


class World(NamedTuple):
    """A maze that changes once, and what there is to know of it."""

    env: gym.Env[Any, Any]
    change: int  # world step
    shortest: tuple[int, int]  # ways to the goal, before and after
    best: FloatArray  # (steps,) cumulative reward of who knows the maze


def run(config: Config, on_run: Callable[[], None] | None = None) -> dict[str, Table]:
    """Run all agents in both mazes.

    Returns:
        The table of the curves with the figures' own kappas, with the columns maze, epsilon, bonus,
        step (every tenth), reward_mean, reward_low, reward_high (cumulative reward so far; a 95%
        interval of the mean) and runs. And, named `..._kappas`, that of all agents: maze, epsilon,
        bonus, kappa, regret_..., found_... (share of the runs), each ..._mean, ..._low and
        ..._high, and runs.
    """
    curves, ends = [], []
    for name, maze in MAZES.items():
        world = know(maze)
        for setting in config.agents(name):
            agent = make_agent(maze, world.env, setting)
            rewards = run_many(
                agent, runs=config.runs, steps=maze.steps, seed=config.seed, on_run=on_run
            ).rewards
            labels = {"maze": name, "epsilon": setting.epsilon, "bonus": setting.bonus}
            ends.append(_end(rewards, world, {**labels, "kappa": setting.kappa}))
            if setting.kappa in (0.0, maze.kappa):
                curves.append(_curve(rewards, labels))
    return {config.name: stack(curves), f"{config.name}_kappas": stack(ends)}


def know(maze: ChangingMaze) -> World:
    """A figure's maze, and what there is to know of it."""
    env = gym.make(maze.env)
    unwrapped: Any = env.unwrapped
    before, after = (len(layout.shortest_path) - 1 for layout in unwrapped.schedule.layouts)
    best = best_reward(unwrapped, maze.steps, gamma=maze.gamma, epsilon=0.0)
    return World(env, unwrapped.schedule.steps[1], (before, after), best)


def make_agent(
    maze: ChangingMaze, env: gym.Env[Any, Any], setting: Setting
) -> Callable[..., Agent]:
    """What makes an agent from a seed, with the settings of a maze's figure."""
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
    """Whether a run found the change: the way that opened, or one where the old one closed.

    Args:
        rewards: (steps,) of a run; an episode ends with the reward at the goal.
        change: the world step of the change.
        shortest: ways to the goal before and after it.
    """
    ends = np.flatnonzero(rewards) + 1
    begins = np.concatenate(([0], ends[:-1]))
    new = begins >= change
    if shortest[1] < shortest[0]:  # a way that takes as long as before need not be the new one
        new &= ends - begins < shortest[0]
    return bool(new.any())


def share_interval(successes: int, trials: int) -> Interval:
    """A share and its 95% interval (Wilson 1927), right also for shares of 0 and 1."""
    z = NormalDist().inv_cdf(0.975)
    share, weight = successes / trials, z**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * np.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # Rounding must not put a share of 0 or 1 outside its interval.
    low, high = min(middle - half, share), max(middle + half, share)
    return Interval(*(np.array([end]) for end in (share, low, high)))


def _end(rewards: FloatArray, world: World, labels: dict[str, Any]) -> Table:
    runs = len(rewards)
    found = sum(found_change(row, world.change, world.shortest) for row in rewards)
    regret = mean_interval(world.best[-1] - rewards.sum(axis=1, keepdims=True))
    return {
        **{name: np.array([value]) for name, value in labels.items()},
        **columns_of("regret", regret),
        **columns_of("found", share_interval(found, runs)),
        "runs": np.array([runs]),
    }


def _curve(rewards: FloatArray, labels: dict[str, Any]) -> Table:
    runs, steps = rewards.shape
    at = np.arange(EVERY, steps + 1, EVERY)
    cumulative = rewards.cumsum(axis=1)[:, at - 1]
    return {
        **{name: np.full(at.size, value) for name, value in labels.items()},
        "step": at,
        **columns_of("reward", mean_interval(cumulative)),
        "runs": np.full(at.size, runs),
    }


# -- picture and summary -----------------------------------------------------------------------


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """The picture: for each maze the curves, and for each kappa what is found and what it costs."""
    table, ends = tables[config.name], tables[f"{config.name}_kappas"]
    figure = Figure(figsize=(12, 7), layout="constrained")
    rows: Any = figure.subplots(len(MAZES), 3, width_ratios=(1.5, 1, 1))
    for (left, middle, right), name in zip(rows, MAZES, strict=True):
        _draw_rewards(left, rows_where(table, "maze", name), name)
        own = rows_where(ends, "maze", name)
        _draw_kappas(middle, own, "found", "Share of runs that find the change", name)
        _draw_kappas(right, own, "regret", "Regret", name)
        middle.set_ylim(-0.04, 1.04)
        right.set_ylim(0, None)
    figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(
        f"Where the bonus goes: {int(table['runs'][0])} runs of each agent, 95% interval"
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
    world = know(maze)
    steps = np.arange(1, world.best.size + 1)
    axes.plot(steps, world.best, color="grey", linestyle=":", label="knows the maze")
    axes.axvline(world.change, color="grey", linewidth=0.8)
    axes.set(
        xlabel="Time steps (vertical line: the maze changes)",
        ylabel="Cumulative reward",
        xlim=(0, maze.steps),
        ylim=(0, None),
        title=f"{maze.title}, $\\kappa$ = {maze.kappa:g}",
    )


def _draw_kappas(axes: Axes, table: Table, what: str, ylabel: str, name: str) -> None:
    kappas = np.unique(table["kappa"][table["kappa"] > 0])
    for epsilon, style in _styles(table):
        own = rows_where(table, "epsilon", epsilon)
        none = rows_where(own, "bonus", "none")
        wide = {key: np.repeat(column, 2) for key, column in none.items()}
        wide["kappa"] = kappas[[0, -1]]
        draw_curve(axes, "kappa", wide, what, color=COLOURS["none"], linestyle=style)
        for bonus in ("planning", "action"):
            curve = rows_where(own, "bonus", bonus)
            draw_curve(
                axes, "kappa", curve, what, color=COLOURS[bonus], linestyle=style, marker="."
            )
    axes.axvline(MAZES[name].kappa, color="grey", linewidth=0.8)
    axes.set(
        xlabel="$\\kappa$ (vertical line: the figure's)",
        ylabel=ylabel,
        xscale="log",
        title=MAZES[name].title,
    )


def _styles(table: Table) -> Iterator[tuple[float, str]]:
    """Each epsilon and its line: the first of the table solid."""
    epsilons = dict.fromkeys(table["epsilon"].tolist())
    return zip(epsilons, cycle(("-", "--", "-.", ":")), strict=False)


def summary(tables: dict[str, Table], config: Config) -> dict[str, list[tuple[str, ...]]]:
    """For each maze a line for each agent: who finds the change, and the regret."""
    ends = tables[f"{config.name}_kappas"]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for name, maze in MAZES.items():
        lines: list[tuple[str, ...]] = [("bonus", "epsilon", "kappa", "finds it", "regret")]
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
