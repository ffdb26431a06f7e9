"""Experiments of structured distillation: hints, pair-wise similarities and holistic critics."""

from __future__ import annotations

from functools import partial

from dynamaze.benchmarks.distillation.mazes import MazeSampler
from dynamaze.benchmarks.distillation.methods.harness import (
    HELPS,
    NULL,
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.methods.maze_teacher import (
    SIDE,
    TEACHER_STEPS,
    maze_teacher,
    percent_on,
)
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method
from dynamaze.envs.generation import MazeGenerator

SOFT = "soft targets alone"

STEPS, MAZES = 300, 200
"""Training steps of a student, and mazes of its evaluation."""

LEARNING_RATE = 1e-2

SETTING = (
    f"Convolution of 8 channels and 4 layers, {STEPS} steps on perfect {SIDE}x{SIDE} mazes; the "
    f"teacher is a residual network of 131,556 parameters; {MAZES} unseen mazes from every cell."
)

TESTING = {"teacher_steps": 1, "steps": 1, "mazes": 2}


def trial(
    seed: int,
    *,
    method: str,
    weight: float,
    teacher_steps: int = TEACHER_STEPS,
    steps: int = STEPS,
    mazes: int = MAZES,
) -> Arms:
    """Train a student with soft targets alone, and the same with the method's term as well."""
    teacher = maze_teacher(teacher_steps)
    sampler = MazeSampler((MazeGenerator(SIDE),))
    arms: Arms = {}
    for arm, made in ((SOFT, make_method("soft")), (method, make_method(method, weight=weight))):
        student = Convolution((3, SIDE, SIDE), 4, 8, layers=4, seed=seed)
        Distiller(
            student,
            FunctionSource(teacher, sampler),
            made,
            total_steps=steps,
            learning_rate=LEARNING_RATE,
            device="cpu",
            seed=seed,
        ).distil()
        arms[arm] = {RETURN: percent_on(student, "perfect", mazes)}
    return arms


HINTS, PAIRWISE, HOLISTIC = (
    MethodExperiment(
        name=method,
        method=method,
        setting=SETTING,
        trial=partial(trial, method=method, weight=weight),
        comparisons=(Comparison(method, SOFT, demand, claim),),
        runs=8,
        lesson=lesson,
        testing=TESTING,
    )
    for method, weight, demand, claim, lesson in (
        (
            "hints",
            1.0,
            1.0,
            HELPS,
            "A small network learns more from the teacher's inner layer than from its answers "
            "alone, and forgets the projection afterwards.",
        ),
        (
            "pairwise",
            10.0,
            2.0,
            HELPS,
            "Which cells the teacher takes for similar is knowledge, and needs no projection.",
        ),
        (
            "holistic",
            0.03,
            -3.0,
            NULL,
            "A critic of whole policy maps adds nothing to exact targets in every cell, and costs "
            "time.",
        ),
    )
)
