"""Task of the experiments with few labels: slippery open grids, of which unseen ones are solved.

The states, the teacher and the student are those of `soft_labels`: the teacher has the exact value
of each action, and a student of 32 units sees the whole grid around the agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dynamaze.benchmarks.distillation.soft_labels import (
    EVALUATION_LEVELS,
    FEW_LABELS,
    LEVELS,
    few_label_states,
    initial_student,
    label_dataset,
)
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.policy import log_probabilities
from dynamaze.distill.methods.mutual import SHARED
from dynamaze.distill.students.base import Student
from dynamaze.distill.training.distiller import Distiller


class Size(NamedTuple):
    """Size of a trial."""

    steps: int = FEW_LABELS.steps
    """Training steps."""
    levels: int = LEVELS
    """Levels whose states are trained on."""
    evaluation_levels: int = EVALUATION_LEVELS
    """Unseen levels."""
    unlabelled: int = 4000
    """States without labels."""


FULL = Size()
TINY = Size(4, 8, 2, 200)
"""Size for tests."""

SETTING = (
    f"Slippery open grids; the student, an MLP of {FEW_LABELS.width} units, is evaluated in every "
    f"state of {EVALUATION_LEVELS} unseen levels"
)
"""Beginning of the experiments' settings."""


class FewLabels:
    """Data and students of a trial; equal for equal seeds.

    Args:
        seed: of the choice of states, initial weights and batches.
        size: of the trial.

    Attributes:
        states: all states with the teacher's soft labels, in random order.
    """

    def __init__(self, seed: int, size: Size) -> None:
        self.seed, self.size = seed, size
        known, self._unseen = few_label_states(size.levels, size.evaluation_levels)
        order = np.random.default_rng(seed_of(seed, 0)).permutation(len(known.values))
        self.states = label_dataset(known, FEW_LABELS).take(order)

    def labelled(self, first: int, count: int) -> Dataset:
        """Return some of the states with their labels."""
        return self.states.take(np.arange(first, first + count))

    def unlabelled(self, first: int) -> Dataset:
        """Return the states from the given one on without labels, as many as the size says."""
        taken = self.labelled(first, self.size.unlabelled)
        rows = make_batch(taken.rows.observations, None)
        return Dataset(rows, batch_size=taken.batch_size)

    def wrong(self, count: int, fraction: float) -> Dataset:
        """Return the first states with their best actions as labels, some of them wrong.

        Args:
            count: number of states.
            fraction: probability of a label of another action, each with the same probability.
        """
        taken = self.labelled(0, count)
        rng = np.random.default_rng(seed_of(self.seed, 0))
        best = np.asarray(taken.rows.logits).argmax(axis=1)
        is_wrong = rng.random(count) < fraction
        actions = (best + is_wrong * rng.integers(1, 4, count)) % 4
        rows = make_batch(taken.rows.observations, log_probabilities(np.eye(4)[actions]))
        return Dataset(rows, batch_size=taken.batch_size)

    def student(self, number: int = 0) -> Student:
        """Return an untrained student; each number has its own initial weights."""
        return initial_student(self.states, FEW_LABELS, seed_of(self.seed, 1 + number))

    def distil(
        self,
        students: Student | Mapping[str, Student],
        source: Any,
        method: Any = "soft",
        **settings: Any,
    ) -> Distiller:
        """Train students on the CPU with the step size of the task, and return the loop."""
        return Distiller(students, source, method, **{**self.settings, **settings}).distil()

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of all trainings: steps, step size, device and seed."""
        return {
            "total_steps": self.size.steps,
            "learning_rate": FEW_LABELS.learning_rate,
            "device": "cpu",
            "seed": self.seed,
        }

    def percent(self, policy: Any) -> float:
        """Return the normalised return of a policy on unseen levels, in percent."""
        logits = policy.action_logits(self._unseen.observations)
        return 100 * self._unseen.normalised_return(logits)

    def mean_percent(self, students: Mapping[str, Student]) -> float:
        """Return the mean normalised return of several students on unseen levels, in percent."""
        return float(np.mean([self.percent(each) for each in students.values()]))


PEERS, LABELS = "abcd", 50
"""Peers of the experiments with disjoint data, and labelled states of each."""


class Shards:
    """Labelled states of several peers, which no other sees, and states that all share.

    Attributes:
        sources: a source for each peer, and that of the shared states without labels.
        pooled: the labelled states of all peers.
    """

    def __init__(self, data: FewLabels) -> None:
        self._data = data
        self.sources = {
            **{name: data.labelled(LABELS * number, LABELS) for number, name in enumerate(PEERS)},
            SHARED: data.unlabelled(LABELS * len(PEERS)),
        }
        self.pooled = data.labelled(0, LABELS * len(PEERS))

    def students(self) -> dict[str, Student]:
        """Return untrained students, the same at each call."""
        return {name: self._data.student(number) for number, name in enumerate(PEERS)}
