"""Linear Dyna on the Boyan chain, after Sutton, Szepesvári, Geramifard and Bowling (2008).

Temporal differences alone need many episodes to reach back through the chain; planning on the
linear model reaches back within a few. In episode 5, with 10 updates after each real step, PWMA is
ahead of features at random. MG is not: the model's matrix soon has few zeros, so that a pop updates
nearly every feature, and equal work is then no better spent than at random. With 10 pops instead,
which is many more updates, MG is far ahead in episode 5. From episode 10 the planners are alike:
their errors are then those of the model and of the step sizes.

Settings of our own, which the paper's need not be:

1. Errors are root mean squares over all states alike, with 95% intervals.
2. Step sizes are a0 (n0 + 1) / (n0 + episode^1.1), for each method the best of a0 in 0.1, 0.5, 1
   and n0 in 100, 1000 by the mean error over 60 episodes of two runs with other seeds.
3. A planner has 10 updates after each real step, "MG by pops" 10 pops with all their updates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from dynamaze.agents.linear.evaluation import LinearEvaluation

from ..harness.curves import plot_methods, run_methods, summarise_methods
from ..harness.runner import ExperimentConfig, interval_caption, run_module
from ..harness.table import Table
from .boyan_chain import chain_episode, chain_features, root_mean_square


class Method(NamedTuple):
    """How values are learned."""

    first: float  # a0
    slowness: float  # n0
    plans: bool = True
    sweep: str = "random"
    counted: str = "updates"


METHODS = {
    "TD": Method(1.0, 1000, plans=False),
    "Dyna, random": Method(0.5, 100),
    "Dyna, PWMA": Method(0.5, 100, sweep="pwma"),
    "Dyna, MG": Method(0.5, 100, sweep="mg"),
    "Dyna, MG by pops": Method(0.5, 100, sweep="mg", counted="pops"),
}


@dataclass(frozen=True)
class LinearDynaConfig(ExperimentConfig):
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


def main(config: LinearDynaConfig) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs.
        OSError: if the output folder cannot be written.
    """
    run_module(
        __name__,
        config,
        title="Linear Dyna on the Boyan chain",
        caption=interval_caption(config.runs),
    )


def run(config: LinearDynaConfig, callback: Callable[[], None] | None = None) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: its numbers.
        callback: called after each of the `config.total_runs` runs.

    Returns:
        One table, as `run_methods` says, of the "error": the root mean square over states.

    Raises:
        ValueError: for fewer than 2 runs.
    """
    table = run_methods(
        METHODS,
        lambda method, seed: learn(config, method, np.random.default_rng(seed)),
        quantity="error",
        runs=config.runs,
        seed=config.seed,
        callback=callback,
    )
    return {config.name: table}


def learn(config: LinearDynaConfig, method: str, rng: np.random.Generator) -> Any:
    """(episodes,) the error after each episode of one run."""
    own = METHODS[method]
    features = chain_features(config.num_features)
    agent = LinearEvaluation(
        config.num_features,
        sweep=own.sweep,
        count=own.counted,
        planning_steps=config.planning_steps if own.plans else 0,
    )
    chain, search = rng.spawn(2)  # all methods of a run see the same episodes
    errors = np.zeros(config.episodes)
    for episode in range(config.episodes):
        agent.step_size = own.first * (own.slowness + 1) / (own.slowness + (episode + 1) ** 1.1)
        agent.update(chain_episode(features, chain), search)
        errors[episode] = root_mean_square(features, agent.theta)
    return errors


def plot(tables: dict[str, Table], config: LinearDynaConfig) -> Figure:
    """The picture from the stored table."""
    label = "Error of the values (root mean square over states)"
    return plot_methods(tables[config.name], "error", title="Boyan chain", ylabel=label)


def summary(tables: dict[str, Table], config: LinearDynaConfig) -> list[tuple[str, ...]]:
    """A line for each method: its error after 5 and 10 episodes and in the end."""
    return summarise_methods(tables[config.name], "error", (5, 10))
