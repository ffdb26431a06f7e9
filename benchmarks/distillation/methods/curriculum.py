"""Experiment of the curriculum: does a value iteration network need exact path lengths?

Its training weighs each iteration's loss by path lengths to the goal. By default they come from a
breadth-first search in each batch: privileged information. Those of the teacher's own greedy paths
need the teacher alone; where it errs, they are too long, or missing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from dynamaze.benchmarks.distillation.mazes import (
    TRAINING,
    HeldOut,
    MazeSampler,
    evaluate_policy,
    held_out_generators,
)
from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.methods.maze_teacher import (
    SIDE,
    TEACHER_STEPS,
    held_out_mazes,
    maze_teacher,
)
from dynamaze.benchmarks.distillation.student import RESTART_FRACTION
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.distill.data.path_lengths import teacher_path_lengths
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.value_iteration import PathLengths, ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_restart
from dynamaze.envs.generation import MazeGenerator

STEPS, MAZES, RESTARTS = 800, 100, 3
"""Training steps, held-out mazes of each kind, and random initialisations of a student."""

SETTINGS: dict[str, Any] = {"learning_rate": 0.05, "device": "cpu"}

LARGE = 31
"""Side of larger perfect mazes, which are not trained on."""

SUCCESS, LARGE_SUCCESS = "success", f"success, {LARGE}x{LARGE}"

TEACHER = "teacher"
EXACT, TEACHERS, NONE = "exact path lengths", "the teacher's path lengths", "no path lengths"


def trial(
    seed: int, *, teacher_steps: int = TEACHER_STEPS, steps: int = STEPS, mazes: int = MAZES
) -> Arms:
    """Train three students on the same batches, and evaluate them and the teacher."""
    teacher = maze_teacher(teacher_steps)
    curricula: dict[str, bool | PathLengths] = {
        EXACT: True,
        TEACHERS: teacher_path_lengths(teacher),
        NONE: False,
    }
    generators = tuple(held_out_generators(SIDE).values())
    source = FunctionSource(teacher, MazeSampler(generators), (TRAINING,))
    students = {
        name: best_initial(curriculum, source, seed, steps)
        for name, curriculum in curricula.items()
    }
    Distiller(students, source, total_steps=steps, seed=seed, **SETTINGS).distil()
    return {name: measures(each, mazes) for name, each in {TEACHER: teacher, **students}.items()}


def best_initial(
    curriculum: bool | PathLengths, source: FunctionSource, seed: int, steps: int
) -> Student:
    """Return an untrained student with the best of several initialisations, by its own loss."""
    candidates = [
        ValueIterationNetwork(8, curriculum=curriculum, seed=seed_of(seed, number))
        for number in range(RESTARTS)
    ]
    trial_steps = max(1, round(RESTART_FRACTION * steps))
    best, _ = best_restart(
        candidates, source, steps=trial_steps, total_steps=steps, seed=seed, **SETTINGS
    )
    return ValueIterationNetwork(8, curriculum=curriculum, seed=seed_of(seed, best))


def measures(policy: Student, mazes: int) -> dict[str, float]:
    """Return return and success rate, means over the kinds, and that in larger mazes; in percent.

    Args:
        policy: the policy.
        mazes: held-out mazes of each kind.
    """
    found = [
        evaluate_policy(policy, held_out_mazes(kind, mazes)) for kind in held_out_generators(SIDE)
    ]
    return {
        RETURN: 100 * float(np.mean([each.normalised_return for each in found])),
        SUCCESS: 100 * float(np.mean([each.success for each in found])),
        LARGE_SUCCESS: 100 * evaluate_policy(policy, large_mazes(mazes)).success,
    }


@cache
def large_mazes(count: int) -> HeldOut:
    """Return held-out perfect mazes that are larger than those of the training."""
    return HeldOut.generate(MazeGenerator(LARGE), count)


EXPERIMENT = MethodExperiment(
    name="curriculum",
    method="soft",
    setting=(
        f"Unseen mazes of {SIDE}x{SIDE}, perfect, with loops and with obstacles, labelled by a "
        "residual network of 131,556 parameters; value iteration networks of 8 channels, the best "
        f"of {RESTARTS} initialisations by its loss, {STEPS} steps on the same batches. Evaluation "
        f"from every cell of {MAZES} held-out mazes of each kind, and of perfect ones of "
        f"{LARGE}x{LARGE}."
    ),
    trial=trial,
    comparisons=(
        Comparison(TEACHERS, EXACT, -1.0, NULL, measure=SUCCESS),
        Comparison(TEACHERS, EXACT, -1.0, NULL, measure=LARGE_SUCCESS),
        Comparison(TEACHERS, NONE, 20.0, measure=SUCCESS),
        Comparison(TEACHERS, NONE, 20.0, measure=LARGE_SUCCESS),
    ),
    runs=8,
    lesson=(
        "By the lengths of the teacher's own paths a network passes its teacher, as it does by "
        "exact ones; a bad initialisation fails with either, and without any no network solves all "
        "mazes."
    ),
    columns=(RETURN, SUCCESS, LARGE_SUCCESS),
    testing={"teacher_steps": 1, "steps": 2, "mazes": 2},
)
