"""Experiment of layer-wise distillation: a transformer of 2 layers follows one of 4."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from dynamaze.benchmarks.distillation.mazes import MazeSampler, evaluate_policy
from dynamaze.benchmarks.distillation.methods.harness import (
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.teacher_transformer import (
    TransformerTeacherConfig,
    generator_of,
    held_out,
    train_transformer,
)
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.transformer import Transformer
from dynamaze.distill.training.distiller import Distiller, TrainingStep
from dynamaze.distill.training.method import make_method

SIDE: Final = 7
KIND: Final = "obstacles"

TEACHER_STEPS, STEPS, MAZES = 1200, 300, 200
"""Training steps of the teacher and of a student, and mazes of the evaluation."""

LEARNING_RATE = 3e-3

SMOOTHED = 20
"""Steps over which a loss is averaged before it is compared."""

SPEED = "speed"
"""Measure: steps of the baseline, divided by those until its last loss was reached."""

SOFT, LAYERS, STAGES = "soft targets alone", "layerwise", "two stages"

ARMS: dict[str, dict[str, float]] = {
    LAYERS: {},
    STAGES: {"answers_from": 0.5, "layers_until": 0.5},
}
"""Settings of the method, by arm."""


@cache
def teacher_network(steps: int) -> Transformer:
    """Return a transformer of 4 layers of 64, trained from exact policies once in each process."""
    config = TransformerTeacherConfig(steps=steps, sizes=(SIDE,), kinds=(KIND,))
    return train_transformer(config)


def trial(
    seed: int,
    *,
    teacher_steps: int = TEACHER_STEPS,
    steps: int = STEPS,
    mazes: int = MAZES,
) -> Arms:
    """Train a student by soft targets alone, and by inner layers with them and before them."""
    teacher = teacher_network(teacher_steps)
    sampler = MazeSampler((generator_of(KIND, SIDE, "train"),))
    arms: Arms = {}
    reached = 0.0  # the last loss of soft targets alone, the first arm
    for arm in (SOFT, *ARMS):
        losses: list[float] = []

        def record(step: TrainingStep, losses: list[float] = losses) -> None:
            losses.append(step.terms.get("student/soft", np.inf))

        student = Transformer(2, 32, 4, seed=seed)
        method: Any = make_method("layerwise", **ARMS[arm]) if arm in ARMS else "soft"
        Distiller(
            student,
            FunctionSource(teacher, sampler),
            method,
            total_steps=steps,
            learning_rate=LEARNING_RATE,
            device="cpu",
            seed=seed,
        ).distil(callback=record)
        result = evaluate_policy(student, held_out(KIND, SIDE, mazes))
        smooth = smoothed(losses)
        reached = smooth[-1] if arm == SOFT else reached
        arms[arm] = {
            RETURN: 100 * result.normalised_return,
            SPEED: speed(smooth, reached) if arm != SOFT else 1.0,
        }
    return arms


def smoothed(losses: list[float]) -> list[float]:
    """Return the mean of each loss and those before it, at most `SMOOTHED`."""
    return [float(np.mean(losses[max(0, n + 1 - SMOOTHED) : n + 1])) for n in range(len(losses))]


def speed(losses: list[float], reached: float) -> float:
    """Return all steps divided by those until a loss was reached; 1 if it was not."""
    steps = next((n for n, loss in enumerate(losses, 1) if loss <= reached), len(losses))
    return len(losses) / steps


EXPERIMENT = MethodExperiment(
    name="layerwise",
    method="layerwise",
    setting=(
        f"Transformer of 2 layers of 32, {STEPS} steps on {SIDE}x{SIDE} mazes with obstacles; the "
        f"teacher has 4 layers of 64. Speed: steps divided by those until the last loss of soft "
        f"targets alone. {MAZES} unseen mazes, from every cell."
    ),
    trial=trial,
    comparisons=(
        Comparison(LAYERS, SOFT, 3.0),
        Comparison(LAYERS, SOFT, 1 / 0.7 - 1, measure=SPEED),
        Comparison(STAGES, SOFT, 3.0),
        Comparison(STAGES, LAYERS, 0.0),
    ),
    runs=8,
    lesson=(
        "A transformer's inner layers teach a smaller one, and most in a first stage of their own, "
        "before the answers."
    ),
    columns=(RETURN, SPEED),
    testing={"teacher_steps": 1, "steps": 2, "mazes": 2},
)
