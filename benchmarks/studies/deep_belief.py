"""Gain and loss of pre-training a deep belief network that predicts a maze.

The task is to predict the next cell (row and column) of the Dyna maze from an observation of a cell
and an action. The same network (the same layers, steps and last layer) is tuned on few transitions
twice: from random weights, and from weights that restricted Boltzmann machines learned from inputs
alone. These are either the transitions' own inputs or also many unlabelled ones, which an agent
could collect without acting.

1. With one-hot observations the inputs have no structure that could be learned without labels, and
   pre-training does harm.
2. With noisy pictures, in which the agent is a soft spot, the inputs show the position, and
   pre-training on many of them helps, most with the fewest labels. Pre-training on the labelled
   inputs alone helps less, and with 20 of them not at all.

The pictures' noise of 0.2 was chosen after a first run at 0.3 (`dynamaze bench run deep-belief
--noise 0.3`). There pre-training helped with few labels and did a little harm with many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.agents.learners.deep_belief import DeepBelief
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE
from dynamaze.benchmarks.harness.analysis.plots import (
    COLOURS,
    number_ticks,
    panels,
    points_with_bars,
)
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_text
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
from dynamaze.benchmarks.harness.curves import interval_of, mean_columns
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Count, NonNegative, Range, Runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ENV = "DynaMaze-v0"
OBSERVATIONS = {"one_hot": "one-hot numbers", "picture": "noisy pictures"}
ARMS = {
    "none": "random weights",
    "labelled": "pre-trained on the same inputs",
    "unlabelled": "pre-trained, also on unlabelled inputs",
}
SPOT_WIDTH = 0.7
"""Standard deviation of the spot in cells."""


@dataclass(frozen=True)
class DeepBeliefConfig(ExperimentConfig):
    """Pre-training of a deep belief network on the Dyna maze."""

    name: ClassVar[str] = "deep_belief"
    title: ClassVar[str] = "Pre-training of a deep belief network"
    swept: ClassVar[tuple[str, ...]] = ("labelled",)

    runs: Runs = 20
    """Runs of each setting, each with its own data and weights."""
    labelled: tuple[Count, ...] = (20, 50, 100, 200)
    """Numbers of labelled transitions, those with their next cell."""
    unlabelled: Annotated[int, Range(0, limit=10**6)] = 2000
    """Inputs without a label."""
    held_out: Count = 2000
    """Transitions on which the error is measured."""
    noise: NonNegative = 0.2
    """Standard deviation of a picture's noise."""
    hidden: tuple[Annotated[int, Range(1, limit=4096)], ...] = (64, 64)
    """Units of the hidden layers."""
    pretraining_steps: Annotated[int, Range(0, limit=10**8)] = 2000
    """Steps of contrastive divergence for each layer."""
    tuning_steps: Annotated[int, Range(0, limit=10**8)] = 500
    """Steps of back-propagation."""

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return f"mean of n runs, Student's 95% interval; gain: paired difference; {FEW_RUNS_NOTE}"

    @property
    def settings(self) -> Sequence[Setting]:
        """Observations and numbers of labelled transitions; each run has all three arms."""
        return [
            Setting((observation, labelled), self.runs, f"{OBSERVATIONS[observation]}, {labelled}")
            for observation in OBSERVATIONS
            for labelled in self.labelled
        ]


class CellTransitions(NamedTuple):
    """Transitions of the maze's cells."""

    cells: npt.NDArray[np.int64]  # (free,) the states in which one can act
    next_state: npt.NDArray[np.int64]  # (states, actions)
    places: FloatArray  # (states, 2) row and column


def run(config: DeepBeliefConfig, runner: Runner | None = None) -> Tables:
    """Run the study.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        The table of means, with the columns observation, arm, labelled, error_mean, error_low,
        error_high, gain_mean, gain_low, gain_high (paired difference: error without pre-training
        minus error with it; 95% intervals) and runs; and `..._runs`, the single runs, with the
        columns observation, arm, labelled, run and error (root mean square, in standard deviations
        of the target).

    Raises:
        ValueError: for fewer than 2 runs.
    """
    config.check()
    results = (runner or Runner()).run(trial, config)
    means, singles = [], []
    for setting, own in zip(config.settings, results, strict=True):
        observation, labelled = setting.arguments
        errors = column(own, "error")
        for arm, error in zip(ARMS, errors.T, strict=True):
            labels: dict[str, Any] = {
                "observation": observation,
                "arm": arm,
                "labelled": labelled,
            }
            columns = mean_columns(error=error, gain=errors[:, 0] - error)
            means.append(make_table(**labels, **columns, runs=config.runs))
            singles.append(make_table(**labels, run=np.arange(config.runs), error=error))
    return {config.name: stack(means), f"{config.name}_runs": stack(singles)}


