"""Batches of whole runs of a recurrent student, labelled by the expert (DAgger)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from dynamaze.benchmarks.distillation.learner_runs import (
    EXPERT_SHARE,
    ROUNDS,
    RUN_STEPS,
    RUNS,
    TRAINING,
    TRAINING_SIZES,
    MapExpert,
    RunStepper,
    adaptation_envs,
    mixed_steps,
    run_generator,
    uniform,
)
from dynamaze.common.validation import checked_integer
from dynamaze.distill.core.dataset import Batch, make_batch
from dynamaze.distill.core.policy import log_probabilities
from dynamaze.distill.data.source import Columns, ReplayBuffer
from dynamaze.distill.students.experience_gru import experience_features

RUNS_KEPT = 2**12
"""Runs of one size in memory, the latest."""

SHORTEST, GROWTH_END = 50, 0.5
"""Observations of a run in the first batches, from its beginning on, and the progress from which on
runs are whole."""

LABELS = 8 * RUN_STEPS
"""Observations of a batch, about twice the labelled cells of a batch of `LearnerMaps`."""


class LearnerSequences:
    """Batch source of the runs of a recurrent student, with the expert's best actions as labels.

    Runs are played as for `LearnerMaps`, by the student of that moment and the expert, which draws
    its map from the same observations. Where that source keeps some of the maps, this one keeps all
    steps of the runs: labels of the present cell alone, since the student has no map. Runs are cut
    to a length that grows over the first half of the training, in batches of equally many labels.

    Args:
        student: the student that is trained, an `ExperienceGRU`.
        sizes: sides of the mazes; a batch is of one size.
        rounds: number of rounds.
        runs: runs of a round in mazes of one size.
        labels: observations of a batch, about.

    Raises:
        ValueError: for a number below 1.
    """

    levels = (TRAINING,)

    def __init__(
        self,
        student: Any,
        *,
        sizes: Sequence[int] = TRAINING_SIZES,
        rounds: int = ROUNDS,
        runs: int = RUNS,
        labels: int = LABELS,
    ) -> None:
        self.student, self.sizes = student, tuple(sizes)
        self.rounds = checked_integer("rounds", rounds, 1)
        self.runs = checked_integer("runs", runs, 1)
        self.labels = checked_integer("labels", labels, RUN_STEPS)
        self._played = 0  # rounds
        self._buffers = {size: ReplayBuffer(RUNS_KEPT) for size in self.sizes}

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Play the rounds that are due, and sample runs in mazes of one size."""
        due = min(self.rounds, 1 + int(progress * self.rounds))
        while self._played < due:
            share = EXPERT_SHARE(self._played / max(1, self.rounds - 1))
            for size, buffer in self._buffers.items():
                buffer.add(self._play(size, share, rng))
            self._played += 1
        size = self.sizes[int(rng.integers(len(self.sizes)))]
        length = max(SHORTEST, round(RUN_STEPS * min(1.0, progress / GROWTH_END)))
        columns = self._buffers[size].sample(self.labels // length, rng)
        return labelled_runs({name: each[:, :length] for name, each in columns.items()}, size)

    def get_state(self) -> dict[str, Any]:
        """Return all runs and the number of rounds."""
        buffers = {str(size): buffer.get_state() for size, buffer in self._buffers.items()}
        return {"buffers": buffers, "played": self._played}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned, from a source with the same sizes."""
        for size, buffer in self._buffers.items():
            buffer.set_state(state["buffers"][str(size)])
        self._played = state["played"]

    def _play(self, size: int, share: float, rng: np.random.Generator) -> Columns:
        """Play runs in mazes of one size, and return (runs, length, ...) columns."""
        policy, expert = deepcopy(self.student), MapExpert()
        policy.grid = expert.grid = (size, size)
        envs = adaptation_envs(run_generator(size), self.runs, TRAINING)
        stepper = RunStepper(envs, seed=int(rng.integers(2**31)))
        steps: list[Columns] = []
        for best in mixed_steps(policy, expert, stepper, share, rng):
            if len(steps) < RUN_STEPS:
                labels = np.packbits(best & stepper.acts[:, None], axis=1)[:, 0]
                steps.append(
                    {
                        "seen": stepper.observations,
                        "start": stepper.episode_start,
                        "best": labels,
                    }
                )
        envs.close()
        return {name: np.stack([step[name] for step in steps], axis=1) for name in steps[0]}


def labelled_runs(columns: Columns, size: int) -> Batch:
    """Return runs as features; the last observations of episodes have labels of weight 0."""
    seen, start = columns["seen"], columns["start"]
    before = np.roll(seen[..., 0], 1, axis=1)
    before[start] = -1
    best = np.unpackbits(columns["best"].reshape(-1, 1), axis=1, count=4).astype(np.bool_)
    decides = columns["best"].reshape(-1, 1) > 0
    labels = log_probabilities(uniform(best | ~decides))
    return make_batch(experience_features(seen, before, (size, size)), labels, decides[:, 0])
