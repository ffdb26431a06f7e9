"""Models that find out that they are wrong, in the mazes of figures 8.4 and 8.5.

A model that is scored (`ScoredModel`) says how likely the world has changed since a pair was last
tried, and planning pays a bonus for that doubt (`UncertaintyBonus`); where it predicts badly it
gives up its share of planning. It is compared with plain Dyna-Q and Dyna-Q+, each with a model
that unlearns at once (the latest outcome) and with one that unlearns slowly (maximum likelihood,
whose counts of a thousand steps keep promising a way that is blocked now).

What the parts do is shown by leaving them out:

1. `Scored` has no bonus: where the model is slow, trust alone keeps it from planning with what is
   no longer true. Nothing sends the agent elsewhere.
2. `Doubt` has no scores but a fixed rate of change: doubt grows with time alone.

On the shortcut maze nothing surprises the agent, since it never walks where the shortcut opens:
there only doubt that grows with time can help, and surprises cannot. All methods have one setting
for both mazes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import (
    TABLE_MODELS,
    Agent,
    DynaQ,
    DynaQPlus,
    ScoredModel,
    UncertaintyBonus,
)
from dynamaze.agents.core.rng import Seed
from dynamaze.common.validation import did_you_mean

from ..harness.compiled_runs import RunResults, run_many
from ..harness.intervals import ConfidenceInterval, format_interval, mean_interval
from ..harness.runner import ExperimentConfig, RunCallback, check_runs, interval_caption, run_module
from ..harness.table import Table, rows_where, stack

METHODS = ("Dyna-Q", "Dyna-Q+", "Scored", "Doubt", "Scored + doubt")
COLOURS = dict(
    zip(METHODS, ("tab:red", "tab:blue", "tab:brown", "tab:grey", "tab:green"), strict=True)
)
LATE = 500
CERTAIN = 1e12
"""So many steps of experience are behind a rate of change that surprises do not move."""


class Maze(NamedTuple):
    """One of the two experiments."""

    env: str
    steps: int
    planning_steps: int


MAZES = {
    "blocking": Maze("DynaMazeBlocking-v0", 3000, 10),
    "shortcut": Maze("DynaMazeShortcut-v0", 6000, 50),
}


@dataclass(frozen=True)
class ModelDoubt(ExperimentConfig):
    """Models that find out that they are wrong, in mazes that change once."""

    name: ClassVar[str] = "model_doubt"

    runs: int = 200
    """Runs of each method in each maze."""
    seed: int = 0
    """Settles every number."""
    learning_rate: float = 1.0
    """Step size alpha; 1 is right in a deterministic world."""
    gamma: float = 0.95
    """Discount."""
    epsilon: float = 0.1
    """Probability of an action at random."""
    kappa: float = 1e-3
    """Weight of Dyna-Q+'s bonus."""
    weight: float = 0.04
    """Weight of doubt's bonus; below 1 - gamma, or the agent does nothing but explore."""
    change_rate: float = 1e-3
    """Changes of the world per step that are expected beforehand."""
    certainty: float = 3000
    """How many steps of experience this expectation is worth."""
    models: tuple[str, ...] = ("latest_outcome", "maximum_likelihood")
    """The models that are wrapped."""

    @property
    def total_runs(self) -> int:
        """Runs of all methods, models and mazes together."""
        return self.runs * len(METHODS) * len(self.models) * len(MAZES)


