"""Command `dynamaze distill soft-labels`: the gain of soft labels and of loss weights.

The teacher has the exact value of each action; its logits are these values divided by a
temperature.

1. Few labels: a student is trained on a few states of an open grid with the teacher's labels, and
   evaluated on held-out grids. The floor is slippery, so that action values differ by various
   amounts. Hard labels give the best action; soft labels also give the loss of the others. All
   losses have the same states and initial weights, so they are compared as paired differences.
2. Weights: a student that is nearly too small is trained on all states of all `crossings`, and
   evaluated on them: are weights by the teacher's certainty (`margin`) or by the importance of the
   choice (`criticality`) better than uniform ones? All weightings have the same initial weights,
   several of them, and continue with the best by their own loss.

The evaluation is the normalised return of the greedy policy from every state, exactly: the Bellman
equations of the policy are solved. Beside it stands the success rate by distance to the goal, where
no step slips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch

from dynamaze.benchmarks.distillation.by_distance import (
    distance_sections,
    result_rows,
    split_ranges,
)
from dynamaze.benchmarks.distillation.labelled_states import LabelledStates, crossings
from dynamaze.benchmarks.distillation.mazes import HELD_OUT, TRAINING
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, mean_interval
from dynamaze.benchmarks.harness.analysis.plots import (
    BLUE,
    COLOURS,
    REFERENCE,
    line_with_band,
    number_ticks,
    panels,
    points_of_runs,
    points_with_bars,
)
from dynamaze.benchmarks.harness.analysis.summaries import count_text, mean_text, share_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    from_rows,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.options import Range, Runs, Steps
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.losses import Loss, criticality, kl, margin, mse, nll, weighted
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_restart
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.observations import ObservationLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


HARD, UNIFORM = "hard labels", "uniform"
"""Baselines of the comparisons."""

LABEL_LOSSES: dict[str, Loss] = {
    HARD: nll,
    "KL, temperature 1": kl(1),
    "KL, temperature 2": kl(2),
    "KL, temperature 4": kl(4),
    "centred logits": mse,
}

# In most states several shortest paths exist, and the teacher's probability is divided among them.
# The loss for preferring one of them is as large as for uncertainty where only one action is best,
# although nothing is lost: weights direct a small student's capacity to the other states.
WEIGHTED_LOSSES: dict[str, Loss] = {
    UNIFORM: kl(),
    # Where two actions are equally good the margin is 0, but the others are wrong: hence a floor.
    "by margin": weighted(kl(), margin, floor=0.2),
    "by criticality": weighted(kl(), criticality),
}

SLIP = 0.2

SUFFICIENT_PERCENT = 99
"""Normalised return in percent that a small student should reach."""


class StudentSetting(NamedTuple):
    """Observation, teacher and training of a student."""

    observation: ObservationLike
    temperature: float  # of the teacher, in units of return
    width: int  # units of the student
    steps: int  # gradient steps
    learning_rate: float
    batch_size: int


FEW_LABELS = StudentSetting({"kind": "window", "radius": 7}, 0.05, 32, 500, 3e-3, 64)
"""The window shows the whole grid: the goal relative to the agent, and the edges."""

OPEN_GRID = MazeGenerator(8, "empty")
"""Grids without walls, with the goal anywhere."""

LEVELS = 300
"""Levels of the open grids whose states are labelled."""

MOST_LABELLED = LEVELS * (OPEN_GRID.shape[0] * OPEN_GRID.shape[1] - 1)
"""Labelled states, at most: all of them."""

SMALL_STUDENT = StudentSetting({"kind": "window", "radius": 3}, 0.005, 3, 4000, 3e-2, 512)
"""Three hidden units, between 98 inputs and 4 actions."""

SIDE = 7
"""Side of the crossings."""

RESTARTS = 6
"""Random initialisations of a small student, each tried for half of the training steps."""

EVALUATION_LEVELS = 40
"""Levels of the evaluation with few labels."""


@dataclass(frozen=True)
class SoftLabelsConfig(ExperimentConfig):
    """Gain of soft labels where labels are few, and of loss weights where a student is small."""

    name: ClassVar[str] = "soft_labels"
    title: ClassVar[str] = "Soft labels and weights"
    swept: ClassVar[tuple[str, ...]] = ("labelled", "few_steps", "small_steps")

    runs: Runs = 16
    """Seeds: of initial weights and batches, and of the labelled states."""
    labelled: tuple[Annotated[int, Range(1, MOST_LABELLED)], ...] = (25, 50, 100, 200)
    """Numbers of labelled states."""
    few_steps: Steps = FEW_LABELS.steps
    """Gradient steps of a student with few labels."""
    small_steps: Steps = SMALL_STUDENT.steps
    """Gradient steps of a small student."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Numbers of labelled states, each with all losses; then the small student."""
        few = [
            Setting(("few", self.few_steps, count), self.runs, f"{count} labelled states")
            for count in self.labelled
        ]
        return [*few, Setting(("small", self.small_steps, 0), self.runs, "small student")]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "normalised return, mean over n seeds and Student's 95% interval; paired differences; "
            "shares of the runs: Wilson's; success rates: from every state, where no step slips; "
            f"{FEW_RUNS_NOTE}"
        )


