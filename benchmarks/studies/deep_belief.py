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

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from dynamaze.agents.learners.deep_belief import DeepBelief
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import interval_of, interval_text, mean_columns
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, RunCallback
from dynamaze.benchmarks.harness.plots import number_ticks, panels, points_with_bars
from dynamaze.benchmarks.harness.table import (
    Lines,
    Tables,
    distinct,
    make_table,
    rows_where,
    stack,
)
from dynamaze.common.arrays import FloatArray

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

    runs: int = 20
    """Runs of each setting, each with its own data and weights."""
    labelled: tuple[int, ...] = (20, 50, 100, 200)
    """Numbers of labelled transitions, those with their next cell."""
    unlabelled: int = 2000
    """Inputs without a label."""
    held_out: int = 2000
    """Transitions on which the error is measured."""
    noise: float = 0.2
    """Standard deviation of a picture's noise."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of the hidden layers."""
    pretraining_steps: int = 2000
    """Steps of contrastive divergence for each layer."""
    tuning_steps: int = 500
    """Steps of back-propagation."""

    @property
    def total_runs(self) -> int:
        """Number of runs of all settings."""
        return self.runs * len(self.labelled) * len(OBSERVATIONS)


class CellTransitions(NamedTuple):
    """Transitions of the maze's cells."""

    cells: npt.NDArray[np.int64]  # (free,) the states in which one can act
    next_state: npt.NDArray[np.int64]  # (states, actions)
    places: FloatArray  # (states, 2) row and column


def run(config: DeepBeliefConfig, callback: RunCallback = None) -> Tables:
    """Run the study.

    Args:
        config: the settings.
        callback: called after each of the `config.total_runs` runs, which has all three arms.

    Returns:
        The table of means, with the columns observation, arm, labelled, error_mean, error_low,
        error_high, gain_mean, gain_low, gain_high (paired difference: error without pre-training
        minus error with it; 95% intervals) and runs; and `..._runs`, the single runs, with the
        columns observation, arm, labelled, run and error (root mean square, in standard deviations
        of the target).
    """
    maze = _read_transitions()
    means, singles = [], []
    for observation in OBSERVATIONS:
        for labelled in config.labelled:
            errors = np.empty((config.runs, len(ARMS)))
            for number in range(config.runs):
                seeds = np.random.SeedSequence([config.seed, labelled, number])
                rng = np.random.default_rng(seeds)
                errors[number] = _errors(maze, observation, labelled, config, rng)
                if callback is not None:
                    callback()
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


def plot(tables: Tables, config: DeepBeliefConfig) -> Figure:
    """Return the plot: error against labelled transitions, a panel for each observation."""
    figure, (row,) = panels(1, len(OBSERVATIONS), size=(9, 4), sharey=True)
    for axes, (observation, title) in zip(row, OBSERVATIONS.items(), strict=True):
        part = rows_where(tables[config.name], observation=observation)
        for arm, label in ARMS.items():
            curve = rows_where(part, arm=arm)
            points_with_bars(axes, curve["labelled"], interval_of(curve, "error"), label=label)
        axes.set(title=title, xlabel="Labelled transitions", xscale="log")
        number_ticks(axes, np.unique(part["labelled"]))
    row[0].set_ylabel("Error on held-out transitions, in standard deviations")
    row[0].legend(frameon=False)
    runs = int(tables[config.name]["runs"][0])
    figure.suptitle(f"Deep belief network: mean of {runs} runs, 95% interval")
    return figure


def summary(tables: Tables, config: DeepBeliefConfig) -> Lines:
    """Return a line for each observation and number of transitions: errors and gains."""
    lines: Lines = [
        ("observation", "transitions", "without", "gain, same inputs", "gain, more inputs")
    ]
    for observation in OBSERVATIONS:
        for labelled in distinct(tables[config.name], "labelled"):
            part = rows_where(tables[config.name], observation=observation, labelled=labelled)
            arms = {arm: rows_where(part, arm=arm) for arm in ARMS}
            lines.append(
                (
                    observation,
                    str(labelled),
                    interval_text(arms["none"], "error", 0, 3),
                    interval_text(arms["labelled"], "gain", 0, 3),
                    interval_text(arms["unlabelled"], "gain", 0, 3),
                )
            )
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


def _read_transitions() -> CellTransitions:
    env: Any = gym.make(ENV).unwrapped
    next_state = env.mdp.next_state[..., 0]
    states = np.arange(len(next_state))
    places = np.stack(np.divmod(states, env.layout.cols), axis=1).astype(np.float64)
    return CellTransitions(states[(next_state != states[:, None]).any(axis=1)], next_state, places)


if __name__ == "__main__":
    run_script(__file__)
