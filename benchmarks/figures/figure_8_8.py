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

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents.core.rng import make_generator
from dynamaze.benchmarks.figures.random_tasks import RandomTask, learning_curve
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import draw_curve, interval_text, mean_columns
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, RunCallback
from dynamaze.benchmarks.harness.plots import COLOURS, panels
from dynamaze.benchmarks.harness.table import Lines, Table, Tables, make_table, rows_where, stack
from dynamaze.benchmarks.harness.threads import in_threads
from dynamaze.common.arrays import FloatArray

DISTRIBUTIONS = {"on_policy": "on-policy", "uniform": "uniform"}
FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Fractions of the updates, after which the summary shows the values."""
RESAMPLES = 2000
"""Bootstrap samples of the tasks, for the interval of the crossing point."""


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

    runs: int = 500
    """Tasks of each kind."""
    epsilon: float = 0.1
    """Probability of a random action in the on-policy episodes."""
    evaluations: int = 100
    """Evaluations of the policy during planning; divides the numbers of updates."""
    problems: tuple[Problem, ...] = (
        Problem(1000, 1, 20_000),
        Problem(1000, 3, 20_000),
        Problem(1000, 10, 20_000),
        Problem(10_000, 1, 200_000),
    )
    """The kinds of tasks."""
    workers: int | None = None
    """Threads; one on each core by default."""

    @property
    def total_runs(self) -> int:
        """Tasks of all kinds together."""
        return self.runs * len(self.problems)


def run(config: Figure88Config, callback: RunCallback = None) -> Tables:
    """Plan in all tasks with both distributions.

    Args:
        config: the settings.
        callback: called after each task, in the calling thread.

    Returns:
        The table of the curves, with the columns states, branching, updates, and of uniform,
        on_policy and difference (uniform less on-policy, task by task) each ..._mean, ..._low and
        ..._high (a 95% interval), and runs. And, named `..._crossing`, that of the numbers of
        updates after which uniform has overtaken: states, branching, crossing, crossing_low,
        crossing_high (95%, by resampling the tasks; infinite if not within the updates) and runs.

    Raises:
        ValueError: where `evaluations` does not divide the updates.
    """
    curves, crossings = [], []
    for problem in config.problems:
        if problem.updates % config.evaluations:
            raise ValueError(
                f"evaluations={config.evaluations}; expected a divisor of {problem.updates}"
            )
        seeds = np.random.SeedSequence(config.seed, spawn_key=problem).spawn(config.runs)
        run_trial = partial(trial, config, problem)
        found = in_threads(run_trial, seeds, workers=config.workers, callback=callback)
        values = np.array(list(found))
        difference = values[:, 1] - values[:, 0]
        updates = np.linspace(0, problem.updates, config.evaluations + 1).astype(np.int64)
        kind = {"states": problem.states, "branching": problem.branching}
        means = mean_columns(on_policy=values[:, 0], uniform=values[:, 1], difference=difference)
        curves.append(make_table(**kind, updates=updates, **means, runs=config.runs))
        crossing = crossing_interval(updates, difference, config.seed)
        crossings.append(make_table(**kind, **crossing, runs=config.runs))
    return {config.name: stack(curves), f"{config.name}_crossing": stack(crossings)}


def trial(config: Figure88Config, problem: Problem, seed: np.random.SeedSequence) -> FloatArray:
    """Return (2, evaluations + 1) values of one task's greedy policy: on-policy and uniform."""
    task = RandomTask.sample(problem.states, problem.branching, make_generator(seed, 0))
    return np.array(
        [
            learning_curve(
                task,
                on_policy=on_policy,
                evaluations=config.evaluations,
                updates=problem.updates // config.evaluations,
                epsilon=config.epsilon,
                rng=make_generator(seed, 1),
            )
            for on_policy in (True, False)
        ]
    )


# -- crossing point: uniform overtakes ---------------------------------------------------------


