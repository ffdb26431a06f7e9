"""Example 8.4 of Sutton & Barto (2018): prioritised sweeping against Dyna-Q, in growing mazes.

Each cell of the Dyna maze becomes k x k cells; the start is one of its block, all cells of the
goal's block are goals. The measure is the number of value updates until the greedy policy takes a
shortest path from the start, or one at most 1.2 times as long. Dyna-Q makes n + 1 updates in each
real step; prioritised sweeping at most n, and mostly none.

Converged planning does not replace exploration: some runs of prioritised sweeping still take a
longer path when they are stopped. Their values are exact for the transitions seen so far, and only
random actions bring new ones.

Differences from the book:

1. The book counts n updates for each real step of both, and gives neither alpha nor the threshold.
   Alpha is 1 here, which is right in a deterministic environment.
2. Runs are many, and their median and 90th percentile are shown, not a mean: the tail is heavy.
3. The policy is evaluated whenever updates may have grown by a hundredth. A run without such a
   path after `max_steps` real steps counts as infinitely long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from dynamaze.agents import DynaQ, PrioritisedSweeping
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import CompiledRun, shared_env
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_MARK,
    FEW_RUNS_NOTE,
    IntervalEstimate,
    few_runs,
    quantile_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import METHODS, number_ticks, panels
from dynamaze.benchmarks.harness.analysis.resampling import median_ratio
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    from_rows,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import AgentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled
from dynamaze.common.options import PlanningSteps, Positive, Range, Runs, Steps
from dynamaze.envs.mazes.schedule import DYNA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PLANNERS = ("uniform", "prioritised_sweeping")
NEAR = 1.2
"""A path is near-optimal up to this multiple of the shortest length."""

EVALUATE_EVERY = 0.01
"""The policy is evaluated when the updates may have grown by this fraction."""


@dataclass(frozen=True)
class Example84Config(AgentConfig):
    """Example 8.4 (section 8.4, p. 170): prioritised sweeping on mazes."""

    name: ClassVar[str] = "example_8_4"
    title: ClassVar[str] = "Example 8.4"
    seconds_per_run: ClassVar[float] = 0.05
    swept: ClassVar[tuple[str, ...]] = ("sizes",)

    runs: Runs = 50
    """Runs of each method in each maze."""
    sizes: tuple[Annotated[int, Range(1, limit=100)], ...] = (1, 2, 3, 4, 5)
    """Factors k by which each cell is enlarged: 54 to 1350 cells."""
    planning_steps: PlanningSteps = 5
    """Largest number n of updates after each real step."""
    threshold: Positive = 1e-4
    """Pairs with errors up to it are not queued by prioritised sweeping."""
    max_steps: Steps = 1_000_000
    """Real steps after which a run is stopped."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Both methods in each maze."""
        return [
            Setting((size, method), self.runs, f"{METHODS[method].label}, k = {size}")
            for size in self.sizes
            for method in PLANNERS
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            f"quantiles of {self.runs} runs with 95% intervals by order statistics, infinite where "
            "the runs are too few; ratios of medians with bootstrap intervals"
            + (f"; {FEW_RUNS_NOTE}" if few_runs("bootstrap", self.runs) else "")
        )


