"""Example 8.4 of Sutton & Barto (2018): prioritised sweeping against Dyna-Q, in growing mazes.

Each cell of the Dyna maze becomes k x k cells; the start is one of its block, all cells of the
goal's block are goals. What is counted are updates of values until the greedy policy takes the
shortest way from the start, or one at most 1.2 times as long. Dyna-Q makes n + 1 of them in each
real step; prioritised sweeping at most n, and most of the time none.

That prioritised sweeping is done with planning does not help it to find what it has not seen: where
only the shortest way counts, some of its runs still take a longer one when they are given up. Their
values are exact for what they have seen; only chance actions tell them more.

Differences from the book:

1. The book counts n updates for each real step of both, and gives neither alpha nor the threshold.
   Alpha is 1 here, as it should be where the world is deterministic.
2. Runs are many, and their median and 90th percentile are shown, not a mean: the tail is heavy.
3. The policy is looked at whenever updates may have grown by a hundredth. A run that is not there
   after `most_steps` real steps counts as one that takes longer than any other.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import DynaQ, PrioritisedSweeping
from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled
from dynamaze.envs.mazes.presets import DYNA

from ..harness.compiled_runs import Life
from ..harness.statistics import Interval, quantile_interval
from ..harness.table import Table, rows_where, stack

METHODS = {"uniform": "Dyna-Q", "prioritised_sweeping": "prioritised sweeping"}
NEAR = 1.2
"""How many times the shortest way is near."""

LOOK_EVERY = 0.01
"""The policy is looked at when the updates may have grown by this share."""

COLOURS = {"uniform": "tab:red", "prioritised_sweeping": "tab:blue"}


@dataclass(frozen=True)
class Config:
    """Example 8.4 (section 8.4, p. 170): prioritised sweeping on mazes."""

    name: ClassVar[str] = "example_8_4"

    runs: int = 50
    """Runs of each method in each maze."""
    seed: int = 0
    """Settles every number."""
    sizes: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Cells along each side of what was one cell: 54 to 1350 cells."""
    planning_steps: int = 5
    """Most updates n after each real step."""
    learning_rate: float = 1.0
    """Step size alpha."""
    gamma: float = 0.95
    """Discount."""
    epsilon: float = 0.1
    """Probability of an action at random."""
    threshold: float = 1e-4
    """Errors up to it are not queued by prioritised sweeping."""
    most_steps: int = 1_000_000
    """Real steps after which a run is given up."""

    @property
    def total_runs(self) -> int:
        """Runs of all methods in all mazes together."""
        return self.runs * len(self.sizes) * len(METHODS)


def run(config: Config, on_run: Callable[[], None] | None = None) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: its numbers.
        on_run: called after each of the `config.total_runs` runs.

    Returns:
        One table, a row for each run: method, states (free cells), run, updates_near and
        updates_optimal (until the policy's way was at most `NEAR` times the shortest, and the
        shortest; infinite if that did not come about), real_steps.
    """
    rows = []
    for size in config.sizes:
        env = gym.make("DynaMaze-v0", layout=grown_maze(size), max_episode_steps=-1)
        for method in METHODS:
            learn = partial(until_optimal, config, env, method)
            seeds = np.random.SeedSequence([config.seed, size]).spawn(config.runs)
            first = learn(seeds[0])  # alone, it compiles the code that all share
            with ThreadPoolExecutor() as pool:
                found = [first, *pool.map(learn, seeds[1:])]
            world: Any = env.unwrapped
            rows.append(
                _table(method, int(world.layout.num_cells - world.layout.walls.sum()), found)
            )
            for _ in found:
                if on_run is not None:
                    on_run()
    return {config.name: stack(rows)}


def grown_maze(size: int) -> str:
    """The Dyna maze, each cell of which has become size x size cells."""
    lines = []
    for line in DYNA.split():
        for inner in range(size):
            lines.append("".join(_grown_cell(mark, size, inner) for mark in line))
    return "\n".join(lines)


def _grown_cell(mark: str, size: int, inner: int) -> str:
    if mark != "S":
        return mark * size
    return ("S" + "." * (size - 1)) if inner == 0 else "." * size


def until_optimal(
    config: Config, env: gym.Env[Any, Any], method: str, seed: np.random.SeedSequence
) -> tuple[float, float, int]:
    """One run: updates until the policy is near the optimum, until it is there, and real steps."""
    sweeping = PrioritisedSweeping(config.planning_steps, threshold=config.threshold)
    is_swept = method == "prioritised_sweeping"
    agent = DynaQ(
        env,
        learning_rate=config.learning_rate,
        gamma=config.gamma,
        epsilon=config.epsilon,
        planning_steps=config.planning_steps,
        planning=sweeping if is_swept else method,
        seed=seed,
    )
    life, world = Life(agent), env.unwrapped
    moves = world.world.dynamics.moves  # type: ignore[attr-defined]  # a maze's
    start = int(world.world.dynamics.starts[0])  # type: ignore[attr-defined]
    shortest = world.layout.shortest_path_length  # type: ignore[attr-defined]
    q: FloatArray = agent.values.q  # type: ignore[attr-defined]
    steps = int(life.live(0, 1).episode_steps[0])  # before a reward there is nothing to look at
    near = np.inf
    while True:
        updates = sweeping.num_updates if is_swept else steps * (config.planning_steps + 1)
        length = greedy_length(moves.next_state, moves.terminated, q, start, int(NEAR * shortest))
        near = min(near, updates if length > 0 else np.inf)
        optimal = length == shortest
        if optimal or steps >= config.most_steps:
            return near, updates if optimal else np.inf, steps
        piece = max(1, int(LOOK_EVERY * updates / (config.planning_steps + 1)), steps // 1000)
        life.live(piece, 0)
        steps += piece


@compiled
def greedy_length(next_state, terminated, q, start, most):
    """Steps of the greedy policy to an end, 0 if more than `most`; ties go to the first action."""
    state = start
    for step in range(most):
        best = 0
        for action in range(1, q.shape[1]):
            if q[state, action] > q[state, best]:
                best = action
        if terminated[state, best]:
            return step + 1
        state = next_state[state, best]
    return 0


def _table(method: str, states: int, found: list[tuple[float, float, int]]) -> Table:
    near, optimal, steps = (np.array(column) for column in zip(*found, strict=True))
    runs = len(found)
    return {
        "method": np.full(runs, method),
        "states": np.full(runs, states),
        "run": np.arange(runs),
        "updates_near": near,
        "updates_optimal": optimal,
        "real_steps": steps,
    }


# -- what came out -----------------------------------------------------------------------------


def counts(table: Table, method: str, states: int, until: str) -> FloatArray:
    """(runs,) updates of a method in a maze until its policy was "near" or "optimal"."""
    rows = rows_where(rows_where(table, "method", method), "states", states)
    return rows[f"updates_{until}"].astype(np.float64)


def ratio(table: Table, states: int, until: str, resamples: int = 2000) -> Interval:
    """Dyna-Q's median updates over those of prioritised sweeping; bootstrap interval of 95%."""
    rng = np.random.default_rng(0)
    own, medians = [], []
    for method in METHODS:
        found = counts(table, method, states, until)
        drawn = rng.choice(found, (resamples, found.size))
        own.append(_median(found[None])[0])
        medians.append(_median(drawn))
    low, high = np.quantile(medians[0] / medians[1], (0.025, 0.975))
    return Interval(own[0] / own[1], low, high)


