"""Linear Dyna on the Boyan chain, after Sutton, Szepesvári, Geramifard and Bowling (2008).

TD learning needs many episodes to propagate values back through the chain; planning on the linear
model needs a few. In episode 5, with 10 updates after each real step, PWMA is better than random
features. MG is not: the model's matrix soon has few zeros, so a pop updates nearly every feature,
and the same number of updates is used no better than at random. With 10 pops instead, which are
many more updates, MG is far better in episode 5. From episode 10 on the planners hardly differ:
their errors are those of the model and of the step sizes.

Differences from the paper:

1. Errors are root mean squares over all states with equal weights, with 95% intervals.
2. Step sizes are a0 (n0 + 1) / (n0 + episode^1.1), for each method the best of a0 in 0.1, 0.5, 1
   and n0 in 100, 1000 by the mean error over 60 episodes of two runs with other seeds.
3. A planner has 10 updates after each real step, "MG by pops" 10 pops with all their updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.agents.linear.evaluation import FeatureTransitions, LinearEvaluation
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE
from dynamaze.benchmarks.harness.analysis.table import Lines, Table, Tables
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import plot_methods, run_methods, summarise_methods
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, run_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Count, PlanningSteps, Range, Runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LinearDynaMethod(NamedTuple):
    """A learning method and its step sizes."""

    initial_step_size: float  # a0
    decay_offset: float  # n0
    has_planning: bool = True
    sweep: str = "random"
    budget_unit: str = "updates"


METHODS = {
    "TD": LinearDynaMethod(1.0, 1000, has_planning=False),
    "Dyna, random": LinearDynaMethod(0.5, 100),
    "Dyna, PWMA": LinearDynaMethod(0.5, 100, sweep="pwma"),
    "Dyna, MG": LinearDynaMethod(0.5, 100, sweep="mg"),
    "Dyna, MG by pops": LinearDynaMethod(0.5, 100, sweep="mg", budget_unit="pops"),
}


@dataclass(frozen=True)
class LinearDynaConfig(ExperimentConfig):
    """Linear Dyna (Sutton et al. 2008): policy evaluation on the Boyan chain."""

    name: ClassVar[str] = "linear_dyna"
    title: ClassVar[str] = "Linear Dyna on the Boyan chain"

    runs: Runs = 30
    """Runs for each curve."""
    episodes: Count = 60
    """Episodes of each run."""
    num_features: Annotated[int, Range(2, limit=1000)] = 25
    """Features of the chain: 25 give 98 states including the terminal one, 4 give Boyan's 14."""
    planning_steps: PlanningSteps = 10
    """Updates after each real step."""

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return f"mean of n runs, Student's 95% interval; {FEW_RUNS_NOTE}"

    @property
    def settings(self) -> Sequence[Setting]:
        """The methods."""
        return [Setting((method,), self.runs, method) for method in METHODS]


def run(config: LinearDynaConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table (see `run_methods`) of the "error", the root mean square over states.

    Raises:
        ValueError: for fewer than 2 runs.
    """
    config.check()
    return {config.name: run_methods(trial, config, runner)}


def trial(config: LinearDynaConfig, method: str, number: int) -> Table:
    """Run a method once: the error after each episode."""
    rng = np.random.default_rng(run_seed(config.seed, number))
    return {"error": learn(config, method, rng)}


def learn(config: LinearDynaConfig, method: str, rng: np.random.Generator) -> Any:
    """Return the error after each episode of one run, (episodes,)."""
    own = METHODS[method]
    features = chain_features(config.num_features)
    agent = LinearEvaluation(
        config.num_features,
        sweep=own.sweep,
        count=own.budget_unit,
        planning_steps=config.planning_steps if own.has_planning else 0,
    )
    chain, search = rng.spawn(2)  # all methods of a run see the same episodes
    errors = np.zeros(config.episodes)
    for episode in range(config.episodes):
        # a0 (n0 + 1) / (n0 + episode^1.1): starts at a0 and decays.
        agent.step_size = (
            own.initial_step_size
            * (own.decay_offset + 1)
            / (own.decay_offset + (episode + 1) ** 1.1)
        )
        agent.update(chain_episode(features, chain), search)
        errors[episode] = root_mean_square(features, agent.theta)
    return errors


def plot(tables: Tables, config: LinearDynaConfig) -> Figure:
    """Return the learning curves of the stored table."""
    label = "Error of the values (root mean square over states)"
    return plot_methods(tables[config.name], "error", title=config.title, ylabel=label)


def summary(tables: Tables, config: LinearDynaConfig) -> Lines:
    """Return a line for each method: error after 5 and 10 episodes and at the end."""
    return summarise_methods(tables[config.name], "error", (5, 10))


# -- the Boyan chain ---------------------------------------------------------------------------
#
# Boyan 2002, "Technical update: least-squares temporal difference learning", figure 1, with 13
# states; Sutton et al. 2008 make it longer. From state i > 1 it moves to i - 1 or i - 2 with equal
# probability and reward -3; from 1 to 0 with reward -2; from 0 the episode ends with reward 0.
# v(i) = -2 i. Every fourth state has a feature of its own, the others interpolate linearly, so the
# values are exactly linear in the features: with 4 features theta* = (-24, -16, -8, 0).
STATES_PER_FEATURE = 4
"""Distance in states between two states with a feature of their own."""


def chain_features(num_features: int) -> FloatArray:
    """Return the features of states 0 to 4 (num_features - 1), (states, features).

    The first feature is 1 in the start state, which is the last one.
    """
    states = np.arange(STATES_PER_FEATURE * (num_features - 1) + 1)
    own = STATES_PER_FEATURE * np.arange(num_features)[::-1]
    near = 1.0 - np.abs(states[:, None] - own) / STATES_PER_FEATURE
    features: FloatArray = np.maximum(near, 0.0, dtype=np.float64)
    return features


def chain_values(num_features: int) -> FloatArray:
    """Return theta*, the weights that give every state its value, (features,)."""
    values: FloatArray = -2.0 * STATES_PER_FEATURE * np.arange(num_features, dtype=np.float64)[::-1]
    return values


def chain_episode(features: FloatArray, rng: np.random.Generator) -> FeatureTransitions:
    """Sample the transitions of one episode, from the last state to the terminal one."""
    states = [len(features) - 1]
    while states[-1] > 0:
        states.append(max(states[-1] - (1 if states[-1] == 1 else int(rng.integers(1, 3))), 0))
    rewards = [-2.0 if state == 1 else -3.0 for state in states[:-1]]
    now = features[states]
    then = np.vstack((now[1:], np.zeros(features.shape[1])))
    return FeatureTransitions(now, np.array([*rewards, 0.0]), then)


def root_mean_square(features: FloatArray, theta: FloatArray) -> float:
    """Return the root mean squared error of the values over the states."""
    # v(i) = -2 i
    errors = features @ theta + 2.0 * np.arange(len(features))
    return float(np.sqrt((errors**2).mean()))


if __name__ == "__main__":
    run_script(__file__)