def run(config: Example84Config, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table, a row for each run: method, states (free cells), run, updates_near and
        updates_optimal (until the policy's path was at most `NEAR` times the shortest, and the
        shortest; infinite if it never was), real_steps.
    """
    rows = []
    results = (runner or Runner()).run(trial, config)
    for setting, tables in zip(config.settings, results, strict=True):
        size, method = setting.arguments
        layout = maze_env(size).unwrapped.layout
        states = int(layout.num_cells - layout.walls.sum())
        labels = {"method": method, "states": states, "run": np.arange(config.runs)}
        rows.append(make_table(**labels, **stack(tables)))
    return {config.name: stack(rows)}


def trial(config: Example84Config, size: int, method: str, number: int) -> Table:
    """Return the updates of a run until a near-optimal and an optimal path, and its real steps."""
    seed = np.random.SeedSequence([config.seed, size], spawn_key=(number,))
    near, optimal, steps = updates_until_optimal(config, maze_env(size), method, seed)
    return from_rows([{"updates_near": near, "updates_optimal": optimal, "real_steps": steps}])


def maze_env(size: int) -> Any:
    """Return the enlarged maze, without a time limit."""
    return shared_env("DynaMaze-v0", layout=enlarged_maze(size), max_episode_steps=-1)


def enlarged_maze(size: int) -> str:
    """Return the Dyna maze with each cell enlarged to size x size cells."""
    lines = []
    for line in DYNA.split():
        for inner in range(size):
            lines.append("".join(_enlarged_cell(mark, size, inner) for mark in line))
    return "\n".join(lines)


def _enlarged_cell(mark: str, size: int, inner: int) -> str:
    if mark != "S":
        return mark * size
    return ("S" + "." * (size - 1)) if inner == 0 else "." * size


def updates_until_optimal(
    config: Example84Config, env: Any, method: str, seed: np.random.SeedSequence
) -> tuple[float, float, int]:
    """Return the updates of a run until a near-optimal and an optimal path, and its real steps."""
    sweeping = PrioritisedSweeping(config.planning_steps, threshold=config.threshold)
    is_swept = method == "prioritised_sweeping"
    agent = DynaQ(
        env,
        planning_steps=config.planning_steps,
        planning=sweeping if is_swept else method,
        seed=seed,
        **config.learning,
    )
    compiled_run, maze = CompiledRun(agent), env.unwrapped
    moves = maze.maze.dynamics.moves
    start = int(maze.maze.dynamics.starts[0])
    shortest = maze.layout.shortest_path_length
    q: FloatArray = agent.values.q  # type: ignore[attr-defined]
    # All values are 0 before the first reward, so the first evaluation is after an episode.
    steps = int(compiled_run.advance(0, 1).episode_steps[0])
    near = np.inf
    while True:
        updates = sweeping.num_updates if is_swept else steps * (config.planning_steps + 1)
        length = greedy_path_length(
            moves.next_state, moves.terminated, q, start, int(NEAR * shortest)
        )
        near = min(near, updates if length > 0 else np.inf)
        optimal = length == shortest
        if optimal or steps >= config.max_steps:
            return near, updates if optimal else np.inf, steps
        piece = max(1, int(EVALUATE_EVERY * updates / (config.planning_steps + 1)), steps // 1000)
        compiled_run.advance(piece, 0)
        steps += piece


@compiled
def greedy_path_length(next_state, terminated, q, start, limit):
    """Return the steps of the greedy policy to a goal, 0 if more than `limit`.

    Ties go to the first action.
    """
    state = start
    for step in range(limit):
        best = 0
        for action in range(1, q.shape[1]):
            if q[state, action] > q[state, best]:
                best = action
        if terminated[state, best]:
            return step + 1
        state = next_state[state, best]
    return 0


# -- summary -----------------------------------------------------------------------------------


def counts(table: Table, method: str, states: int, until: str) -> FloatArray:
    """Return (runs,) updates of a method in a maze until its policy was "near" or "optimal"."""
    rows = rows_where(table, method=method, states=states)
    return rows[f"updates_{until}"].astype(np.float64)


def ratio_of_medians(table: Table, states: int, until: str) -> IntervalEstimate:
    """Return the ratio of median updates, Dyna-Q to prioritised sweeping; 95% by bootstrap."""
    found = (counts(table, method, states, until) for method in PLANNERS)
    return median_ratio(*found, rng=np.random.default_rng(0))


def summary(tables: Tables, config: Example84Config) -> dict[str, Lines]:
    """Return for near-optimal and optimal paths: median, 90th percentile, ratio of medians."""
    table = tables[config.name]
    return {
        f"Example 8.4, updates until {NEAR:g} times the shortest path": _lines(table, "near"),
        "Example 8.4, updates until the shortest path": _lines(table, "optimal"),
    }


def _lines(table: Table, until: str) -> Lines:
    lines: Lines = [
        ("cells", "method", "n", "reached", "median", "90th percentile", "ratio of medians")
    ]
    for states in np.unique(table["states"]):
        for method in PLANNERS:
            found = counts(table, method, states, until)
            cells = [_text(quantile_interval(found, quantile)) for quantile in (0.5, 0.9)]
            fewer = ""
            if method != "uniform":
                few = few_runs("bootstrap", found.size)
                fewer = _text(ratio_of_medians(table, states, until), few)
            reached, label = str(np.isfinite(found).sum()), METHODS[method].label
            lines.append((str(states), label, str(found.size), reached, *cells, fewer))
    return lines


def _text(interval: IntervalEstimate, few: bool = False) -> str:
    text = f"{interval.mean:,.0f} [{interval.low:,.0f}, {interval.high:,.0f}]"
    return f"{text} {FEW_RUNS_MARK}" if few else text


def plot(tables: Tables, config: Example84Config) -> Figure:
    """Plot updates against cells: every run, the median and the 90th percentile."""
    table = tables[config.name]
    figure, ((left, right),) = panels(1, 2, size=(10, 4.6), sharey=True)
    _draw(left, table, "near")
    _draw(right, table, "optimal")
    left.set(ylabel="Updates", title=f"Until at most {NEAR:g} times the shortest path")
    right.set(title="Until the shortest path")
    left.legend()
    runs = len(np.unique(table["run"]))
    figure.suptitle(f"Example 8.4: {runs} runs, their median and (dashed) 90th percentile")
    return figure


def _draw(axes: Axes, table: Table, until: str) -> None:
    cells = np.unique(table["states"])
    for method, shift in zip(PLANNERS, (0.96, 1.04), strict=True):
        name, colour, _ = METHODS[method]
        for states in cells:
            found = counts(table, method, states, until)
            jitter = shift * np.exp(np.random.default_rng(0).normal(0, 0.02, found.size))
            axes.plot(states * jitter, found, ".", color=colour, alpha=0.2, markersize=3)
        for quantile, style in ((0.5, "-o"), (0.9, "--")):
            heights = [
                quantile_interval(counts(table, method, states, until), quantile).mean
                for states in cells
            ]
            label = name if quantile == 0.5 else None
            axes.plot(cells * shift, heights, style, color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="Cells of the maze")
    number_ticks(axes, cells)


if __name__ == "__main__":
    run_script(__file__)
