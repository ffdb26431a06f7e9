"""Task of the experiments with rewards: slippery open grids with the goal anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import gymnasium as gym

from dynamaze.benchmarks.distillation.labelled_states import LabelledStates
from dynamaze.benchmarks.distillation.mazes import GAMMA, HELD_OUT
from dynamaze.benchmarks.distillation.soft_labels import (
    EVALUATION_LEVELS,
    FEW_LABELS,
    OPEN_GRID,
    SLIP,
    few_label_states,
    label_dataset,
)
from dynamaze.distill.data.on_policy import OnPolicy
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.teachers import as_teacher
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method
from dynamaze.envs.generation import MazeGenerator

SIDE = OPEN_GRID.shape[0]
WIDTH = 32
"""Units of a student."""

ENVS, ROLLOUT = 64, 16
"""Environments, and their steps in a rollout."""

RATE = 3e-3
MAX_STEPS = 40
WEAK_PERCENT = 80
"""Return at which the training of a weak teacher stops."""


def grids(side: int = SIDE, envs: int = ENVS) -> Any:
    """Return the environments of a student, with a reward of 1 at the goal alone."""
    return gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=envs,
        size=side,
        algorithm="empty",
        levels=HELD_OUT.first,  # those of the evaluation are never trained on
        observation=FEW_LABELS.observation,
        slip_probability=SLIP,
        max_episode_steps=MAX_STEPS,
    )


@cache
def unseen_states(side: int = SIDE) -> LabelledStates:
    """Return all states of the levels of the evaluation."""
    levels = range(HELD_OUT.first, HELD_OUT.first + EVALUATION_LEVELS)
    return LabelledStates(
        map(MazeGenerator(side, "empty").make, levels), FEW_LABELS.observation, SLIP
    )


def percent(policy: Student, side: int = SIDE) -> float:
    """Return the normalised return of the greedy policy on unseen levels, exactly, in percent."""
    unseen = unseen_states(side)
    return 100 * unseen.normalised_return(policy.action_logits(unseen.observations))


def new_student(seed: int, width: int = WIDTH) -> MLP:
    """Return an untrained student, for grids of any side."""
    return MLP(unseen_states().observations.shape[1:], 4, width, seed=seed)


def weak_teacher(seed: int, least: float = WEAK_PERCENT) -> MLP:
    """Return a network whose training on exact labels was stopped at a return in percent."""
    labels = label_dataset(few_label_states()[0], FEW_LABELS)
    teacher = MLP(labels.rows.observations.shape[1:], 4, 2 * WIDTH, seed=seed + 1000)
    loop = Distiller(teacher, labels, total_steps=1000, seed=seed, device="cpu")
    for step in loop.steps():
        if step.step % 2 == 0 and percent(teacher) >= least:
            break
    return teacher


def distilled(teacher: MLP, seed: int, steps: int, temperature: float) -> MLP:
    """Return a student that has imitated a teacher in all states of the training levels.

    The teacher's logits are divided by the temperature.
    """
    known, student = label_dataset(few_label_states()[0], FEW_LABELS), new_student(seed)
    sharpened = as_teacher(teacher, temperature=temperature)
    source = FunctionSource(
        sharpened, lambda rng, progress: known.batch(rng, progress).observations
    )
    loop = Distiller(
        student, source, total_steps=steps, learning_rate=RATE, seed=seed, device="cpu"
    )
    loop.distil()
    return student


def loop_with_rewards(
    students: Mapping[str, Student],
    method: str,
    rollouts: int,
    seed: int,
    *,
    teacher: Any = None,
    sides: Mapping[str, int] | None = None,
    envs: int = ENVS,
    **settings: Any,
) -> Distiller:
    """Return the training of students, each in grids of its own.

    Args:
        students: by name.
        method: a method of `METHODS` with rewards.
        rollouts: training steps.
        seed: of all random numbers.
        teacher: labels the rollouts; None without.
        sides: of each student's grids; None for `SIDE`.
        envs: environments of each student.
        **settings: of the method.
    """
    sources = {
        name: OnPolicy(
            grids(SIDE if sides is None else sides[name], envs),
            each,
            teacher=teacher,
            steps=ROLLOUT,
        )
        for name, each in students.items()
    }
    return Distiller(
        students,
        sources,
        make_method(method, gamma=GAMMA, **settings),
        total_steps=rollouts,
        learning_rate=RATE,
        seed=seed,
        device="cpu",
    )


def loop_with_acting_teacher(
    student: Student, teacher: Student, rollouts: int, seed: int, *, side: int, **settings: Any
) -> Distiller:
    """Return the training of a student that follows a teacher, which acts, by `joint_reward`.

    Args:
        student: the student.
        teacher: the teacher.
        rollouts: training steps.
        seed: of all random numbers.
        side: of the grids.
        **settings: of the method.
    """
    return Distiller(
        student,
        OnPolicy(grids(side), teacher, steps=ROLLOUT),
        make_method("joint_reward", gamma=GAMMA, **settings),
        teacher=teacher,
        total_steps=rollouts,
        learning_rate=RATE,
        seed=seed,
        device="cpu",
    )


def train(student: Student, method: str, rollouts: int, seed: int, **settings: Any) -> float:
    """Train one student, and return its normalised return in percent."""
    loop_with_rewards({"student": student}, method, rollouts, seed, **settings).distil()
    return percent(student)


def percents(loop: Distiller, name: str) -> Iterator[float]:
    """Train, and generate the normalised return of a student after each training step."""
    for _ in loop.steps():
        yield percent(loop.students[name])
