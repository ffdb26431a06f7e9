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

Results of `dynamaze bench run background-or-decision` with the default settings (it prints the
intervals):

1. While the maze is constant, planning in the background needs a hundredth of the transitions. In
   the shortcut maze Dyna-Q with 100 for each step has a regret of 61 at the change, tree search
   with 10,000 one of 132: values are stored, a search starts from zero.
2. Where the path is blocked, nearly all searches with 1000 transitions or more find the new one,
   and 20 to 58% of the runs that plan in the background. With 10,000 tree search then has
   a regret of 92 after the change, where an agent without any reward has 125.
3. No agent that plans in the background finds the shortcut. Most searches with 1000 transitions or
   more do, as their decisions are noisy. This costs reward before the change, and their reward in
   the whole run is lower.
4. These runs are too few to separate uniform updates from prioritised sweeping, or a large budget
   of either from a small one: the regret of both depends on whether a run finds the new path.
5. In the blocking maze the old path's values decay after the change, with 1000 transitions a step
   or more down to the smallest floating-point numbers, where rounding decides about their order.
   When Dyna-Q had 30,000 for each step, and values below 1e-300 were set to 0 and so tied, 97% of
   its runs found the new path instead of a third: read these numbers as those of one arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np

from dynamaze.agents import Agent, DynaQ, MonteCarloSearch, QLearning, TreeSearch
from dynamaze.agents.models import Model
from dynamaze.benchmarks.figures.exercise_8_4 import (
    MAZES,
    found_change,
    maze_reference,
)
from dynamaze.benchmarks.figures.figures_8_4_and_8_5 import draw_reference
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one, shared_env
from dynamaze.benchmarks.harness.analysis.plots import METHODS, legend_below, panels
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
    draw_curve,
    draw_level,
    interval_columns,
    interval_text,
    mean_columns,
    reward_curve,
    runs_text,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column, run_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Depth, Range, Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PLANNERS = ("uniform", "prioritised_sweeping", "monte_carlo", "tree")
"""Methods with a budget; Q-learning has none."""
STYLES = {"prioritised_sweeping": "--"}
"""Line styles of curves that coincide with others."""
TRANSITIONS_PER_UPDATE = 7
"""Largest number of transitions that prioritised sweeping uses for one update."""
ACTIONS = 4
"""Each is simulated at least once."""


@dataclass(frozen=True)
class BackgroundOrDecisionConfig(ExperimentConfig):
    """Background against decision-time planning in mazes that change (section 8.8)."""

    name: ClassVar[str] = "background_or_decision"
    title: ClassVar[str] = "Background or decision"
    seconds_per_run: ClassVar[float] = 0.047
    interval_kind: ClassVar[str] = "time"
    other_intervals: ClassVar[str] = "shares of the runs: Wilson's"
    swept: ClassVar[tuple[str, ...]] = ("budgets", "mazes")

    runs: Runs = 50
    """Runs of each agent with each budget."""
    budgets: tuple[Annotated[int, Range(ACTIONS, limit=10**7)], ...] = (100, 1000, 10_000)
    """Simulated transitions for each real step; the curves are those of the largest."""
    depth: Depth = 50
    """Largest depth of the searches, in steps."""
    mazes: tuple[Literal["blocking", "shortcut"], ...] = ("blocking", "shortcut")
    """The mazes, of those of exercise 8.4."""

    @property
    def settings(self) -> Sequence[Setting]:
        """The agents in each maze."""
        return [
            Setting(
                (maze, *each),
                self.runs,
                f"{maze}, {METHODS[each.method].label}, {each.budget:,}",
                MAZES[maze].env,
            )
            for maze in self.mazes
            for each in self.budget_settings()
        ]

    def budget_settings(self) -> Iterator[BudgetSetting]:
        """Yield the agents of each maze."""
        yield BudgetSetting("q_learning", 0)
        for method in PLANNERS:
            yield from (BudgetSetting(method, budget) for budget in self.budgets)


class BudgetSetting(NamedTuple):
    """A method and its budget."""

    method: str
    budget: int


def run(config: BackgroundOrDecisionConfig, runner: Runner | None = None) -> Tables:
    """Run all agents in the mazes.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        The table of the curves, with the columns maze, method, budget, step (every tenth),
        reward_mean, reward_low, reward_high (cumulative reward; a 95% interval of the mean)
        and runs. And, named `..._regret`, maze, method, budget, before_... and after_... (regret
        before the change and after it), found_... (fraction of the runs that find the change), each
        ..._mean, ..._low and ..._high, and runs.
    """
    results = (runner or Runner()).run(trial, config)
    curves, regrets = [], []
    for setting, tables in zip(config.settings, results, strict=True):
        maze, method, budget = setting.arguments
        rewards = column(tables, "reward").astype(np.float64)
        labels = {"maze": maze, "method": method, "budget": budget}
        curves.append(reward_curve(rewards, **labels))
        regrets.append(make_table(**labels, **_regret(maze, rewards)))
    return {config.name: stack(curves), f"{config.name}_regret": stack(regrets)}


def trial(
    config: BackgroundOrDecisionConfig, maze: str, method: str, budget: int, number: int
) -> Table:
    """Run one agent once: the reward of each step, 0 or 1."""
    seed = run_seed(config.seed, number)
    rewards = run_agent(config, maze, BudgetSetting(method, budget), seed)
    return {"reward": rewards.astype(np.int8)}


