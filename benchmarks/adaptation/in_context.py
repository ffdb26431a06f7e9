"""Adaptation in context: reference agents in runs of `DynaMazeAdaptation-v0`.

A run is 400 steps in the maze of a held-out level, which changes once between steps 100 and 300.
Run i of every agent is in the same maze, with the same time and kind of change, so that
differences and shares are paired. (Where a change must not touch the agent's cell, that cell may
differ.)

1. The reward of a run is the number of goals reached.
2. Shares are ratios of mean rewards, to that of the expert. Their interval is that of the ratio of
   two means over pairs.
3. The regret is exact: the sum over the steps of V*(s) - Q*(s, a) in the maze as it is then.

Other agents run beside them, such as students with frozen weights from their files:

    dynamaze bench run adaptation-in-context --others learner.safetensors GRU=gru.safetensors

Beside every comparison must stand: table agents are not told geometry, that a wall bumped into from
one side is a wall from all sides. The expert is, and so is a student that draws a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.benchmarks.adaptation.agents import (
    AGENTS,
    EXPERT,
    ORACLE,
    TABLE_AGENTS,
)
from dynamaze.benchmarks.harness.agent_runs.recorder import Budget
from dynamaze.benchmarks.harness.agent_runs.resolver import named_text, resolve_agent
from dynamaze.benchmarks.harness.agent_runs.step_runs import derived_env_seed, run_agent
from dynamaze.benchmarks.harness.analysis.intervals import format_interval
from dynamaze.benchmarks.harness.analysis.plots import (
    BLACK,
    BLUE,
    REFERENCE,
    legend_below,
    panels,
    points_with_bars,
)
from dynamaze.benchmarks.harness.analysis.statistics import ratio_of_means
from dynamaze.benchmarks.harness.analysis.summaries import mean_text
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
from dynamaze.benchmarks.harness.curves import draw_curve, reward_curve
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column, derive_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Fraction, Range, Runs
from dynamaze.envs import GridEnv
from dynamaze.envs.adaptation import TRAINING_LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ENV_ID = "DynaMazeAdaptation-v0"
KIND = "skewed"
"""Kind of the rewards of runs: many in a maze with a short path, none in some others."""

Generator = Literal[
    "backtracking", "prim", "kruskal", "wilson", "division", "rooms", "obstacles", "empty"
]
AgentName = Literal[
    "random",
    "q_learning",
    "dyna_q_plus",
    "dyna_q_plus_tuned",
    "prioritised_sweeping",
    "dynamic_programming",
    "expert",
    "oracle",
]


@dataclass(frozen=True)
class InContextConfig(ExperimentConfig):
    """Adaptation in context: reference agents in unseen mazes that change once."""

    name: ClassVar[str] = "adaptation_in_context"
    title: ClassVar[str] = "Adaptation in context"
    seconds_per_run: ClassVar[float] = 0.04
    interval_kind: ClassVar[str] = KIND
    other_intervals: ClassVar[str] = "shares: ratio of means, paired by maze"
    swept: ClassVar[tuple[str, ...]] = ("sizes", "agents", "others")

    runs: Runs = 300
    """Runs of each agent, each in the maze of its own level."""
    sizes: tuple[Annotated[int, Range(3, limit=101)], ...] = (9, 11)
    """Rows and columns of the mazes."""
    agents: tuple[AgentName, ...] = tuple(AGENTS)  # type: ignore[arg-type]  # the same names
    """The agents; shares need the expert."""
    others: tuple[str, ...] = ()
    """Other agents, which observe the number of their cell: the file of a student (.safetensors,
    .onnx), a name with arguments "DynaQ(planning_steps=5)", or module:name of your own. LABEL=AGENT
    gives it a name for the tables."""
    algorithm: Generator = "wilson"
    """Generator of the mazes."""
    steps: Annotated[int, Range(4, limit=10**6)] = 400
    """World steps of a run."""
    gamma: Fraction = 0.95
    """Discount of the exact regret."""

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        told = (
            "expert, oracle and students with a map are told geometry, agents with tables are not"
        )
        return f"{super().caption}; {told}"

    @property
    def other_agents(self) -> dict[str, Any]:
        """Name -> factory or policy of each other agent.

        Raises:
            ValueError: for an unknown one.
        """
        return {name: resolve_agent(text) for name, text in map(named_text, self.others)}

    @property
    def settings(self) -> Sequence[Setting]:
        """The agents in mazes of each size."""
        entries: dict[str, Any] = {**{name: name for name in self.agents}, **self.other_agents}
        return [
            Setting((size, agent), self.runs, f"{size} x {size}, {label_of(name)}")
            for size in self.sizes
            for name, agent in entries.items()
        ]

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an option with a value that it cannot have, an unknown agent, or a name
                that two agents have.
        """
        super().check()
        names = [*AGENTS, *(name for name, _ in map(named_text, self.others))]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is the name of two agents; expected LABEL=AGENT")
        _ = self.other_agents


