"""Experiment of data-free distillation: a student may know more than its teacher, by its prior.

The teacher is the only source of knowledge: no maze of the evaluation's kinds is seen. A value
iteration network learns to be right where the teacher is wrong, since its few weights can express
little but planning, and what is consistent in the teacher's answers is planning. Its training
weights cells by exact path lengths in each batch, which is privileged information, so that it also
runs without.
"""

from __future__ import annotations

from dynamaze.benchmarks.distillation.methods.harness import (
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
from dynamaze.distill.methods.data_free import DataFree
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller

KINDS = ("perfect", "loops", "obstacles")

STEPS, MAZES = 800, 100
"""Training steps of a student, and mazes of each kind in its evaluation."""

BATCH = 13
"""Mazes in a batch, of which all cells are queried."""

SUFFICIENT = 99.0
"""Normalised return in percent that the value iteration network is to exceed."""

TEACHER, DEMANDED = "teacher", f"{SUFFICIENT:g}%"
COINS, PIXELS, GENERATOR = (f"convolution, {states}" for states in ("coins", "pixels", "generator"))
PLANNER = "value iteration, coins"
NO_CURRICULUM = "value iteration without curriculum, coins"


def trial(
    seed: int, *, teacher_steps: int = TEACHER_STEPS, steps: int = STEPS, mazes: int = MAZES
) -> Arms:
    """Train students on made-up states, and evaluate them and the teacher on mazes."""
    teacher = maze_teacher(teacher_steps)
    policies: dict[str, Student] = {TEACHER: teacher}
    cohorts: dict[str, dict[str, Student]] = {
        "coins": {
            PLANNER: ValueIterationNetwork(seed=seed),
            NO_CURRICULUM: ValueIterationNetwork(seed=seed, curriculum=False),
            COINS: convolution(seed),
        },
        "pixels": {PIXELS: convolution(seed)},
        "generator": {GENERATOR: convolution(seed)},
    }
    for states, students in cohorts.items():
        policies |= (
            Distiller(
                students,
                None,
                DataFree(states, SIDE, SIDE, BATCH),
                teacher=teacher,
                total_steps=steps,
                learning_rate={name: rate_of(student) for name, student in students.items()},
                device="cpu",
                seed=seed,
            )
            .distil()
            .students
        )
    arms = {name: measures(policy, mazes) for name, policy in policies.items()}
    return {**arms, DEMANDED: dict.fromkeys((*KINDS, RETURN), SUFFICIENT)}


def convolution(seed: int) -> Convolution:
    """Return an untrained convolution of 8 channels and 4 layers."""
    return Convolution((3, SIDE, SIDE), 4, 8, layers=4, seed=seed)


def rate_of(student: Student) -> float:
    """Return a student's step size."""
    return 0.05 if isinstance(student, ValueIterationNetwork) else 1e-2


def measures(policy: Student, mazes: int) -> dict[str, float]:
    """Return the normalised return in mazes of each kind, in percent, and its mean."""
    found = {kind: percent_on(policy, kind, mazes) for kind in KINDS}
    return {RETURN: sum(found.values()) / len(KINDS), **found}


EXPERIMENT = MethodExperiment(
    name="data_free",
    method="data_free",
    setting=(
        "No environment and no data: the teacher, a residual network of 131,556 parameters, "
        f"answers in made-up {SIDE}x{SIDE} states alone: walls by coins of U(0, 0.6) and one goal, "
        f"pixels of U(0, 1), or those of a learned generator; {STEPS} steps of {BATCH} mazes. "
        f"Evaluation in {MAZES} unseen mazes of each kind."
    ),
    trial=trial,
    comparisons=(
        *(Comparison(PLANNER, DEMANDED, 0.0, measure=kind) for kind in KINDS),
        Comparison(PLANNER, TEACHER, 10.0, measure="perfect"),
        Comparison(COINS, PIXELS, 0.0),
        Comparison(GENERATOR, COINS, 5.0),
        Comparison(PLANNER, NO_CURRICULUM, 0.0),
    ),
    runs=8,
    lesson=(
        "Random mazes and a teacher's answers are enough for a network whose architecture is "
        "planning, and it passes its teacher; but its training orders the cells by exact path "
        "lengths, and without this curriculum it does not."
    ),
    columns=(RETURN, *KINDS),
    testing={"teacher_steps": 1, "steps": 1, "mazes": 2},
)