def run_agent(
    config: BackgroundOrDecisionConfig,
    maze: str,
    setting: BudgetSetting,
    seed: np.random.SeedSequence,
) -> FloatArray:
    """Return (steps,) the rewards of an agent."""
    return run_one(make_agent(config, maze, setting, seed), MAZES[maze].steps, 0).rewards


def make_agent(
    config: BackgroundOrDecisionConfig,
    maze: str,
    setting: BudgetSetting,
    seed: np.random.SeedSequence,
    model: str | Model = "latest_outcome",
) -> Agent:
    """Return an agent that uses at most its budget in each real step."""
    numbers, budget = MAZES[maze], setting.budget
    env = shared_env(numbers.env)
    common: dict[str, Any] = {"gamma": numbers.gamma, "epsilon": numbers.epsilon, "seed": seed}
    if setting.method == "q_learning":
        return QLearning(env, learning_rate=numbers.learning_rate, **common)
    common["model"] = model
    if setting.method in ("uniform", "prioritised_sweeping"):
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


def _regret(maze: str, rewards: FloatArray) -> dict[str, Any]:
    """Return the columns of an agent's regret and of the runs that find the change."""
    reference = maze_reference(MAZES[maze])
    change, best = reference.change, reference.best
    until = best[change - 1]
    found = [found_change(row, change, reference.shortest) for row in rewards]
    before = until - rewards[:, :change].sum(axis=1, keepdims=True)
    after = best[-1] - until - rewards[:, change:].sum(axis=1, keepdims=True)
    return {
        **mean_columns(before=before, after=after),
        **interval_columns("found", fraction_interval(found)),
        "runs": len(rewards),
    }


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: BackgroundOrDecisionConfig) -> Figure:
    """Plot for each maze the curves, and the regret before and after the change."""
    table, regret = tables[config.name], tables[f"{config.name}_regret"]
    mazes = distinct(table, "maze")
    figure, rows = panels(len(mazes), 3, size=(12, 3.6 * len(mazes)), width_ratios=(1.5, 1, 1))
    for (left, middle, right), maze in zip(rows, mazes, strict=True):
        _draw_rewards(left, rows_where(table, maze=maze), maze)
        own, title = rows_where(regret, maze=maze), MAZES[maze].maze
        _draw_regret(middle, own, "before", f"{title}, before the change")
        _draw_regret(right, own, "after", f"{title}, after the change")
    legend_below(figure, rows[0, 0], 6)
    figure.suptitle(
        f"Background or decision-time planning: {int(table['runs'][0])} runs of each agent, "
        "95% interval"
    )
    return figure


def _draw_rewards(axes: Axes, table: Table, maze: str) -> None:
    budget = int(table["budget"].max())
    for method in ("q_learning", *PLANNERS):
        spent = 0 if method == "q_learning" else budget
        curve = rows_where(table, method=method, budget=spent)
        label, colour, _ = METHODS[method]
        style = {"color": colour, "linestyle": STYLES.get(method, "-")}
        draw_curve(axes, "step", curve, "reward", label=label, **style)
    reference = maze_reference(MAZES[maze])
    draw_reference(axes, reference.best, reference.change)
    axes.set_title(f"{MAZES[maze].maze}, {budget:,} transitions a step")


def _draw_regret(axes: Axes, table: Table, quantity: str, title: str) -> None:
    planned = table["budget"][table["budget"] > 0]
    free = rows_where(table, method="q_learning")
    ends = (planned.min(), planned.max())
    draw_level(axes, ends, free, quantity, color=METHODS["q_learning"].colour)
    for method in PLANNERS:
        _, colour, marker = METHODS[method]
        style = {"color": colour, "marker": marker, "linestyle": STYLES.get(method, "-")}
        draw_curve(axes, "budget", rows_where(table, method=method), quantity, **style)
    axes.set(
        xlabel="Simulated transitions for a real step",
        ylabel="Regret",
        xscale="log",
        ylim=(0, None),
        title=title,
    )


def summary(tables: Tables, config: BackgroundOrDecisionConfig) -> dict[str, Lines]:
    """Return for each maze a line for each agent: regret, and runs that find the change."""
    regret = tables[f"{config.name}_regret"]
    sections: dict[str, Lines] = {}
    # Now and then a run finds the change that most do not find, or the other way round.
    kinds = {"before": "mean", "after": "time", "found": "proportion"}
    for maze in distinct(regret, "maze"):
        own = rows_where(regret, maze=maze)
        own |= {name: 100 * column for name, column in own.items() if name.startswith("found")}
        lines: Lines = [("agent", "budget", "n", "regret before", "after", "% find the change")]
        for row, (method, budget) in enumerate(zip(own["method"], own["budget"], strict=True)):
            texts = (interval_text(own, name, row, 0, kind=kind) for name, kind in kinds.items())
            spent = f"{budget:,}" if budget else ""
            lines.append((METHODS[method].label, spent, runs_text(own, row), *texts))
        sections[f"Background or decision-time planning, {MAZES[maze].maze.lower()}"] = lines
    return sections


if __name__ == "__main__":
    run_script(__file__)