def trial(config: DeepBeliefConfig, observation: str, labelled: int, number: int) -> Table:
    """Run all arms once, on the same data: the error of each."""
    rng = np.random.default_rng(np.random.SeedSequence([config.seed, labelled, number]))
    return {"error": np.array(_errors(_read_transitions(), observation, labelled, config, rng))}


def plot(tables: Tables, config: DeepBeliefConfig) -> Figure:
    """Return the plot: error against labelled transitions, a panel for each observation."""
    figure, (row,) = panels(1, len(OBSERVATIONS), size=(9, 4), sharey=True)
    for axes, (observation, title) in zip(row, OBSERVATIONS.items(), strict=True):
        part = rows_where(tables[config.name], observation=observation)
        for arm, label in ARMS.items():
            curve = rows_where(part, arm=arm)
            style: dict[str, Any] = {"label": label, "color": COLOURS[label]}
            points_with_bars(axes, curve["labelled"], interval_of(curve, "error"), **style)
        axes.set(title=title, xlabel="Labelled transitions", xscale="log")
        number_ticks(axes, np.unique(part["labelled"]))
    row[0].set_ylabel("Error on held-out transitions, in standard deviations")
    row[0].legend()
    runs = count_text(tables[config.name]["runs"])
    figure.suptitle(f"{config.title}: mean, {runs}, 95% interval")
    return figure


def summary(tables: Tables, config: DeepBeliefConfig) -> Lines:
    """Return a line for each observation and number of transitions: errors and gains."""
    lines: Lines = [
        ("observation", "transitions", "n", "without", "gain, same inputs", "gain, more inputs")
    ]
    runs = tables[f"{config.name}_runs"]
    for observation in OBSERVATIONS:
        for labelled in distinct(runs, "labelled"):
            part = rows_where(runs, observation=observation, labelled=labelled)
            without, *errors = (rows_where(part, arm=arm)["error"] for arm in ARMS)
            gains = (mean_text(without - error, 3, kind="mean") for error in errors)
            cells = (str(without.size), mean_text(without, 3, kind="mean"), *gains)
            lines.append((observation, str(labelled), *cells))
    return lines


def _errors(
    maze: CellTransitions,
    observation: str,
    labelled: int,
    config: DeepBeliefConfig,
    rng: np.random.Generator,
) -> list[float]:
    """Return the error of each arm on the same data."""
    inputs, targets = _sample(maze, observation, labelled, config.noise, rng)
    more, _ = _sample(maze, observation, config.unlabelled, config.noise, rng)
    tests, truth = _sample(maze, observation, config.held_out, config.noise, rng)
    seed = int(rng.integers(2**31))
    errors = []
    for arm in ARMS:
        learner = DeepBelief(
            inputs.shape[1],
            targets.shape[1],
            hidden=config.hidden,
            pretrain=arm != "none",
            visible="binary",
            pretraining_steps=config.pretraining_steps,
            tuning_steps=config.tuning_steps,
            seed=seed,
        )
        if arm == "unlabelled":
            learner.add_unlabelled(more)
        learner.update(inputs, targets)
        # The root mean square in standard deviations of the target.
        misfit = (learner.predict(tests).mean - truth) / truth.std(axis=0)
        errors.append(float(np.sqrt((misfit**2).mean())))
    return errors


def _sample(
    maze: CellTransitions, observation: str, number: int, noise: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Sample transitions: (number, inputs) observations and actions, (number, 2) next cells."""
    cells = rng.choice(maze.cells, number)
    actions = rng.integers(maze.next_state.shape[1], size=number)
    if observation == "one_hot":
        seen = np.eye(len(maze.places))[cells]
    else:
        apart = ((maze.places[cells][:, None] - maze.places) ** 2).sum(axis=2)
        seen = np.exp(-0.5 * apart / SPOT_WIDTH**2)  # a Gaussian spot at the agent's cell
        seen = np.clip(seen + noise * rng.standard_normal(seen.shape), 0, 1)
    chosen = np.eye(maze.next_state.shape[1])[actions]
    return np.concatenate([seen, chosen], axis=1), maze.places[maze.next_state[cells, actions]]


@cache
def _read_transitions() -> CellTransitions:
    env: Any = gym.make(ENV).unwrapped
    next_state = env.mdp.next_state[..., 0]
    states = np.arange(len(next_state))
    places = np.stack(np.divmod(states, env.layout.cols), axis=1).astype(np.float64)
    return CellTransitions(states[(next_state != states[:, None]).any(axis=1)], next_state, places)


if __name__ == "__main__":
    run_script(__file__)
