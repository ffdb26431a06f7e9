"""Models that detect their own errors, in the mazes of figures 8.4 and 8.5.

A scored model (`ScoredModel`) estimates the probability that a pair has changed since its last
visit, and planning adds a bonus for this uncertainty (`UncertaintyBonus`); where its predictions
fail it lowers its planning weight. It is compared with plain Dyna-Q and Dyna-Q+, each with a model
that forgets at once (the latest outcome) and with one that forgets slowly (maximum likelihood,
whose counts of a thousand steps keep predicting a path that is blocked now).

Two ablations:

1. `Scored` has no bonus: where the model is slow, confidence alone prevents planning with outdated
   predictions. Nothing makes the agent explore.
2. `Uncertainty` has no scores but a fixed rate of change: uncertainty grows with time alone.

In the shortcut maze no prediction fails, because the agent never visits the cell that opens: there
only uncertainty that grows with time can help. All methods have the same settings in both mazes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import (
    TABLE_MODELS,
    Agent,
    DynaQ,
    DynaQPlus,
    ScoredModel,
    UncertaintyBonus,
)
from dynamaze.agents.core.rng import Seed
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one
from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_NOTE,
    IntervalEstimate,
    mean_interval,
)
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, EVENT, panels
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_text, median_text
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
from dynamaze.benchmarks.harness.experiment import AgentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column, run_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Fraction, NonNegative, Positive, Runs
from dynamaze.common.validation import checked_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


METHODS = ("Dyna-Q", "Dyna-Q+", "Scored", "Uncertainty", "Scored + uncertainty")
LATE_STEPS = 500
"""Steps before the change in which the converged agents' reward is measured."""
FIXED_RATE_STRENGTH = 1e12
"""Prior strength in steps; no prediction error changes a rate of change with so strong a prior."""


class MazeSetting(NamedTuple):
    """A maze, the steps of a run, and the planning steps."""

    env: str
    steps: int
    planning_steps: int


MAZES = {
    "blocking": MazeSetting("DynaMazeBlocking-v0", 3000, 10),
    "shortcut": MazeSetting("DynaMazeShortcut-v0", 6000, 50),
}