def label_of(name: str) -> str:
    """Return the label of an agent in the tables: that of a reference agent, or its name."""
    return AGENTS[name].label if name in AGENTS else name


class Level(NamedTuple):
    """The maze of a run: how it is made, and the seed of its environment."""

    size: int
    algorithm: str
    steps: int
    number: int  # of the run

    def make(self) -> gym.Env[Any, Any]:
        """Make the environment of the run; the cell alone is observed."""
        return gym.make(
            ENV_ID,
            size=self.size,
            algorithm=self.algorithm,
            first_level=TRAINING_LEVELS + self.number,
            levels=1,
            run_steps=self.steps,
            max_episode_steps=-1,
            observation="index",
        )

    def change_step(self, seed: int) -> int:
        """Return the step after which the maze changes in the run of a seed."""
        maze = self.make().unwrapped
        assert isinstance(maze, GridEnv)
        maze.reset(seed=derived_env_seed(seed))
        return maze.maze.next_change


def run(config: InContextConfig, runner: Runner | None = None) -> Tables:
    """Run all agents in all mazes.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        The table of the curves, with the columns size, agent, step (every tenth), reward_mean,
        reward_low, reward_high (cumulative reward; a 95% interval of the mean) and runs. And, named
        `..._runs`, size, agent, run, level, change (the step after which the maze changed), reward,
        after (reward after the change) and regret.

    Raises:
        ValueError: for an option outside its range.
    """
    config.check()
    results = (runner or Runner()).run(trial, config)
    curves, runs = [], []
    pairs = [
        (size, name) for size in config.sizes for name in (*config.agents, *config.other_agents)
    ]
    for (size, agent), tables in zip(pairs, results, strict=True):
        rewards = column(tables, "reward").astype(np.float64)
        change = column(tables, "change")[:, 0]
        steps = np.arange(rewards.shape[1])
        curves.append(reward_curve(rewards, size=size, agent=agent))
        runs.append(
            make_table(
                size=size,
                agent=agent,
                run=np.arange(len(rewards)),
                level=TRAINING_LEVELS + np.arange(len(rewards)),
                change=change,
                reward=rewards.sum(axis=1),
                after=(rewards * (steps >= change[:, None])).sum(axis=1),
                regret=column(tables, "regret").sum(axis=1),
            )
        )
    return {config.name: stack(curves), f"{config.name}_runs": stack(runs)}


