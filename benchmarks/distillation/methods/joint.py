"""Experiment of joint training: teacher and student at once, against one after the other."""

from __future__ import annotations

from typing import Any

from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.soft_labels import (
    FEW_LABELS,
    few_label_states,
    label_dataset,
)
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method

TEACHER_WIDTH, STUDENT_WIDTH = 256, 32
RATE = 3e-3
SHARE = 0.6
"""Steps of the joint training, relative to those of each phase of the pipeline."""

PASSES = {"forward": 1, "training": 3}
"""Cost of a pass in forward passes; a backward pass costs about two."""


def trial(seed: int, *, steps: int = 1000) -> Arms:
    """Train teacher and student in turn and at once, from the same initial weights."""
    known, unseen = few_label_states()
    labels = label_dataset(known, FEW_LABELS)
    shape = labels.rows.observations.shape[1:]

    def networks() -> tuple[MLP, MLP]:
        teacher = MLP(shape, 4, TEACHER_WIDTH, layers=2, seed=seed)
        return teacher, MLP(shape, 4, STUDENT_WIDTH, seed=seed)

    def score(network: MLP) -> float:
        return 100 * unseen.normalised_return(network.action_logits(unseen.observations))

    settings: dict[str, Any] = {"learning_rate": RATE, "seed": seed, "device": "cpu"}
    teacher, student = networks()
    large, small = (each.multiply_adds(shape) for each in (teacher, student))
    Distiller(teacher, labels, total_steps=steps, **settings).distil()

    def sample(rng: Any, progress: float) -> Any:
        return labels.batch(rng, progress).observations

    Distiller(student, FunctionSource(teacher, sample), total_steps=steps, **settings).distil()
    forward, training = PASSES["forward"], PASSES["training"]
    pipeline_cost = steps * (training * large + forward * large + training * small)
    arms = {
        "its teacher": {"return": score(teacher)},
        "pipeline": {"return": score(student), "saved": 0.0},
    }
    joint_steps = max(1, round(SHARE * steps))
    cost = joint_steps * training * (large + small)
    for arm, weight in (("joint", 0.0), ("student-informed", 0.3)):
        teacher, student = networks()
        method = make_method("joint", weight=weight, teacher_rate=RATE)
        loop = Distiller(
            student, labels, method, teacher=teacher, total_steps=joint_steps, **settings
        )
        loop.distil()
        saved = 100 * (1 - cost / pipeline_cost)
        arms[arm] = {"return": score(student), "saved": saved}
        arms[f"teacher, {arm}"] = {"return": score(teacher)}
    return arms


EXPERIMENT = MethodExperiment(
    name="joint",
    method="joint",
    setting=(
        "Slippery open 8x8 grids with exact labels of 300 levels; teacher MLP 2 x 256, student MLP "
        "32. Pipeline: 1,000 steps of the teacher, then 1,000 of the student; joint: 600 of both. "
        "Saved: multiply-adds in percent, a backward pass as two forward passes; 40 unseen levels."
    ),
    trial=trial,
    comparisons=(
        Comparison("joint", "pipeline", -5, NULL),
        Comparison("joint", "pipeline", 40, measure="saved"),
        Comparison("student-informed", "joint", -2, NULL),
    ),
    runs=8,
    lesson=(
        "A student need not wait for its teacher: trained at once, both see the same batches, and "
        "one pass of the teacher serves both."
    ),
    columns=("return", "saved"),
    testing={"steps": 5},
)