@dataclass(frozen=True)
class ModelConfidenceConfig(AgentConfig):
    """Models that detect their own errors, in mazes that change once."""

    name: ClassVar[str] = "model_confidence"
    title: ClassVar[str] = "Uncertainty and confidence"
    swept: ClassVar[tuple[str, ...]] = ("models",)

    runs: Runs = 200
    """Runs of each method in each maze."""
    kappa: NonNegative = 1e-3
    """Weight of Dyna-Q+'s bonus."""
    weight: NonNegative = 0.04
    """Weight of the uncertainty bonus; with 1 - gamma or more the agent only explores."""
    change_rate: Fraction = 1e-3
    """Prior rate of changes of the environment per step."""
    prior_strength: Positive = 3000
    """Strength of this prior, in steps of experience."""
    models: tuple[str, ...] = ("latest_outcome", "maximum_likelihood")
    """The wrapped models."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Mazes, models and methods."""
        return [
            Setting((maze, model, method), self.runs, f"{method}, {model}, {maze}", MAZES[maze].env)
            for maze in MAZES
            for model in self.models
            for method in METHODS
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "n runs; mean rewards with Student's 95% interval; median steps to 5 goals, which are "
            "all remaining steps where there were fewer goals, with that by order statistics; "
            f"{FEW_RUNS_NOTE}"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, or an unknown model.
        """
        super().check()
        for model in self.models:
            checked_choice("models", model, sorted(TABLE_MODELS))


def make_agent(
    config: ModelConfidenceConfig, maze: MazeSetting, method: str, model: str, seed: Seed
) -> Agent:
    """Return an agent of a method."""
    env = make_env(maze.env)
    common = {**config.learning, "planning_steps": maze.planning_steps, "seed": seed}
    if method == "Dyna-Q":
        return DynaQ(env, model=model, **common)
    if method == "Dyna-Q+":
        return DynaQPlus(env, model=model, kappa=config.kappa, **common)
    return _scored_agent(env, config, method, model, common)


@cache
def make_env(name: str) -> gym.Env[Any, Any]:
    """Return a maze, which compiled runs only read."""
    return gym.make(name)


def _scored_agent(
    env: Any, config: ModelConfidenceConfig, method: str, model: str, common: dict[str, Any]
) -> DynaQ:
    size = int(env.observation_space.n), int(env.action_space.n)
    has_bonus = method != "Scored"
    inside = TABLE_MODELS[model](*size, include_untried=has_bonus)
    scores: dict[str, Any] = {
        "change_rate": config.change_rate,
        "prior_strength": config.prior_strength,
    }
    if method == "Uncertainty":  # step sizes of nearly 0: no prediction error changes the scores
        scores = {
            **scores,
            "prior_strength": FIXED_RATE_STRENGTH,
            "rate": 1e-12,
            "pair_rate": 1e-12,
        }
    learned: Any = ScoredModel(inside, **scores)
    if has_bonus:
        learned = UncertaintyBonus(learned, weight=config.weight)
    return DynaQ(env, model=learned, **common)


def run(config: ModelConfidenceConfig, runner: Runner | None = None) -> Tables:
    """Run all methods with all models in both mazes.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        `model_confidence`, the learning curves, with the columns maze, model, method, step (every
        tenth), reward_mean, reward_low, reward_high (cumulative reward; a 95% interval of the mean)
        and runs; `model_confidence_runs`, the single runs, with the columns maze, model, method,
        run, reward_before and reward_after (the change), reward_late (in the last 500 steps before
        it, which shows the cost of exploration to an agent that has learned the maze) and
        steps_to_five (real steps from the change to the fifth goal after it; all remaining steps if
        there were fewer goals).

    Raises:
        ValueError: for fewer than 2 runs, or an unknown model.
    """
    config.check()
    results = (runner or Runner()).run(trial, config)
    curves, ends = [], []
    for setting, own in zip(config.settings, results, strict=True):
        rewards = column(own, "reward").astype(np.float64)
        labels: dict[str, Any] = dict(
            zip(("maze", "model", "method"), setting.arguments, strict=True)
        )
        curves.append(reward_curve(rewards, **labels))
        ends.append(make_table(**labels, **run_columns(rewards, _change(MAZES[labels["maze"]]))))
    return {"model_confidence": stack(curves), "model_confidence_runs": stack(ends)}


def trial(
    config: ModelConfidenceConfig, maze_name: str, model: str, method: str, number: int
) -> Table:
    """Run a method once: the reward of each step."""
    maze = MAZES[maze_name]
    agent = make_agent(config, maze, method, model, run_seed(config.seed, number))
    # Rewards are 0 and 1, which need no more bits.
    return {"reward": run_one(agent, maze.steps, 0).rewards.astype(np.float32)}


def _change(maze: MazeSetting) -> int:
    unwrapped: Any = make_env(maze.env).unwrapped
    return int(unwrapped.schedule.steps[1])


def run_columns(rewards: FloatArray, change: int) -> Table:
    """Return the columns of the single runs (see `run`).

    Args:
        rewards: (runs, steps).
        change: the step of the change.
    """
    before, after = np.split(rewards, [change], axis=1)
    reached = after.cumsum(axis=1) >= 5
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, after.shape[1])
    return {
        "run": np.arange(len(after)),
        "reward_before": before.sum(axis=1),
        "reward_late": before[:, -LATE_STEPS:].sum(axis=1),
        "reward_after": after.sum(axis=1),
        "steps_to_five": first,
    }


def paired_gain(ends: Table, maze: str, model: str, method: str, column: str) -> IntervalEstimate:
    """Return the paired difference from plain Dyna-Q with the same model, with a 95% interval."""
    return mean_interval(paired_gains(ends, maze, model, method, column))


def paired_gains(ends: Table, maze: str, model: str, method: str, column: str) -> FloatArray:
    """Return (runs,) the paired differences from plain Dyna-Q with the same model."""
    rows = rows_where(ends, maze=maze, model=model)
    mine, plain = (rows_where(rows, method=each)[column] for each in (method, "Dyna-Q"))
    gains: FloatArray = mine - plain
    return gains


def summary(tables: Tables, config: ModelConfidenceConfig) -> dict[str, Lines]:
    """Return sections by maze and model: a line for each method, with its gain over Dyna-Q."""
    ends = tables["model_confidence_runs"]
    sections: dict[str, Lines] = {}
    for maze in MAZES:
        for model in distinct(ends, "model"):
            lines: Lines = [
                (
                    "method",
                    "n",
                    "before",
                    f"last {LATE_STEPS}",
                    "after",
                    "paired gain",
                    "steps to 5 goals",
                )
            ]
            rows = rows_where(ends, maze=maze, model=model)
            for method in METHODS:
                mine = rows_where(rows, method=method)
                before, late, after = (
                    mean_text(mine[column], kind="time")
                    for column in ("reward_before", "reward_late", "reward_after")
                )
                more = (
                    "-"
                    if method == "Dyna-Q"
                    else mean_text(
                        paired_gains(ends, maze, model, method, "reward_after"), kind="time"
                    )
                )
                runs, steps = str(mine["run"].size), median_text(mine["steps_to_five"])
                lines.append((method, runs, before, late, after, more, steps))
            sections[f"{maze} maze, {model.replace('_', ' ')}"] = lines
    return sections


def plot(tables: Tables, config: ModelConfidenceConfig) -> Figure:
    """Return the learning curves: a row for each model, a column for each maze."""
    models = distinct(tables["model_confidence"], "model")
    figure, grid = panels(len(models), len(MAZES), size=(10, 3.6 * len(models)))
    for row, model in zip(grid, models, strict=True):
        for axes, (name, maze) in zip(row, MAZES.items(), strict=True):
            table = rows_where(tables["model_confidence"], maze=name, model=model)
            _draw(axes, table, _change(maze))
            axes.set_title(f"{name} maze, {model.replace('_', ' ')}")
    grid[0, 0].legend()
    runs = count_text(tables["model_confidence"]["runs"])
    figure.suptitle(f"{config.title}: mean, {runs}, 95% interval")
    return figure


def _draw(axes: Axes, table: Table, change: int) -> None:
    for method in METHODS:
        curve = rows_where(table, method=method)
        draw_curve(axes, "step", curve, "reward", color=COLOURS[method], label=method)
    axes.axvline(change, **EVENT)
    axes.set(xlabel="Time steps", ylabel="Cumulative reward", xlim=(0, None), ylim=(0, None))


if __name__ == "__main__":
    run_script(__file__)
