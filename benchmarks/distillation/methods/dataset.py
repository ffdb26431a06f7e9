"""Experiment of dataset distillation: a handful of synthetic states instead of many real ones."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from dynamaze.benchmarks.distillation.labelled_states import LabelledStates, crossings
from dynamaze.benchmarks.distillation.methods.harness import (
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.losses import margin
from dynamaze.distill.methods.dataset import DatasetDistillation, SyntheticStates
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller

SIDE, RADIUS, TEMPERATURE = 7, 3, 0.005
"""Side of the crossings, radius of the window, and the teacher's temperature."""

MARGIN_FLOOR = 0.2
"""Weight of a state where the best two actions are equally good; elsewhere the margin is added."""

WIDTH, BATCH = 16, 256
"""Units of a student, and real states in a batch."""

FIXED, RANDOM = 12, 40
"""Synthetic states: 3 an action for fixed initial weights, 10 an action for random ones."""

STEPS, RANDOM_STEPS, INNER_STEPS, REAL_STEPS, FRESH = 2000, 2000, 10, 1500, 8
"""Training steps of the states; of a student on them; and on real states; fresh students."""

REAL_RATE = 3e-3
"""Step size on real states."""

SYNTHETIC_FIXED, REAL_FIXED = f"{FIXED} synthetic states, fixed", f"{FIXED} real states"
SYNTHETIC_RANDOM, REAL_RANDOM = f"{RANDOM} synthetic states, random", f"{RANDOM} real states"


@cache
def states() -> LabelledStates:
    """Return all states of all crossings."""
    return LabelledStates(crossings(SIDE), {"kind": "window", "radius": RADIUS}, 0.0)


def trial(
    seed: int, *, steps: int = STEPS, random_steps: int = RANDOM_STEPS, real_steps: int = REAL_STEPS
) -> Arms:
    """Learn synthetic states for fixed and for random initial weights; train on real ones, too."""
    labels = teacher_labels()
    arms: Arms = {}
    fixed = distilled(labels, seed, steps, DatasetDistillation(FIXED, INNER_STEPS))
    arms[SYNTHETIC_FIXED] = {RETURN: percent(fixed.student)}
    method = DatasetDistillation(RANDOM, INNER_STEPS, "random")
    arms[SYNTHETIC_RANDOM] = {
        RETURN: percent_of_fresh(distilled(labels, seed, random_steps, method))
    }
    chosen = np.random.default_rng(seed).permutation(len(labels))
    for name, count in ((REAL_FIXED, FIXED), (REAL_RANDOM, RANDOM)):
        arms[name] = {RETURN: percent_of_real(labels.take(chosen[:count]), seed, real_steps)}
    return {**arms, "95%": {RETURN: 95.0}, "60%": {RETURN: 60.0}}


@cache
def teacher_labels() -> Dataset:
    """Return all states with the exact teacher's labels."""
    found = states()
    logits = found.teacher_logits(TEMPERATURE)
    # In most states two actions are equally good, and either will do (see `soft_labels`).
    weights = margin(torch.as_tensor(logits)) + MARGIN_FLOOR
    return Dataset(make_batch(found.observations, logits, weights.numpy()), batch_size=BATCH)


def new_student(seed: int) -> MLP:
    """Return an untrained student."""
    return MLP(states().observations.shape[1:], 4, WIDTH, seed=seed)


def distilled(labels: Dataset, seed: int, steps: int, method: DatasetDistillation) -> Distiller:
    """Return the loop after the training of synthetic states."""
    return Distiller(
        new_student(seed), labels, method, total_steps=steps, device="cpu", seed=seed
    ).distil()


def percent(student: Student) -> float:
    """Return a student's normalised return in all crossings, in percent."""
    return 100 * states().normalised_return(student.action_logits(states().observations))


def percent_of_fresh(loop: Distiller) -> float:
    """Return the mean of students with new initial weights that are trained on the states."""
    synthetic = loop.parts["student.states"].module
    assert isinstance(synthetic, SyntheticStates)
    found = []
    for number in range(FRESH):
        fresh = new_student(seed_of(loop.seed, number))
        weights = dict(fresh.named_parameters())
        fresh.load_state_dict(synthetic.trained_weights(fresh, weights, loop.loss))
        found.append(percent(fresh))
    return float(np.mean(found))


def percent_of_real(labels: Dataset, seed: int, steps: int) -> float:
    """Return the result of a student that is trained on some real states, by Adam."""
    student = new_student(seed)
    Distiller(
        student, labels, total_steps=steps, learning_rate=REAL_RATE, device="cpu", seed=seed
    ).distil()
    return percent(student)


EXPERIMENT = MethodExperiment(
    name="dataset",
    method="dataset",
    setting=(
        f"All 1,764 states of the 42 crossings of {SIDE}x{SIDE}, an MLP of {WIDTH} units. "
        f"{FIXED} synthetic states (3 an action) for fixed initial weights, {RANDOM} (10 an "
        f"action) for random ones, {INNER_STEPS} steps of gradient descent on them; real states "
        f"with {REAL_STEPS} steps of Adam. Evaluation in all states, for random initial weights "
        f"the mean of {FRESH} new students."
    ),
    trial=trial,
    comparisons=(
        Comparison(SYNTHETIC_FIXED, REAL_FIXED, 0.0),
        Comparison(SYNTHETIC_FIXED, "95%", 0.0),
        Comparison(SYNTHETIC_RANDOM, REAL_RANDOM, 0.0),
        Comparison(SYNTHETIC_RANDOM, "60%", 0.0),
    ),
    runs=8,
    lesson=(
        "Made-up states with learned labels teach a network more than as many real states; it "
        "takes more of them for networks whose initial weights are not known before."
    ),
    testing={"steps": 1, "random_steps": 1, "real_steps": 1},
)
