"""Arms of the comparison of methods: their networks, sources, and what their training uses."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.distillation.mazes import TRAINING, MazeSampler, held_out_generators
from dynamaze.benchmarks.distillation.methods.maze_teacher import SIDE
from dynamaze.distill.data.on_policy import OnPolicy
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.methods.data_free import coin_mazes
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.teachers import as_teacher
from dynamaze.distill.teachers.ensemble import Ensemble
from dynamaze.distill.teachers.modules import teacher_module
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import Method, make_method

EVERYTHING, RANDOM_STATES, ENSEMBLE = "one learner with everything", "random states", "ensemble"
SIMPLE = (EVERYTHING, RANDOM_STATES, ENSEMBLE)

LEARNING_RATE = 1e-2

COHORT = 3
"""Members of a cohort or an ensemble."""

MAZES_OF_COINS = 13
"""Mazes in a batch of random states, with about as many queried cells as in one of real mazes."""

TIMED_STEPS = 12
"""Training steps by which the cost of a step is measured, after as many before them."""

MULTIPLE = 12
"""Numbers of steps are multiples of it: an ensemble and generations divide them."""

COUNTED = ("steps", "labels", "unlabelled", "teacher_calls", "env_steps", "parameters", "bytes")
"""What an arm used, all members and networks of the training together."""

ENVS, ROLLOUT, MAX_STEPS = 32, 16, 100
"""Environments of a student that learns from rewards, their steps in a rollout, and an episode's
limit."""

TEACHERLESS = ("distral", "dual_policy", "ppo")
"""Methods that learn from rewards and have no teacher."""


def maze_source(teacher: Any) -> FunctionSource:
    """Return training mazes of the three kinds."""
    return CountedSource(teacher, MazeSampler(tuple(held_out_generators(SIDE).values())))


class CountedSource(FunctionSource):
    """Source that counts its labels and unlabelled states."""

    labels = unlabelled = env_steps = 0

    def batch(self, rng: np.random.Generator, progress: float) -> Any:
        """Return a batch, counted."""
        batch = super().batch(rng, progress)
        if batch.logits is None:
            self.unlabelled += int((batch.observations[:, 1] > 0.5).sum())
        else:
            self.labels += len(batch.logits)
        return batch


class CountedRollouts(OnPolicy):
    """Rollouts in training mazes with loops, with a reward at the goal, which are counted."""

    labels = unlabelled = env_steps = 0

    def __init__(self, student: Any, teacher: Any) -> None:
        envs = gym.make_vec(
            "DynaMazeGenerated-v0",
            num_envs=ENVS,
            size=SIDE,
            algorithm="prim",
            loops=0.3,
            levels=TRAINING.levels,
            observation="planes",
            max_episode_steps=MAX_STEPS,
        )
        super().__init__(envs, student, teacher=teacher, steps=ROLLOUT, levels=(TRAINING,))

    def batch(self, rng: np.random.Generator, progress: float) -> Any:
        """Return a batch, counted."""
        batch = super().batch(rng, progress)
        rows = len(batch.observations)
        self.env_steps += rows
        self.labels += 0 if batch.logits is None else rows
        return batch


def random_states(rng: np.random.Generator, progress: float) -> npt.NDArray[np.float32]:
    """Return mazes whose walls are drawn by coins, as data-free distillation does."""
    planes: npt.NDArray[np.float32] = coin_mazes(rng, MAZES_OF_COINS, SIDE, SIDE)
    return planes


@dataclass
class Training:
    """Loops of an arm, which run one after the other, and what they used."""

    arm: str
    loops: list[Distiller]
    teacher: Any
    calls: int = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the calls of the teacher's network; those of another teacher are not counted."""
        module = teacher_module(as_teacher(self.teacher))
        handle = None if module is None else module.register_forward_hook(self._count)
        try:
            yield
        finally:
            if handle is not None:
                handle.remove()

    def _count(self, *_: object) -> None:
        self.calls += 1

    def policies(self) -> list[Any]:
        """Return the trained policies whose results are averaged."""
        students = [student for loop in self.loops for student in loop.students.values()]
        return [Ensemble(students)] if self.arm == ENSEMBLE else list(students)

    def counts(self) -> dict[str, int]:
        """Return what was used, see `COUNTED`."""
        found = [each for loop in self.loops for each in loop.sources.values()]
        sources = {id(each): each for each in found}.values()  # an ensemble shares one
        parts = [part for loop in self.loops for part in loop.parts.values()]
        trained = sum(weight.numel() for part in parts for weight in part.weights)
        students = [student for loop in self.loops for student in loop.students.values()]
        return {
            "steps": sum(loop.step for loop in self.loops),
            "labels": sum(getattr(each, "labels", 0) for each in sources),
            "unlabelled": sum(getattr(each, "unlabelled", 0) for each in sources),
            "teacher_calls": self.calls,
            # Mazes of the other arms are drawn, and no environment is stepped.
            "env_steps": sum(getattr(each, "env_steps", 0) for each in sources),
            "parameters": trained,
            "bytes": sum(4 * student.num_parameters for student in students),
        }


def make_training(arm: str, teacher: Any, *, seed: int, steps: int) -> Training:
    """Return the untrained arm.

    Raises:
        TypeError, ValueError: for a method that does not fit the teacher or the students.
    """
    method: Method = make_method("soft" if arm in SIMPLE else arm)
    size = COHORT if method.least_students > 1 or arm == ENSEMBLE else 1
    students = {
        f"student {number + 1}": Convolution((3, SIDE, SIDE), 4, 8, layers=4, seed=seed + number)
        for number in range(size)
    }
    sources = sources_of(arm, method, teacher, students)
    groups = [{name: each} for name, each in students.items()] if arm == ENSEMBLE else [students]
    loops = [
        Distiller(
            group if len(group) > 1 else next(iter(group.values())),
            sources,
            make_method("soft" if arm in SIMPLE else arm),
            teacher=trained_teacher(arm, teacher),
            total_steps=steps // len(groups),
            learning_rate=LEARNING_RATE,
            device="cpu",
            seed=seed + number,
        )
        for number, group in enumerate(groups)
    ]
    return Training(arm, loops, teacher)


def trained_teacher(arm: str, teacher: Any) -> Any:
    """Return the teacher that a method is given."""
    if arm in TEACHERLESS:
        return None
    # Joint training changes its teacher; that of the other arms and the labels stays.
    return copy.deepcopy(teacher) if arm == "joint" else teacher


def sources_of(arm: str, method: Method, teacher: Any, students: Mapping[str, Any]) -> Any:
    """Return what an arm learns from."""
    if not method.takes_source:
        return None
    if "reward" in method.needs:
        labels = None if arm in TEACHERLESS else teacher
        return {name: CountedRollouts(each, labels) for name, each in students.items()}
    if arm == "confidence_weighted":
        return {"labelled": maze_source(teacher), "unlabelled": maze_source(None)}
    return CountedSource(teacher, random_states) if arm == RANDOM_STATES else maze_source(teacher)


def affordable_steps(arm: str, teacher: Any, seed: int, cpu_seconds: float) -> int:
    """Return the number of training steps that take a CPU time, measured on a few."""
    training = make_training(arm, teacher, seed=seed, steps=2 * COHORT * TIMED_STEPS)
    loop = training.loops[0].distil(TIMED_STEPS)
    began = time.process_time()
    loop.distil(TIMED_STEPS)
    steps = TIMED_STEPS * cpu_seconds / (time.process_time() - began)
    return MULTIPLE * max(1, round(steps / MULTIPLE))