def _median(samples: FloatArray) -> FloatArray:
    """The lower median of each row: it never averages a number and infinity."""
    median: FloatArray = np.quantile(samples, 0.5, axis=1, method="inverted_cdf")
    return median


def summary(tables: dict[str, Table], config: Config) -> dict[str, list[tuple[str, ...]]]:
    """For each goal a table: median, 90th percentile, and how many times fewer."""
    table = tables[config.name]
    return {
        f"Example 8.4, updates until {NEAR:g} times the shortest way": _lines(table, "near"),
        "Example 8.4, updates until the shortest way": _lines(table, "optimal"),
    }


def _lines(table: Table, until: str) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [
        ("cells", "method", "got there", "median", "90th percentile", "times fewer")
    ]
    for states in np.unique(table["states"]):
        for method, name in METHODS.items():
            found = counts(table, method, states, until)
            cells = [_text(quantile_interval(found, share)) for share in (0.5, 0.9)]
            fewer = "" if method == "uniform" else _text(ratio(table, states, until))
            there = f"{np.isfinite(found).sum()} of {found.size}"
            lines.append((str(states), name, there, *cells, fewer))
    return lines


def _text(interval: Interval) -> str:
    return f"{interval.mean:,.0f} [{interval.low:,.0f}, {interval.high:,.0f}]"


def caption(runs: int) -> str:
    """What the summary's numbers are."""
    return (
        f"quantiles of {runs} runs with 95% intervals by order statistics, infinite where too few "
        "runs tell; ratios of medians with bootstrap intervals"
    )


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """Updates against cells: every run, the median and the 90th percentile."""
    table = tables[config.name]
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, until in zip(panels, ("near", "optimal"), strict=True):
        _draw(axes, table, until)
    panels[0].set(ylabel="Updates", title=f"Until at most {NEAR:g} times the shortest way")
    panels[1].set(title="Until the shortest way")
    panels[0].legend(frameon=False)
    runs = len(np.unique(table["run"]))
    figure.suptitle(f"Example 8.4: {runs} runs, their median and (dashed) 90th percentile")
    return figure


def _draw(axes: Axes, table: Table, until: str) -> None:
    cells = np.unique(table["states"])
    for method, shift in zip(METHODS, (0.96, 1.04), strict=True):
        colour = COLOURS[method]
        for states in cells:
            found = counts(table, method, states, until)
            around = shift * np.exp(np.random.default_rng(0).normal(0, 0.02, found.size))
            axes.plot(states * around, found, ".", color=colour, alpha=0.2, markersize=3)
        for share, style in ((0.5, "-o"), (0.9, "--")):
            middle = [
                quantile_interval(counts(table, method, states, until), share).mean
                for states in cells
            ]
            label = METHODS[method] if share == 0.5 else None
            axes.plot(cells * shift, middle, style, color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="Cells of the maze")
    axes.set_xticks(cells, labels=[str(each) for each in cells])
    axes.minorticks_off()
