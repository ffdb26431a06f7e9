"""Figure 8.8 of Sutton & Barto (2018): uniform and on-policy distribution of expected updates.

Uniform updates sweep over all pairs in order and in place; on-policy updates are made along
epsilon-greedy episodes from the start state. A plan is evaluated by the value of the start state
under the greedy policy.

Differences from the book:

1. 500 tasks of each kind instead of 200, the same for both distributions, with 95% intervals, and
   an interval of their difference task by task.
2. The values of the greedy policies are exact to 1e-9 (`random_tasks.greedy_value`).
3. Epsilon-greedy episodes break ties at random. The greedy policy that is evaluated takes the
   first of two equal actions; only actions that were never updated are equal, and these are
   exchangeable, so that its mean value is the same as with random ties.
4. For |S| = 10,000 and b = 1 the book calls the advantage of on-policy updates large and
   long-lasting. It is large, but uniform overtakes within the 200,000 updates, as for |S| = 1000
   (`dynamaze bench run figure-8-8` prints where). A possible reason: the Lisp program in
   circulation for this experiment has the setting of the book, but discounts by a further 0.9, and
   its measure of a policy is a single backup of the action values, which lag behind the policy.

Known reproductions differ by giving no reward where an episode ends, and by the noise of evaluating
a policy by episodes. Here a transition to the terminal state has its own reward, as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dynamaze.agents.core.rng import make_generator
from dynamaze.benchmarks.figures.random_tasks import RandomTask, learning_curve
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_MARK, few_runs
from dynamaze.benchmarks.harness.analysis.plots import BLACK, COLOURS, PURPLE, panels
from dynamaze.benchmarks.harness.analysis.resampling import crossing_interval
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
    mean_columns,
    runs_text,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column
from dynamaze.common.options import Count, Fraction, Runs
from dynamaze.common.validation import checked_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


DISTRIBUTIONS = {"on_policy": "on-policy", "uniform": "uniform"}
FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Fractions of the updates, after which the summary shows the values."""


MOST_UPDATES = 10**9

MOST_TRANSITIONS = 10**7
"""Transitions of a task for each action, which fill the memory."""


class Problem(NamedTuple):
    """A distribution of tasks, and the number of updates."""

    states: int
    """Number |S| of states."""
    branching: int
    """Number b of successors of a pair."""
    updates: int
    """Expected updates of each distribution."""


@dataclass(frozen=True)
class Figure88Config(ExperimentConfig):
    """Figure 8.8 (section 8.6, p. 176): the distribution of updates."""

    name: ClassVar[str] = "figure_8_8"
    title: ClassVar[str] = "Figure 8.8"
    interval_kind: ClassVar[str] = "crossing"
    other_intervals: ClassVar[str] = "crossing points: bootstrap of the tasks"
    seconds_per_run: ClassVar[float] = 0.013
    swept: ClassVar[tuple[str, ...]] = ("problems",)

    runs: Runs = 500
    """Tasks of each kind."""
    epsilon: Fraction = 0.1
    """Probability of a random action in the on-policy episodes."""
    evaluations: Count = 100
    """Evaluations of the policy during planning; divides the numbers of updates."""
    problems: tuple[Problem, ...] = (
        Problem(1000, 1, 20_000),
        Problem(1000, 3, 20_000),
        Problem(1000, 10, 20_000),
        Problem(10_000, 1, 200_000),
    )
    """The kinds of tasks."""

    @property
    def settings(self) -> Sequence[Setting]:
        """The kinds of tasks."""
        return [
            Setting(tuple(problem), self.runs, f"|S| = {problem.states}, b = {problem.branching}")
            for problem in self.problems
        ]

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, or where `evaluations` does not divide the updates.
        """
        super().check()
        for number, problem in enumerate(self.problems):
            for name, value in problem._asdict().items():
                checked_integer(f"problems.{number}.{name}", value, 1, MOST_UPDATES)
            if problem.updates % self.evaluations:
                raise ValueError(
                    f"evaluations={self.evaluations}; expected a divisor of {problem.updates}"
                )
            if problem.states * problem.branching > MOST_TRANSITIONS:
                raise ValueError(
                    f"problems.{number}={tuple(problem)!r}; expected at most "
                    f"{MOST_TRANSITIONS:,} as the product of states and branching"
                )


def run(config: Figure88Config, runner: Runner | None = None) -> Tables:
    """Plan in all tasks with both distributions.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        The table of the curves, with the columns states, branching, updates, and of uniform,
        on_policy and difference (uniform less on-policy, task by task) each ..._mean, ..._low and
        ..._high (a 95% interval), and runs. And, named `..._crossing`, that of the numbers of
        updates after which uniform has overtaken: states, branching, crossing, crossing_low,
        crossing_high (95%, by resampling the tasks; infinite if not within the updates) and runs.

    Raises:
        ValueError: for fewer than 2 runs, or where `evaluations` does not divide the updates.
    """
    config.check()
    curves, crossings = [], []
    results = (runner or Runner()).run(trial, config)
    for problem, tables in zip(config.problems, results, strict=True):
        on_policy, uniform = (column(tables, name) for name in DISTRIBUTIONS)
        difference = uniform - on_policy
        updates = np.linspace(0, problem.updates, config.evaluations + 1).astype(np.int64)
        kind = {"states": problem.states, "branching": problem.branching}
        means = mean_columns(on_policy=on_policy, uniform=uniform, difference=difference)
        curves.append(make_table(**kind, updates=updates, **means, runs=config.runs))
        rng = np.random.default_rng(config.seed)
        point, low, high = crossing_interval(updates, difference, rng=rng)
        ends = {"crossing": point, "crossing_low": low, "crossing_high": high}
        crossings.append(make_table(**kind, **ends, runs=config.runs))
    return {config.name: stack(curves), f"{config.name}_crossing": stack(crossings)}


def trial(config: Figure88Config, states: int, branching: int, updates: int, number: int) -> Table:
    """Return the values of one task's greedy policy at each evaluation, of both distributions."""
    key = (states, branching, updates, number)
    seed = np.random.SeedSequence(config.seed, spawn_key=key)
    task = RandomTask.sample(states, branching, make_generator(seed, 0))
    return {
        name: learning_curve(
            task,
            on_policy=name == "on_policy",
            evaluations=config.evaluations,
            updates=updates // config.evaluations,
            epsilon=config.epsilon,
            rng=make_generator(seed, 1),
        )
        for name in DISTRIBUTIONS
    }


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: Figure88Config) -> Figure:
    """Plot the stored tables, in the book's axes: a panel for each number of states."""
    table, crossings = tables[config.name], tables[f"{config.name}_crossing"]
    sizes = np.unique(table["states"])
    figure, grid = panels(len(sizes), size=(7, 3.6 * len(sizes)))
    for axes, states in zip(grid[:, 0], sizes, strict=True):
        _draw_size(axes, rows_where(table, states=states), crossings)
    runs = int(table["runs"][0])
    figure.suptitle(f"Random tasks: mean of {runs} of each kind, 95% interval")
    return figure


