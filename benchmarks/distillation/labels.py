"""`dynamaze distill soft-labels`: what soft labels and weights are worth to a student.

Two questions. The teacher knows the exact value of each action; its logits are these values divided
by a temperature.

Few labels: a student has seen a few states of open ground with the teacher's answers, and is judged
on ground that it has not seen. The floor is slippery, so that the teacher has preferences of all
strengths. Hard labels say which action is best; soft ones also how much worse the others are. The
same states and first weights for each loss, so that losses differ by pairs.

Weights: a student that is nearly too small learns all states of all `crossings`, and is judged on
them: whether it helps that states count by how sure the teacher is (`margin`) or by how much
depends on the choice (`criticality`), against counting alike. In most states several ways are
alike, and the teacher shares its probability among them; a student pays as much for preferring one
of them as for doubt where only one is right, though it loses nothing. Where it can be right only in
part, weights say where. Each way of weighting has the same first weights, several of them, and goes
on with those that did best by its own loss.

Judged is the share of the best discounted return that a student's best actions keep, from every
state, exactly: the Bellman equations of its policy are solved, and nothing is played.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from dynamaze.common.validation import checked_number
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.losses import Loss, criticality, kl, margin, mse, nll, weighted
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_restart
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.observations import ObservationLike

from ..harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    run_jobs,
    run_module,
)
from ..harness.table import Table, stack
from .labelled_states import Ground, crossings
from .labels_plot import ALIKE, HARD, plot, summary
from .mazes import HELD_OUT, TRAINING

__all__ = ["Labels", "main", "plot", "run", "summary"]

LABELS: dict[str, Loss] = {
    HARD: nll,
    "KL, temperature 1": kl(1),
    "KL, temperature 2": kl(2),
    "KL, temperature 4": kl(4),
    "centred logits": mse,
}

WEIGHTS: dict[str, Loss] = {
    ALIKE: kl(),
    # Where two ways are alike the margin is 0, but the other actions are wrong: hence a floor.
    "by margin": weighted(kl(), margin, floor=0.2),
    "by criticality": weighted(kl(), criticality),
}

SLIP = 0.2

CAPTION = "share of the best return kept, mean over seeds and 95% interval; differences by pairs"


class Study(NamedTuple):
    """How the students of a question learn."""

    observation: ObservationLike
    temperature: float  # of the teacher, in units of return
    width: int  # units of the student
    steps: int  # gradient steps
    learning_rate: float
    batch_size: int


FEW = Study({"kind": "window", "radius": 7}, 0.05, 32, 500, 3e-3, 64)
"""All of the open ground is in the window: the goal's place beside the agent's, and the edges."""

OPEN_GROUND = MazeGenerator(8, "empty")
"""No wall, and the goal anywhere."""

LEVELS = 300
"""Levels of open ground that states are labelled in."""

TINY = Study({"kind": "window", "radius": 3}, 0.005, 3, 4000, 3e-2, 512)
"""Three units, between 98 inputs and 4 actions."""

SIDE = 7
"""Of the crossings."""

STARTS = 6
"""First weights that a tiny student chooses from, each tried for half of its steps."""

JUDGED = 40
"""Levels that few labels are judged on."""


@dataclass(frozen=True)
class Labels(ExperimentConfig):
    """What soft labels are worth where labels are few, and weights where a student is tiny."""

    name: ClassVar[str] = "labels"

    runs: int = 16
    """Seeds: other first weights and batches, and other labelled states."""
    labelled: tuple[int, ...] = (25, 50, 100, 200)
    """Numbers of labelled states."""
    few_steps: int = FEW.steps
    """Gradient steps of a student with few labels."""
    tiny_steps: int = TINY.steps
    """Gradient steps of a tiny student."""
    seed: int = 0
    """Settles every number."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def total_runs(self) -> int:
        """Seeds of both questions together."""
        return 2 * self.runs


@cache
def few_ground() -> tuple[Ground, Ground]:
    """Where states are labelled, and where students of few labels are judged."""
    known = range(TRAINING.first, TRAINING.first + LEVELS)
    unseen = range(HELD_OUT.first, HELD_OUT.first + JUDGED)
    one, other = (
        Ground(map(OPEN_GROUND.make, levels), FEW.observation, SLIP) for levels in (known, unseen)
    )
    return one, other


