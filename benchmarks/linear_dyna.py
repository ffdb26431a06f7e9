"""Linear Dyna on the Boyan chain, after Sutton, Szepesvári, Geramifard and Bowling (2008).

Temporal differences alone need many episodes to reach back through the chain; planning on the
linear model reaches back within a few, with prioritised sweeping sooner than with features at
random. MG is the first to get there (episode 5). Later the planners are alike: their errors are
then those of the model and of the step sizes, and by episode 10 PWMA is not behind MG.

Settings of our own, which the paper's need not be:

1. Errors are root mean squares over all states alike, with 95% intervals.
2. Step sizes are a0 (n0 + 1) / (n0 + episode^1.1), for each method the best of a0 in 0.1, 0.5, 1
   and n0 in 100, 1000 by the mean error over 60 episodes of two runs with other seeds.
3. A planner has 10 updates after each real step, and MG's are counted as `LinearDyna` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from dynamaze.agents.linear_dyna import LinearDyna

from .boyan_chain import chain_episode, chain_features, root_mean_square
from .statistics import mean_interval
from .table import Table, rows_where, stack

METHODS: dict[str, tuple[str, bool, float, float]] = {
    "TD": ("random", False, 1.0, 1000),
    "Dyna, random": ("random", True, 0.5, 100),
    "Dyna, PWMA": ("pwma", True, 0.5, 100),
    "Dyna, MG": ("mg", True, 0.5, 100),
}
"""Name -> sweep, whether it plans, a0 and n0."""


@dataclass(frozen=True)
class Config:
    """Linear Dyna (Sutton et al. 2008): policy evaluation on the Boyan chain."""

    name: ClassVar[str] = "linear_dyna"

    runs: int = 30
    """Runs for each curve."""
    seed: int = 0
    """Settles every number."""
    episodes: int = 60
    """Episodes of each run."""
    num_features: int = 25
    """Features of the chain: 25 make 98 states with the end, 4 make Boyan's 14."""
    planning_steps: int = 10
    """Updates after each real step."""

    @property
    def total_runs(self) -> int:
        """Runs of all curves together."""
        return self.runs * len(METHODS)


def run(config: Config, on_run: Callable[[], None] | None = None) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: its numbers.
        on_run: called after each of the `config.total_runs` runs.

    Returns:
        One table, with the columns method, episode (from 1), error_mean (the root mean square over
        states), error_low, error_high (a 95% interval of the mean) and runs.

    Raises:
        ValueError: for fewer than 2 runs.
    """
    curves = []
    for method in METHODS:
        errors = []
        for seed in np.random.SeedSequence(config.seed).spawn(config.runs):
            errors.append(learn(config, method, np.random.default_rng(seed)))
            if on_run is not None:
                on_run()
        interval = mean_interval(errors)
        curves.append(
            {
                "method": np.full(config.episodes, method),
                "episode": np.arange(1, config.episodes + 1),
                "error_mean": interval.mean,
                "error_low": interval.low,
                "error_high": interval.high,
                "runs": np.full(config.episodes, config.runs),
            }
        )
    return {config.name: stack(curves)}


def learn(config: Config, method: str, rng: np.random.Generator) -> Any:
    """(episodes,) the error after each episode of one run."""
    sweep, plans, first, slowness = METHODS[method]
    features = chain_features(config.num_features)
    agent = LinearDyna(
        config.num_features,
        sweep=sweep,
        planning_steps=config.planning_steps if plans else 0,
    )
    chain, search = rng.spawn(2)  # all methods of a run see the same episodes
    errors = np.zeros(config.episodes)
    for episode in range(config.episodes):
        agent.step_size = first * (slowness + 1) / (slowness + (episode + 1) ** 1.1)
        agent.update(chain_episode(features, chain), search)
        errors[episode] = root_mean_square(features, agent.theta)
    return errors


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """The picture from the stored table."""
    table = tables[config.name]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for method in METHODS:
        curve = rows_where(table, "method", method)
        (line,) = axes.plot(curve["episode"], curve["error_mean"], label=method)
        axes.fill_between(
            curve["episode"],
            np.maximum(curve["error_low"], 1e-3),
            curve["error_high"],
            color=line.get_color(),
            alpha=0.3,
            linewidth=0,
        )
    axes.set(
        xlabel="Episodes",
        ylabel="Error of the values (root mean square over states)",
        yscale="log",
        xlim=(1, config.episodes),
        title=f"Boyan chain: mean of {int(table['runs'][0])} runs, 95% interval",
    )
    axes.legend(frameon=False)
    return figure


def summary(tables: dict[str, Table], config: Config) -> list[tuple[str, ...]]:
    """A line for each method: its error after 5 and 10 episodes and in the end."""
    table = tables[config.name]
    moments = [episode for episode in (5, 10) if episode < config.episodes] + [config.episodes]
    lines: list[tuple[str, ...]] = [("method", *(f"episode {moment}" for moment in moments))]
    for method in METHODS:
        curve = rows_where(table, "method", method)
        lines.append((method, *(_interval(curve, moment - 1) for moment in moments)))
    return lines


def _interval(curve: Table, row: int) -> str:
    mean, low, high = (float(curve[f"error_{name}"][row]) for name in ("mean", "low", "high"))
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"
