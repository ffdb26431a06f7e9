"""Figure 8.8 of Sutton & Barto (2018): where expected updates should go.

Uniform updates sweep over all pairs in their order and in place; on-policy updates go where
epsilon-greedy episodes from the start state go. The quality of the plan is the value of the start
state under the greedy policy.

Differences from the book:

1. 500 tasks of each kind instead of 200, the same for both distributions, with 95% intervals, and
   an interval of their difference task by task.
2. The values of the greedy policies are exact to 1e-9 (`random_tasks.greedy_value`).
3. Of two actions with equal values epsilon-greedy episodes take one at random. The greedy policy
   that is judged takes the first; only actions that were never updated are equal, and nothing tells
   these apart, so that its mean value is that of a choice at random.
4. For |S| = 10,000 and b = 1 the book calls the advantage of on-policy updates large and
   long-lasting. It is large, but uniform has overtaken after about 65,000 of the 200,000 updates;
   after about 2,800 for |S| = 1000. What may be behind it: the Lisp program that is in circulation
   for this experiment has the setting of the book, but discounts what follows by a further 0.9, and
   its measure of a policy is a single backup of the action values, which lag behind the policy. In
   a replica of it (200 tasks, not part of this module) uniform overtook after 14,800 updates for
   |S| = 1000 and not within 200,000 for |S| = 10,000. It gave 3.6 for 20,000 uniform updates with
   |S| = 1000, where the greedy policy is worth 7.9 without that discount.

Known reproductions go wrong by giving no reward where an episode ends, and by the noise of judging
a policy by episodes. Here a transition to the end has its own reward, as any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents.core.rng import make_generator
from dynamaze.common.arrays import FloatArray

from ..harness.curves import columns_of, draw_curve, interval_text
from ..harness.statistics import mean_interval
from ..harness.table import Table, rows_where, stack
from .random_tasks import Task, learning_curve

DISTRIBUTIONS = {"on_policy": "on-policy", "uniform": "uniform"}
COLOURS = {1: "tab:blue", 3: "tab:orange", 10: "tab:green"}
SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of the updates, after which the summary looks."""
RESAMPLES = 2000
"""Of the tasks, for the interval of the crossing point."""


class Problem(NamedTuple):
    """A kind of task, and for how long it is planned."""

    states: int
    branching: int
    updates: int


@dataclass(frozen=True)
class Config:
    """Figure 8.8 (section 8.6, p. 176): the distribution of updates."""

    name: ClassVar[str] = "figure_8_8"

    runs: int = 500
    """Tasks of each kind."""
    seed: int = 0
    """Settles every number."""
    epsilon: float = 0.1
    """Probability of an action at random in the on-policy episodes."""
    moments: int = 100
    """How often policies are evaluated while planning goes on; divides the numbers of updates."""
    problems: tuple[Problem, ...] = (
        Problem(1000, 1, 20_000),
        Problem(1000, 3, 20_000),
        Problem(1000, 10, 20_000),
        Problem(10_000, 1, 200_000),
    )
    """The kinds of tasks."""

    @property
    def total_runs(self) -> int:
        """Tasks of all kinds together."""
        return self.runs * len(self.problems)


def run(
    config: Config, on_run: Callable[[], None] | None = None, *, workers: int | None = None
) -> dict[str, Table]:
    """Plan in all tasks.

    Args:
        config: its numbers.
        on_run: called after each task, in the calling thread.
        workers: threads, which change no number; None for one on each core.

    Returns:
        The table of the curves, with the columns states, branching, updates, and of uniform,
        on_policy and difference (uniform less on-policy, task by task) each ..._mean, ..._low and
        ..._high (a 95% interval), and runs. And, named `..._crossing`, that of the numbers of
        updates after which uniform has overtaken: states, branching, crossing, crossing_low,
        crossing_high (95%, by resampling the tasks; infinite for later than it was planned) and
        runs.

    Raises:
        ValueError: where `moments` does not divide the updates.
    """
    curves, crossings = [], []
    for problem in config.problems:
        if problem.updates % config.moments:
            raise ValueError(f"moments={config.moments}; expected a divisor of {problem.updates}")
        values = np.array(list(_tasks(config, problem, on_run, workers)))
        difference = values[:, 1] - values[:, 0]
        looks = np.linspace(0, problem.updates, config.moments + 1).astype(np.int64)
        kind = {"states": problem.states, "branching": problem.branching}
        curves.append(
            {
                **{name: np.full(looks.size, number) for name, number in kind.items()},
                "updates": looks,
                **columns_of("on_policy", mean_interval(values[:, 0])),
                **columns_of("uniform", mean_interval(values[:, 1])),
                **columns_of("difference", mean_interval(difference)),
                "runs": np.full(looks.size, config.runs),
            }
        )
        crossing = crossing_interval(looks, difference, config.seed)
        crossings.append(
            {
                **{name: np.array([number]) for name, number in kind.items()},
                **{name: np.array([number]) for name, number in crossing.items()},
                "runs": np.array([config.runs]),
            }
        )
    return {config.name: stack(curves), f"{config.name}_crossing": stack(crossings)}