def crossing(updates: npt.ArrayLike, difference: npt.ArrayLike) -> float:
    """Return the updates at which a difference returns to 0 after its minimum; infinite if never.

    Args:
        updates: (points,) numbers of updates.
        difference: (points,) uniform less on-policy.
    """
    updates, difference = np.asarray(updates, dtype=float), np.asarray(difference, dtype=float)
    lowest = int(difference.argmin())
    after = np.flatnonzero(difference[lowest:] >= 0)
    if not after.size:
        return np.inf
    row = lowest + int(after[0])
    if row == 0:  # on-policy was never ahead
        return float(updates[0])
    below, above = difference[row - 1], difference[row]
    # Linear interpolation between two evaluations.
    fraction = 1.0 if above == below else -below / (above - below)
    return float(updates[row - 1] + fraction * (updates[row] - updates[row - 1]))


def crossing_interval(
    updates: npt.ArrayLike, difference: FloatArray, seed: int
) -> dict[str, float]:
    """Return the crossing point of the mean over tasks, and its 95% bootstrap interval.

    Args:
        updates: (points,) numbers of updates.
        difference: (tasks, points) uniform less on-policy.
        seed: of the resampling.
    """
    tasks = len(difference)
    rng = np.random.default_rng(seed)
    # A bootstrap sample of the tasks is a vector of counts, and its mean a matrix product.
    counts = rng.multinomial(tasks, np.full(tasks, 1 / tasks), size=RESAMPLES)
    means = counts @ difference / tasks
    low, high = np.quantile(
        [crossing(updates, mean) for mean in means], (0.025, 0.975), method="nearest"
    )
    return {
        "crossing": crossing(updates, difference.mean(axis=0)),
        "crossing_low": float(low),
        "crossing_high": float(high),
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
        colour = COLOURS.get(f"b = {branching}", "tab:purple")
        for name, style in (("on_policy", "-"), ("uniform", "--")):
            label = f"b = {branching}, {DISTRIBUTIONS[name]}"
            draw_curve(axes, "updates", curves, name, color=colour, linestyle=style, label=label)
        point = float(rows_where(own, branching=branching)["crossing"][0])
        height = np.interp(point, curves["updates"], curves["on_policy_mean"])
        if np.isfinite(point):
            axes.plot(point, height, "o", color=colour, markeredgecolor="black")
    axes.set(
        xlabel="Computation time, in expected updates",
        ylabel="Value of start state under greedy policy",
        xlim=(0, int(table["updates"].max())),
        title=f"|S| = {states:,} (circle: uniform overtakes)",
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=8, ncols=2)


def summary(tables: Tables, config: Figure88Config) -> dict[str, Lines]:
    """Return for each kind of task the values during planning, and the crossing points."""
    table, crossings = tables[config.name], tables[f"{config.name}_crossing"]
    sections: dict[str, Lines] = {}
    last: Lines = [("|S|", "b", "updates until uniform overtakes")]
    for row, (states, branching) in enumerate(
        zip(crossings["states"], crossings["branching"], strict=True)
    ):
        curves = rows_where(table, states=states, branching=branching)
        sections[f"Figure 8.8, |S| = {states:,}, b = {branching}"] = _value_lines(curves)
        ends = [float(crossings[f"crossing{end}"][row]) for end in ("", "_low", "_high")]
        last.append((f"{states:,}", str(branching), "{:,.0f} [{:,.0f}, {:,.0f}]".format(*ends)))
    return {**sections, "Figure 8.8, crossing points": last}


def _value_lines(curves: Table) -> Lines:
    lines: Lines = [("updates", "on-policy", "uniform", "uniform less on-policy")]
    done = curves["updates"] / curves["updates"][-1]
    for fraction in FRACTIONS:
        row = int(np.abs(done - fraction).argmin())
        texts = (
            interval_text(curves, name, row) for name in ("on_policy", "uniform", "difference")
        )
        lines.append((f"{curves['updates'][row]:,}", *texts))
    return lines


if __name__ == "__main__":
    run_script(__file__)
