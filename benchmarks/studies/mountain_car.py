"""Linear Dyna on Mountain Car: episodes until it learns, against model-free learning.

Sutton, Szepesvári, Geramifard and Bowling (2008) show linear Dyna on Mountain Car too; their curves
are not reproduced. The environment is Gymnasium's `MountainCar-v0`, with at most 1000 steps in an
episode. All methods have the same tile coding and act greedily: values begin at 0, which is
optimistic, so that every action is tried (Sutton & Barto 2018, section 10.1).

Results of `dynamaze bench run mountain-car` in episode 5 (median steps of 10 runs, 95% intervals):

- Q-learning 330 [274, 421]; the learned model without planning 348 [230, 601].
- Planning at random features 190 [160, 205], by PWMA 200 [160, 309], by MG 180 [161, 239].
- Planning at visited states 204 [158, 304]: it does not update what was not visited.

So planning needs fewer episodes.

Prioritised sweeping is not better than random features: eight features are active and the model's
matrix is nearly full, so most features lead to most others. In a table it is better
(`dynamaze.agents.linear.dyna`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import Agent, QLearning
from dynamaze.agents.callbacks import Step
from dynamaze.agents.linear.dyna import LinearDyna
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE
from dynamaze.benchmarks.harness.analysis.table import Lines, Table, Tables
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import (
    median_columns,
    plot_methods,
    run_methods,
    summarise_methods,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, run_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Count, PlanningSteps, Runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MountainCarMethod(NamedTuple):
    """A learning method."""

    learning_rate: float
    sweep: str | None = None  # None: without a model
    has_planning: bool = True


# Learning rates: the best of 0.1, 0.25, 0.5 and 1 in two runs with other seeds. For "states seen"
# 1 is too large: some runs end in a policy that never reaches the goal, as did one of ten by PWMA,
# because all methods act greedily and nothing makes them explore.
METHODS = {
    "Q-learning": MountainCarMethod(1.0, has_planning=False),
    "TD on the model": MountainCarMethod(1.0, "random", has_planning=False),
    "Dyna, states seen": MountainCarMethod(0.1, "seen"),
    "Dyna, random": MountainCarMethod(1.0, "random"),
    "Dyna, PWMA": MountainCarMethod(0.25, "pwma"),
    "Dyna, MG": MountainCarMethod(0.5, "mg"),
}


@dataclass(frozen=True)
class MountainCarConfig(ExperimentConfig):
    """Linear Dyna (Sutton et al. 2008): control of Gymnasium's Mountain Car."""

    name: ClassVar[str] = "mountain_car"
    title: ClassVar[str] = "Linear Dyna on Mountain Car"

    runs: Runs = 10
    """Runs for each curve."""
    episodes: Count = 20
    """Episodes of each run."""
    planning_steps: PlanningSteps = 10
    """Updates after each real step."""
    time_limit: Count = 1000
    """Steps after which an episode is cut off."""

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            f"n runs; median steps of an episode, 95% interval by order statistics; {FEW_RUNS_NOTE}"
        )

    @property
    def settings(self) -> Sequence[Setting]:
        """The methods."""
        return [Setting((method,), self.runs, method) for method in METHODS]


def run(config: MountainCarConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table (see `run_methods`) of the "steps" of each episode: medians, because an episode
        that does not reach the goal has all steps of the time limit.

    Raises:
        ValueError: for fewer than 2 runs.
    """
    config.check()
    return {config.name: run_methods(trial, config, runner, median_columns)}


def trial(config: MountainCarConfig, method: str, number: int) -> Table:
    """Run a method once: the steps of each episode."""
    return {"steps": learn(config, METHODS[method], run_seed(config.seed, number))}


def learn(
    config: MountainCarConfig, method: MountainCarMethod, seed: np.random.SeedSequence
) -> FloatArray:
    """Return the steps of each episode of one run, (episodes,)."""
    agent = make_agent(config, method, seed)
    steps: list[int] = []

    def count(step: Step) -> bool:
        if step.terminated or step.truncated:
            steps.append(step.episode_length)
        return len(steps) < config.episodes

    agent.learn(config.episodes * config.time_limit, count)
    return np.array(steps, dtype=np.float64)


def make_agent(
    config: MountainCarConfig, method: MountainCarMethod, seed: np.random.SeedSequence
) -> Agent:
    """Return a method's agent."""
    env = gym.make("MountainCar-v0", max_episode_steps=config.time_limit)
    common: dict[str, Any] = {
        "learning_rate": method.learning_rate,
        "gamma": 1.0,
        "epsilon": 0.0,
        "seed": seed,
    }
    if method.sweep is None:
        return QLearning(env, values="tile_coding", **common)
    steps = config.planning_steps if method.has_planning else 0
    return LinearDyna(env, sweep=method.sweep, planning_steps=steps, **common)


def plot(tables: Tables, config: MountainCarConfig) -> Figure:
    """Return the learning curves of the stored table."""
    return plot_methods(tables[config.name], "steps", title=config.title, ylabel="Steps")


def summary(tables: Tables, config: MountainCarConfig) -> Lines:
    """Return a line for each method: steps of episodes 2, 5 and 10 and of the last."""
    return summarise_methods(tables[config.name], "steps", (2, 5, 10), digits=0)


if __name__ == "__main__":
    run_script(__file__)
