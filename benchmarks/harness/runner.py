"""Runner of experiments: independent runs on any executor, stored as they finish.

An experiment has settings, each with a number of runs; a run is a call of a function of a module,
`trial(config, *setting.arguments, number) -> Table`. A run depends on its arguments alone, so that
the results are the same whatever executes it, and in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamaze.benchmarks.harness.table import Table

if TYPE_CHECKING:
    from dynamaze.benchmarks.harness.experiment import ExperimentConfig

Trial = Callable[..., Table]
"""One run: called with the configuration, a setting's arguments and the number of the run."""


class Runner:
    """Runner of the runs of experiments.

    Args:
        workers: processes; with 1 the runs take place in this process.
    """

    def __init__(self, *, workers: int = 1) -> None:
        self.workers = workers

    def run(self, trial: Trial, config: ExperimentConfig) -> list[list[Table]]:
        """Run all runs of an experiment, and return their tables.

        Args:
            trial: a run, a function of a module.
            config: its settings tell what is run.

        Returns:
            For each of `config.settings` the tables of its runs, in the order of their numbers.
        """
        return [
            [trial(config, *setting.arguments, number) for number in range(setting.runs)]
            for setting in config.settings
        ]


def column(tables: Sequence[Table], name: str) -> np.ndarray[Any, Any]:
    """Return (runs, rows) a column of the tables of several runs."""
    return np.stack([table[name] for table in tables])


def run_seed(seed: int, number: int) -> np.random.SeedSequence:
    """Return the seed of a run: the same as `SeedSequence(seed).spawn(runs)[number]`."""
    return np.random.SeedSequence(seed, spawn_key=(number,))


def derive_seed(*numbers: int) -> int:
    """Return the seed of a run for a library that takes one number below 2^31."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)