def _draw_size(axes: Axes, table: Table, crossings: Table) -> None:
    states = int(table["states"][0])
    own = rows_where(crossings, states=states)
    for branching in np.unique(table["branching"]):
        curves = rows_where(table, branching=branching)
        colour = COLOURS.get(f"b = {branching}", PURPLE)
        for name, style in (("on_policy", "-"), ("uniform", "--")):
            label = f"b = {branching}, {DISTRIBUTIONS[name]}"
            draw_curve(axes, "updates", curves, name, color=colour, linestyle=style, label=label)
        point = float(rows_where(own, branching=branching)["crossing"][0])
        height = np.interp(point, curves["updates"], curves["on_policy_mean"])
        if np.isfinite(point):
            axes.plot(point, height, "o", color=colour, markeredgecolor=BLACK)
    axes.set(
        xlabel="Computation time, in expected updates",
        ylabel="Value of start state under greedy policy",
        xlim=(0, int(table["updates"].max())),
        title=f"|S| = {states:,} (circle: uniform overtakes)",
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(fontsize="small", ncols=2)


def summary(tables: Tables, config: Figure88Config) -> dict[str, Lines]:
    """Return for each kind of task the values during planning, and the crossing points."""
    table, crossings = tables[config.name], tables[f"{config.name}_crossing"]
    sections: dict[str, Lines] = {}
    last: Lines = [("|S|", "b", "n", "updates until uniform overtakes")]
    for row, (states, branching) in enumerate(
        zip(crossings["states"], crossings["branching"], strict=True)
    ):
        curves = rows_where(table, states=states, branching=branching)
        sections[f"Figure 8.8, |S| = {states:,}, b = {branching}"] = _value_lines(curves)
        ends = [float(crossings[f"crossing{end}"][row]) for end in ("", "_low", "_high")]
        text = "{:,.0f} [{:,.0f}, {:,.0f}]".format(*ends)
        if few_runs("crossing", int(crossings["runs"][row])):
            text += f" {FEW_RUNS_MARK}"
        last.append((f"{states:,}", str(branching), runs_text(crossings, row), text))
    return {**sections, "Figure 8.8, crossing points": last}


def _value_lines(curves: Table) -> Lines:
    lines: Lines = [("updates", "n", "on-policy", "uniform", "uniform less on-policy")]
    done = curves["updates"] / curves["updates"][-1]
    for fraction in FRACTIONS:
        row = int(np.abs(done - fraction).argmin())
        texts = (
            interval_text(curves, name, row) for name in ("on_policy", "uniform", "difference")
        )
        lines.append((f"{curves['updates'][row]:,}", runs_text(curves, row), *texts))
    return lines


if __name__ == "__main__":
    run_script(__file__)