@cache
def tiny_ground() -> Ground:
    """Where a tiny student learns and is judged; its floor is not slippery."""
    return Ground(crossings(SIDE), TINY.observation, 0.0)


def main(config: Labels) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, no steps, or a number of labelled states that there are
            not.
        OSError: if the output folder cannot be written.
    """
    check_runs(config.runs)
    for name in ("few_steps", "tiny_steps"):
        checked_number(name, getattr(config, name), 1, whole=True)
    most = LEVELS * (OPEN_GROUND.shape[0] * OPEN_GROUND.shape[1] - 1)
    for number in config.labelled:
        if not 1 <= number <= most:
            raise ValueError(f"labelled={number}; expected between 1 and {most} states")
    cache_dir = cache_folder(config)
    run_module(__name__, config, title="Labels and weights", caption=CAPTION, cache_dir=cache_dir)


def run(
    config: Labels, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Returns:
        A row for each run, number of labelled states and loss: kept; and with `_weights` behind
        the name a row for each run and weights: parameters, kept.
    """
    numbers = range(config.runs)
    jobs = [(config, kind, number) for kind in ("few", "tiny") for number in numbers]
    tables = run_jobs(trial, jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    return {
        config.name: stack(tables[: config.runs]),
        f"{config.name}_weights": stack(tables[config.runs :]),
    }


def trial(config: Labels, kind: str, number: int) -> Table:
    """One seed of one of the questions."""
    torch.set_num_threads(1)
    sequence = np.random.SeedSequence([config.seed, number])
    seed = int(sequence.generate_state(1)[0] % 2**31)
    return few_labels(config, number, seed) if kind == "few" else tiny(config, number, seed)


def few_labels(config: Labels, number: int, seed: int) -> Table:
    """Every loss on the same labelled states, which more labels add to; judged on other levels."""
    known, unseen = few_ground()
    order = np.random.default_rng(seed).permutation(len(known.values))
    every = stored(known, FEW)
    rows: list[dict[str, Any]] = []
    for count in config.labelled:
        labels = every.take(order[:count])
        for name, loss in LABELS.items():
            student = taught(beginner(labels, FEW, seed), labels, loss, FEW, config.few_steps, seed)
            kept = unseen.kept(student.action_logits(unseen.observations))
            rows.append({"run": number, "labelled": count, "loss": name, "kept": kept})
    return _columns(rows)


def tiny(config: Labels, number: int, seed: int) -> Table:
    """Each way of weighting all states of all crossings; judged on the same."""
    ground, steps = tiny_ground(), config.tiny_steps
    every = stored(ground, TINY)
    starts = np.random.SeedSequence(seed).generate_state(STARTS).tolist()
    rows: list[dict[str, Any]] = []
    for name, loss in WEIGHTS.items():
        best, _ = best_restart(
            [beginner(every, TINY, start) for start in starts],
            every,
            steps=-(-steps // 2),
            total_steps=steps,
            **settings(loss, TINY, seed),
        )
        student = taught(beginner(every, TINY, starts[best]), every, loss, TINY, steps, seed)
        kept = ground.kept(student.action_logits(ground.observations))
        parameters = student.num_parameters
        rows.append({"run": number, "weights": name, "parameters": parameters, "kept": kept})
    return _columns(rows)


def stored(ground: Ground, study: Study) -> Dataset:
    """All states with the teacher's answers."""
    labelled = ground.labelled_by(study.temperature)
    return Dataset(make_batch(ground.observations, labelled), batch_size=study.batch_size)


def beginner(labels: Dataset, study: Study, seed: int) -> MLP:
    """A student of the labels that has learned nothing; the seed settles its first weights."""
    return MLP(labels.rows.observations.shape[1:], 4, study.width, seed=seed)


def taught(
    student: Student, labels: Dataset, loss: Loss, study: Study, steps: int, seed: int
) -> Student:
    """The student, trained; the same seed gives the same batches."""
    return (
        Distiller(student, labels, total_steps=steps, **settings(loss, study, seed))
        .distil()
        .student
    )


def settings(loss: Loss, study: Study, seed: int) -> dict[str, Any]:
    """Those of `Distiller` that trials of first weights and whole trainings have in common."""
    return {"loss": loss, "learning_rate": study.learning_rate, "device": "cpu", "seed": seed}


def _columns(rows: list[dict[str, Any]]) -> Table:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