def main(config: ModelDoubt) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, or an unknown model.
        OSError: if the output folder cannot be written.
    """
    run_module(__name__, config, title="Doubt and trust", caption=interval_caption(config.runs))


def make_agent(config: ModelDoubt, maze: Maze, method: str, model: str) -> Callable[..., Agent]:
    """What makes an agent of a method from a seed."""
    env = gym.make(maze.env)
    common: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "gamma": config.gamma,
        "epsilon": config.epsilon,
        "planning_steps": maze.planning_steps,
    }
    if method == "Dyna-Q":
        return partial(DynaQ, env, model=model, **common)
    if method == "Dyna-Q+":
        return partial(DynaQPlus, env, model=model, kappa=config.kappa, **common)
    return partial(_scored_agent, env, config, method, model, common)


def _scored_agent(
    env: Any, config: ModelDoubt, method: str, model: str, common: dict[str, Any], seed: Seed
) -> DynaQ:
    size = int(env.observation_space.n), int(env.action_space.n)
    has_bonus = method != "Scored"
    inside = TABLE_MODELS[model](*size, include_untried=has_bonus)
    scores: dict[str, Any] = {"change_rate": config.change_rate, "prior_strength": config.certainty}
    if method == "Doubt":  # rates of averages next to nothing: no surprise moves anything
        scores = {**scores, "prior_strength": CERTAIN, "rate": 1e-12, "pair_rate": 1e-12}
    learned: Any = ScoredModel(inside, **scores)
    if has_bonus:
        learned = UncertaintyBonus(learned, weight=config.weight)
    return DynaQ(env, model=learned, seed=seed, **common)


def run(config: ModelDoubt, callback: RunCallback = None) -> dict[str, Table]:
    """Run all methods with all models in both mazes.

    Returns:
        `model_doubt`, the curves, with the columns maze, model, method, step (every tenth),
        reward_mean, reward_low, reward_high (cumulative reward so far; a 95% interval of the mean)
        and runs; `model_doubt_runs`, the single runs, with the columns maze, model, method, run,
        reward_before and reward_after (the change), reward_late (in the last 500 steps before it:
        what doubt costs an agent that has learned the maze) and steps_to_five (real steps from the
        change to the fifth goal after it; all that were left if there were fewer).

    Raises:
        ValueError: for fewer than 2 runs, or an unknown model.
    """
    _check(config)
    curves, ends = [], []
    for name, maze in MAZES.items():
        for model in config.models:
            for method in METHODS:
                runs = run_many(
                    make_agent(config, maze, method, model),
                    runs=config.runs,
                    steps=maze.steps,
                    seed=config.seed,
                    callback=callback,
                )
                labels = {"maze": name, "model": model, "method": method}
                curves.append(_curve(runs, labels))
                ends.append(_ends(runs, labels, _change(maze)))
    return {"model_doubt": stack(curves), "model_doubt_runs": stack(ends)}


def _check(config: ModelDoubt) -> None:
    check_runs(config.runs)
    for model in config.models:
        if model not in TABLE_MODELS:
            raise ValueError(
                f"models {model!r}; expected some of {sorted(TABLE_MODELS)}"
                f"{did_you_mean(model, TABLE_MODELS)}"
            )


def _change(maze: Maze) -> int:
    unwrapped: Any = gym.make(maze.env).unwrapped
    return int(unwrapped.schedule.steps[1])


def _curve(runs: RunResults, labels: dict[str, str]) -> Table:
    cumulative = runs.rewards.cumsum(axis=1)[:, 9::10]
    interval = mean_interval(cumulative)
    size = cumulative.shape[1]
    return {
        **{name: np.full(size, label) for name, label in labels.items()},
        "step": np.arange(10, 10 * size + 1, 10),
        "reward_mean": interval.mean,
        "reward_low": interval.low,
        "reward_high": interval.high,
        "runs": np.full(size, len(cumulative)),
    }


def _ends(runs: RunResults, labels: dict[str, str], change: int) -> Table:
    before, after = np.split(runs.rewards, [change], axis=1)
    reached = after.cumsum(axis=1) >= 5
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, after.shape[1])
    size = len(after)
    return {
        **{name: np.full(size, label) for name, label in labels.items()},
        "run": np.arange(size),
        "reward_before": before.sum(axis=1),
        "reward_late": before[:, -LATE:].sum(axis=1),
        "reward_after": after.sum(axis=1),
        "steps_to_five": first,
    }


def gain(ends: Table, maze: str, model: str, method: str, column: str) -> ConfidenceInterval:
    """How much more than plain Dyna-Q with the same model, seed by seed, with a 95% interval."""
    rows = rows_where(rows_where(ends, "maze", maze), "model", model)
    mine, plain = (rows_where(rows, "method", each)[column] for each in (method, "Dyna-Q"))
    return mean_interval(mine - plain)


def summary(tables: dict[str, Table], config: ModelDoubt) -> dict[str, list[tuple[str, ...]]]:
    """For each maze and model a line for each method; the gain is over Dyna-Q, after the change."""
    ends = tables["model_doubt_runs"]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for maze in MAZES:
        for model in config.models:
            lines: list[tuple[str, ...]] = [
                ("method", "before", f"last {LATE}", "after", "gain", "steps to 5 goals")
            ]
            rows = rows_where(rows_where(ends, "maze", maze), "model", model)
            for method in METHODS:
                mine = rows_where(rows, "method", method)
                before, late, after, steps = (
                    format_interval(mean_interval(mine[column]))
                    for column in ("reward_before", "reward_late", "reward_after", "steps_to_five")
                )
                more = format_interval(gain(ends, maze, model, method, "reward_after"))
                lines.append((method, before, late, after, more, steps))
            sections[f"{maze} maze, {model.replace('_', ' ')}"] = lines
    return sections


def plot(tables: dict[str, Table], config: ModelDoubt) -> Figure:
    """The curves: a row for each model, a column for each maze."""
    figure = Figure(figsize=(10, 3.6 * len(config.models)), layout="constrained")
    grid: Any = figure.subplots(len(config.models), len(MAZES), squeeze=False)
    for row, model in zip(grid, config.models, strict=True):
        for axes, (name, maze) in zip(row, MAZES.items(), strict=True):
            table = rows_where(rows_where(tables["model_doubt"], "maze", name), "model", model)
            _draw(axes, table, _change(maze))
            axes.set_title(f"{name} maze, {model.replace('_', ' ')}", fontsize=10)
    grid[0, 0].legend(frameon=False)
    figure.suptitle(f"Doubt and trust: mean of {config.runs} runs, 95% interval")
    return figure


def _draw(axes: Axes, table: Table, change: int) -> None:
    for method, colour in COLOURS.items():
        curve = rows_where(table, "method", method)
        axes.plot(curve["step"], curve["reward_mean"], color=colour, label=method)
        axes.fill_between(
            curve["step"],
            curve["reward_low"],
            curve["reward_high"],
            color=colour,
            alpha=0.3,
            linewidth=0,
        )
    axes.axvline(change, color="grey", linewidth=0.8)
    axes.set(xlabel="Time steps", ylabel="Cumulative reward", xlim=(0, None), ylim=(0, None))