@cache
def few_label_states(
    levels: int = LEVELS, evaluation_levels: int = EVALUATION_LEVELS
) -> tuple[LabelledStates, LabelledStates]:
    """Return the states that are labelled, and those of the evaluation with few labels."""
    known = range(TRAINING.first, TRAINING.first + levels)
    unseen = range(HELD_OUT.first, HELD_OUT.first + evaluation_levels)
    one, other = (
        LabelledStates(map(OPEN_GRID.make, levels), FEW_LABELS.observation, SLIP)
        for levels in (known, unseen)
    )
    return one, other


@cache
def small_student_states() -> LabelledStates:
    """Return the states of a small student's training and evaluation; the floor is not slippery."""
    return LabelledStates(crossings(SIDE), SMALL_STUDENT.observation, 0.0)


def run(config: SoftLabelsConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each run, number of labelled states and loss: success, normalised_return; named
        `..._weights`, a row for each run and weighting: parameters, success, normalised_return; and
        for both, named `..._distances`, a row for each range of distances to the goal.
    """
    *few, small = (runner or Runner()).run(trial, config)
    labels, label_ranges = split_ranges(stack_runs(few, by_number=True))
    weights, weight_ranges = split_ranges(stack_runs([small]))
    return {
        config.name: labels,
        f"{config.name}_weights": weights,
        f"{config.name}_distances": label_ranges,
        f"{config.name}_weights_distances": weight_ranges,
    }


def trial(config: SoftLabelsConfig, kind: str, steps: int, labelled: int, number: int) -> Table:
    """Run one seed of one of the studies, for some gradient steps."""
    torch.set_num_threads(1)
    seed = seed_of(config.seed, number)
    if kind == "few":
        return train_few_labels(labelled, steps, number, seed)
    return train_small(steps, number, seed)


def train_few_labels(labelled: int, steps: int, number: int, seed: int) -> Table:
    """Train with every loss on the same labelled states, and evaluate on other levels."""
    known, unseen = few_label_states()
    # The states of a smaller number are among those of a larger one.
    order = np.random.default_rng(seed).permutation(len(known.values))
    labels = label_dataset(known, FEW_LABELS).take(order[:labelled])
    rows: list[dict[str, Any]] = []
    for name, loss in LABEL_LOSSES.items():
        student = train(
            initial_student(labels, FEW_LABELS, seed), labels, loss, FEW_LABELS, steps, seed
        )
        rows += evaluated(student, unseen, {"run": number, "labelled": labelled, "loss": name})
    return from_rows(rows)


def train_small(steps: int, number: int, seed: int) -> Table:
    """Train with each weighting on all states of all crossings, and evaluate on the same."""
    states = small_student_states()
    every = label_dataset(states, SMALL_STUDENT)
    starts = np.random.SeedSequence(seed).generate_state(RESTARTS).tolist()
    rows: list[dict[str, Any]] = []
    for name, loss in WEIGHTED_LOSSES.items():
        best, _ = best_restart(
            [initial_student(every, SMALL_STUDENT, start) for start in starts],
            every,
            steps=-(-steps // 2),
            total_steps=steps,
            **distiller_settings(loss, SMALL_STUDENT, seed),
        )
        student = train(
            initial_student(every, SMALL_STUDENT, starts[best]),
            every,
            loss,
            SMALL_STUDENT,
            steps,
            seed,
        )
        about = {"run": number, "weights": name, "parameters": student.num_parameters}
        rows += evaluated(student, states, about)
    return from_rows(rows)


def evaluated(
    student: Student, states: LabelledStates, about: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of a student's evaluation in all states (`result_rows`)."""
    logits = student.action_logits(states.observations)
    success = states.success(logits)
    measures = {"success": success.rate, "normalised_return": states.normalised_return(logits)}
    return result_rows(about, measures, success.by_distance)


def label_dataset(states: LabelledStates, setting: StudentSetting) -> Dataset:
    """Return all states with the teacher's labels."""
    labelled = states.teacher_logits(setting.temperature)
    return Dataset(make_batch(states.observations, labelled), batch_size=setting.batch_size)


def initial_student(labels: Dataset, setting: StudentSetting, seed: int) -> MLP:
    """Return an untrained student; the seed determines its initial weights."""
    return MLP(labels.rows.observations.shape[1:], 4, setting.width, seed=seed)


def train(
    student: Student, labels: Dataset, loss: Loss, setting: StudentSetting, steps: int, seed: int
) -> Student:
    """Train a student and return it; the same seed gives the same batches."""
    return (
        Distiller(student, labels, total_steps=steps, **distiller_settings(loss, setting, seed))
        .distil()
        .student
    )


def distiller_settings(loss: Loss, setting: StudentSetting, seed: int) -> dict[str, Any]:
    """Return the settings of `Distiller` that restarts and whole trainings have in common."""
    return {"loss": loss, "learning_rate": setting.learning_rate, "device": "cpu", "seed": seed}


# -- plot and summary --------------------------------------------------------------------------


def summary(tables: Tables, config: SoftLabelsConfig) -> dict[str, Lines]:
    """Return each loss's normalised return and its paired gain; the same for each weighting."""
    rows, weight_rows = tables[config.name], tables[f"{config.name}_weights"]
    few: Lines = [("labelled", "loss", "n", "normalised return", "points above hard labels")]
    for count in np.unique(rows["labelled"]).tolist():
        few += [
            (str(count), *line)
            for line in _compared(rows_where(rows, labelled=count), "loss", HARD, "mean")
        ]
    parameters = int(weight_rows["parameters"][0])
    weights: Lines = [
        (
            "weights",
            "n",
            "normalised return",
            "points above uniform",
            f"runs at {SUFFICIENT_PERCENT}% or more",
        )
    ]
    # Few of the small students are good: a rare mode.
    for line in _compared(weight_rows, "weights", UNIFORM, "time"):
        own = 100 * rows_where(weight_rows, weights=line[0])["normalised_return"]
        sufficient = own >= SUFFICIENT_PERCENT
        weights.append((*line, f"{sufficient.sum()}: {share_text(sufficient)}"))
    names = f"{config.name}_distances", f"{config.name}_weights_distances"
    label_ranges, weight_ranges = map(tables.get, names)
    return {
        "Few labels, held-out levels": few,
        **distance_sections(label_ranges, "loss", mazes="labelled"),
        f"Weights, a student of {parameters} parameters": weights,
        **distance_sections(weight_ranges, "weights", mazes="parameters"),
    }


def _compared(rows: Table, column: str, base: str, kind: str) -> Lines:
    """Return a line for each method: name, runs, normalised return, paired gain over a base."""
    lines: Lines = []
    for name in distinct(rows, column):
        own = 100 * rows_where(rows, **{column: name})["normalised_return"]
        gain = own - 100 * rows_where(rows, **{column: base})["normalised_return"]
        above = "-" if name == base else mean_text(gain, kind=kind, sign="+")
        lines.append((name, str(len(own)), mean_text(own, kind=kind, unit="%"), above))
    return lines


def plot(tables: Tables, config: SoftLabelsConfig) -> Figure:
    """Return the plot: normalised return against labelled states, and of each weighting."""
    rows, weight_rows = tables[config.name], tables[f"{config.name}_weights"]
    figure, ((left, right),) = panels(1, 2, size=(11, 4.5), width_ratios=(3, 2))
    counts = np.unique(rows["labelled"])
    for name in distinct(rows, "loss"):
        own = rows_where(rows, loss=name)
        returns = np.stack(
            [100 * rows_where(own, labelled=count)["normalised_return"] for count in counts], 1
        )
        marker, style = ("s", "--") if name == HARD else ("o", "-")
        line_with_band(
            left,
            counts,
            mean_interval(returns),
            marker=marker,
            linestyle=style,
            label=name,
            color=COLOURS[name],
            markersize=4,
        )
    left.set_xscale("log")
    number_ticks(left, counts)
    left.set_xlabel("labelled states")
    left.set_ylabel("normalised return, %")
    left.set_title("few labels, held-out levels")
    left.legend()
    names = distinct(weight_rows, "weights")
    for at, name in enumerate(names):
        each = 100 * rows_where(weight_rows, weights=name)["normalised_return"]
        points_of_runs(right, at, each)
        points_with_bars(right, at, mean_interval(each), fmt="o", color=BLUE)
    right.axhline(SUFFICIENT_PERCENT, **REFERENCE, label=f"{SUFFICIENT_PERCENT}%")
    right.set_xticks(range(len(names)), names)
    right.set_ylabel("normalised return, %")
    parameters = int(weight_rows["parameters"][0])
    right.set_title(f"weights of states, a student of {parameters} parameters")
    right.legend()
    runs = count_text(len(distinct(rows, "run")))
    figure.suptitle(f"{config.title}: mean, {runs} seeds, 95% interval")
    return figure


if __name__ == "__main__":
    run_script(__file__)