def trial(config: InContextConfig, size: int, agent: Any, number: int) -> Table:
    """Run one agent once: the reward and the regret of each step, and the step of the change.

    Args:
        config: the settings.
        size: of the maze.
        agent: name of a reference agent; or a factory, or a policy.
        number: of the run.
    """
    make = AGENTS[agent].make if isinstance(agent, str) else agent
    level = Level(size, config.algorithm, config.steps, number)
    seed = derive_seed(config.seed, number)  # the same for every agent
    budget = Budget(config.steps, 0)
    record = run_agent(make, level.make, budget, seed=seed, gamma=config.gamma)
    return make_table(
        reward=record.rewards.astype(np.float32),
        regret=record.regrets.astype(np.float32),
        change=level.change_step(seed),
    )


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: InContextConfig) -> Figure:
    """Plot for each size the cumulative reward, and each agent's share of the expert's."""
    curves, runs = tables[config.name], tables[f"{config.name}_runs"]
    sizes = distinct(curves, "size")
    figure, rows = panels(len(sizes), 2, size=(11, 3.8 * len(sizes)), width_ratios=(1.3, 1))
    for (left, right), size in zip(rows, sizes, strict=True):
        own = rows_where(curves, size=size)
        for agent in distinct(own, "agent"):
            curve = rows_where(own, agent=agent)
            style: dict[str, Any] = dict(REFERENCE) if agent == ORACLE else {}
            draw_curve(left, "step", curve, "reward", label=label_of(agent), **style)
        left.set(title=f"{size} x {size}", xlabel="Steps", ylabel="Cumulative reward")
        _draw_shares(right, rows_where(runs, size=size))
    legend_below(figure, rows[0, 0], 4)
    figure.suptitle(f"Adaptation in context: {int(curves['runs'][0])} unseen mazes, 95% interval")
    return figure


def _draw_shares(axes: Axes, runs: Table) -> None:
    agents = distinct(runs, "agent")
    for place, agent in enumerate(agents):
        for quantity, shift, marker in (("reward", -0.12, "o"), ("after", 0.12, "s")):
            share = _share(runs, agent, quantity)
            if share is not None:
                style = {"marker": marker, "color": BLACK if quantity == "reward" else BLUE}
                points_with_bars(axes, place + shift, share, horizontal=True, **style)
    axes.axvline(1.0, **REFERENCE)
    axes.set_yticks(range(len(agents)), labels=[label_of(agent) for agent in agents])
    axes.set(xlabel="Share of the expert's reward (blue: after the change)", xlim=(0, None))


def summary(tables: Tables, config: InContextConfig) -> dict[str, Lines]:
    """Return for each size a line for each agent: reward, shares, and regret."""
    runs = tables[f"{config.name}_runs"]
    sections: dict[str, Lines] = {}
    for size in distinct(runs, "size"):
        own = rows_where(runs, size=size)
        lines: Lines = [
            (
                "agent",
                "n",
                "reward",
                "of expert's",
                "after change",
                "of expert's",
                "of best table agent's",
                "regret",
            )
        ]
        for agent in distinct(own, "agent"):
            mine = rows_where(own, agent=agent)
            text = partial(mean_text, kind=KIND)
            shares = (_share_text(own, agent, quantity) for quantity in ("reward", "after"))
            best = best_table_agent(own)
            lines.append(
                (
                    label_of(agent),
                    f"{len(mine['run']):,}",
                    text(mine["reward"]),
                    next(shares),
                    text(mine["after"]),
                    next(shares),
                    _share_text(own, agent, "reward", best),
                    text(mine["regret"]),
                )
            )
        sections[f"Adaptation in context, {size} x {size}"] = lines
    return sections


def best_table_agent(runs: Table) -> str | None:
    """Return the agent with a table that has the largest mean reward in some runs, if any."""
    means = {
        agent: rows_where(runs, agent=agent)["reward"].mean()
        for agent in distinct(runs, "agent")
        if agent in TABLE_AGENTS
    }
    return max(means, key=means.__getitem__, default=None)


def _share(runs: Table, agent: str, quantity: str, other: str | None = EXPERT) -> Any:
    """Return the ratio of an agent's mean to another's with its interval; None without one."""
    if other is None:
        return None
    reference: FloatArray = rows_where(runs, agent=other)[quantity]
    if agent == other or not reference.size or not reference.any():
        return None
    return ratio_of_means(rows_where(runs, agent=agent)[quantity], reference)


def _share_text(runs: Table, agent: str, quantity: str, other: str | None = EXPERT) -> str:
    share = _share(runs, agent, quantity, other)
    return "" if share is None else format_interval(share, 2)


if __name__ == "__main__":
    run_script(__file__)