def _tasks(
    config: Config, problem: Problem, on_run: Callable[[], None] | None, workers: int | None
) -> Iterator[FloatArray]:
    """The curves of each task, in its order: (2, moments + 1) on-policy and uniform."""
    seeds = np.random.SeedSequence(config.seed, spawn_key=problem).spawn(config.runs)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            for curves in pool.map(lambda seed: one_task(config, problem, seed), seeds):
                yield curves
                if on_run is not None:
                    on_run()
        except BaseException:  # Ctrl-C above all: what has not begun need not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def one_task(config: Config, problem: Problem, seed: np.random.SeedSequence) -> FloatArray:
    """(2, moments + 1) values of the greedy policy in one task: on-policy and uniform."""
    task = Task.draw(problem.states, problem.branching, make_generator(seed, 0))
    return np.array(
        [
            learning_curve(
                task,
                on_policy=on_policy,
                moments=config.moments,
                updates=problem.updates // config.moments,
                epsilon=config.epsilon,
                rng=make_generator(seed, 1),
            )
            for on_policy in (True, False)
        ]
    )


# -- where uniform overtakes -------------------------------------------------------------------


def crossing(looks: npt.ArrayLike, difference: npt.ArrayLike) -> float:
    """When a difference is back at 0 after its lowest point; infinite if never.

    Between two looks the difference is taken to be linear.

    Args:
        looks: (moments,) numbers of updates.
        difference: (moments,) uniform less on-policy.
    """
    looks, difference = np.asarray(looks, dtype=float), np.asarray(difference, dtype=float)
    lowest = int(difference.argmin())
    after = np.flatnonzero(difference[lowest:] >= 0)
    if not after.size:
        return np.inf
    row = lowest + int(after[0])
    if row == 0:  # on-policy was never ahead
        return float(looks[0])
    below, above = difference[row - 1], difference[row]
    share = 1.0 if above == below else -below / (above - below)
    return float(looks[row - 1] + share * (looks[row] - looks[row - 1]))


def crossing_interval(looks: npt.ArrayLike, difference: FloatArray, seed: int) -> dict[str, float]:
    """The crossing point of the mean over tasks, and its 95% interval by resampling tasks.

    Args:
        looks: (moments,) numbers of updates.
        difference: (tasks, moments) uniform less on-policy.
        seed: of the resampling.
    """
    tasks = len(difference)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(tasks, np.full(tasks, 1 / tasks), size=RESAMPLES)
    means = counts @ difference / tasks
    low, high = np.quantile(
        [crossing(looks, mean) for mean in means], (0.025, 0.975), method="nearest"
    )
    return {
        "crossing": crossing(looks, difference.mean(axis=0)),
        "crossing_low": float(low),
        "crossing_high": float(high),
    }


# -- picture and summary -----------------------------------------------------------------------


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """The picture, in the book's axes, from the stored tables: a panel for each size."""
    table, crossings = tables[config.name], tables[f"{config.name}_crossing"]
    sizes = np.unique(table["states"])
    figure = Figure(figsize=(7, 3.6 * len(sizes)), layout="constrained")
    panels: Any = figure.subplots(len(sizes), 1, squeeze=False)
    for axes, states in zip(panels[:, 0], sizes, strict=True):
        _draw_size(axes, rows_where(table, "states", states), crossings)
    runs = int(table["runs"][0])
    figure.suptitle(f"Random tasks: mean of {runs} of each kind, 95% interval")
    return figure


def _draw_size(axes: Axes, table: Table, crossings: Table) -> None:
    states = int(table["states"][0])
    for branching in np.unique(table["branching"]):
        curves = rows_where(table, "branching", branching)
        colour = COLOURS.get(int(branching), "tab:purple")
        for name, style in (("on_policy", "-"), ("uniform", "--")):
            label = f"b = {branching}, {DISTRIBUTIONS[name]}"
            draw_curve(axes, "updates", curves, name, color=colour, linestyle=style, label=label)
        point = float(rows_where(_of(crossings, states), "branching", branching)["crossing"][0])
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


def summary(tables: dict[str, Table], config: Config) -> dict[str, list[tuple[str, ...]]]:
    """For each kind of task the values at some moments; and when uniform overtakes."""
    table, crossings = tables[config.name], tables[f"{config.name}_crossing"]
    sections: dict[str, list[tuple[str, ...]]] = {}
    last: list[tuple[str, ...]] = [("|S|", "b", "updates until uniform overtakes")]
    for row, (states, branching) in enumerate(
        zip(crossings["states"], crossings["branching"], strict=True)
    ):
        curves = rows_where(_of(table, states), "branching", branching)
        sections[f"Figure 8.8, |S| = {states:,}, b = {branching}"] = _moments(curves)
        ends = [float(crossings[f"crossing{end}"][row]) for end in ("", "_low", "_high")]
        last.append((f"{states:,}", str(branching), "{:,.0f} [{:,.0f}, {:,.0f}]".format(*ends)))
    return {**sections, "Figure 8.8, crossing points": last}


def _moments(curves: Table) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("updates", "on-policy", "uniform", "uniform less on-policy")]
    done = curves["updates"] / curves["updates"][-1]
    for share in SHARES:
        row = int(np.abs(done - share).argmin())
        texts = (
            interval_text(curves, what, row) for what in ("on_policy", "uniform", "difference")
        )
        lines.append((f"{curves['updates'][row]:,}", *texts))
    return lines


def _of(table: Table, states: int) -> Table:
    return rows_where(table, "states", states)
