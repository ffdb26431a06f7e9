"""Latency of students, one observation at a time and on one thread."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.benchmarks.harness.timing import (
    Measure,
    SpeedRow,
    time_alternately,
    with_libraries,
)
from dynamaze.distill.export.common.operations import ValueIteration
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells, split_queries

WINDOW, ACTIONS = (7, 7, 3), 7
"""Observation shape and number of actions of MiniGrid, for the student of 1,247 parameters."""

TEACHER_WIDTH = 1024

WAVE_TARGETS = {11: 5, 21: 20, 31: 50}
"""Side of a maze -> microseconds of a decision of a value iteration network, at most."""

SIZES, STEPS = (4, 8, 16, 32, 64), 5
"""Channels of students that are trained together, and the number of timed steps."""


@with_libraries("torch", "stable_baselines3")
def mlp(repeats: int) -> list[SpeedRow]:
    """Latency of an MLP of 1,247 parameters, compiled and in C, against a large SB3 teacher."""
    from dynamaze.distill.core.size import microseconds
    from dynamaze.distill.export.compiled import build_policy
    from dynamaze.distill.files.students import to_stored
    from dynamaze.distill.students.mlp import MLP

    student = MLP(WINDOW, ACTIONS, 8)
    observation = np.random.default_rng(0).random(WINDOW, dtype=np.float32)
    teacher = _sb3_teacher()
    baseline = microseconds(lambda: teacher.predict(observation, deterministic=True))
    policy = build_policy(to_stored(student))
    ours = microseconds(lambda: policy.act(observation))
    name = f"student of {student.num_parameters:,} parameters"
    rows = [
        SpeedRow(
            f"{name}, compiled",
            f"{ours:.2f} us",
            f"SB3's predict, {sum(w.numel() for w in teacher.policy.parameters()):,} parameters",
            f"{baseline:.0f} us",
            f"{baseline / ours:.0f}x",
            "<= 1.5 us, >= 150x",
            ours <= 1.5 and baseline / ours >= 150,
        )
    ]
    in_c = _in_c(student, observation)
    if in_c is not None:
        rows.append(
            SpeedRow(
                f"{name}, in C",
                f"{in_c:.2f} us",
                "compiled",
                f"{ours:.2f} us",
                f"{ours / in_c:.1f}x",
                "<= 0.5 us",
                in_c <= 0.5,
            )
        )
    return rows


@with_libraries("torch")
def value_iteration_network(repeats: int) -> list[SpeedRow]:
    """Latency of the value iteration network of 113 parameters, against breadth-first search."""
    from dynamaze.distill.core.size import microseconds
    from dynamaze.distill.export.compiled import CompiledPolicy
    from dynamaze.envs.generation.planes import fill_optimal_policy

    rows = []
    policy = CompiledPolicy((exact_weights(),))
    for size, wanted in WAVE_TARGETS.items():
        planes = split_queries(query_all_cells(MazeGenerator(size), [0]))[:1]
        work = (*np.empty((2, (size + 2) ** 2), np.int64), np.empty((1, 4)))
        baseline = microseconds(partial(fill_optimal_policy, planes, *work))
        times = {
            "compiled": microseconds(partial(policy.act, planes[0])),
            "in C": _in_c(policy, planes[0], "-O2"),
        }
        rows += [
            SpeedRow(
                f"value iteration network of 113 parameters, {size}x{size}, {form}",
                f"{ours:.1f} us",
                "breadth-first search",
                f"{baseline:.1f} us",
                f"{baseline / ours:.2f}x",
                f"<= {wanted} us",
                ours <= wanted,
            )
            for form, ours in times.items()
            if ours is not None
        ]
    return rows


@with_libraries("torch")
def convolution(repeats: int) -> list[SpeedRow]:
    """Latency of a small convolutional network in 11x11, compiled and in C, against torch."""
    from dynamaze.distill.core.size import microseconds
    from dynamaze.distill.export.compiled import build_policy
    from dynamaze.distill.files.students import to_stored
    from dynamaze.distill.students.conv import Convolution

    planes = split_queries(query_all_cells(MazeGenerator(11), [0]))[0]
    student = Convolution(planes.shape, 4)
    policy = build_policy(to_stored(student))
    baseline = microseconds(lambda: student.act(planes))
    times = {"compiled": microseconds(lambda: policy.act(planes)), "in C": _in_c(student, planes)}
    return [
        SpeedRow(
            f"convolution of {student.num_parameters:,} parameters, 11x11, {form}",
            f"{ours:.2f} us",
            "the same in torch",
            f"{baseline:.0f} us",
            f"{baseline / ours:.0f}x",
            "faster",
            ours < baseline,
        )
        for form, ours in times.items()
        if ours is not None
    ]


@with_libraries("torch")
def joint_training(repeats: int) -> list[SpeedRow]:
    """Training step of students of five sizes from one teacher pass, against the largest alone.

    Each is twice as wide as the one before; a batch has all cells of 48 mazes.
    """
    from dynamaze.distill.data.source import FunctionSource
    from dynamaze.distill.students.residual import Residual
    from dynamaze.distill.training.distiller import Distiller

    generator, teacher = MazeGenerator(11), Residual()

    def train(sizes: tuple[int, ...]) -> None:
        students = {str(channels): Residual(channels, 4) for channels in sizes}
        source = FunctionSource(teacher, lambda *_: query_all_cells(generator, range(48)))
        Distiller(students, source, total_steps=STEPS).distil()

    pair = time_alternately(lambda: train(SIZES), lambda: train(SIZES[-1:]), repeats)
    times = pair.ours / pair.baseline
    return [
        SpeedRow(
            f"a training step of {len(SIZES)} students",
            f"{pair.ours / STEPS * 1e3:.0f} ms",
            "the largest alone",
            f"{pair.baseline / STEPS * 1e3:.0f} ms",
            f"{times:.2f} times",
            "<= 2 times",
            times <= 2,
        )
    ]


def exact_weights() -> ValueIteration:
    """Return weights that solve every maze: each of the four maps moves values in one direction."""
    sides = (1, 5, 7, 3)
    reward, move = np.zeros((4, 2, 9), np.float32), np.zeros((4, 9), np.float32)
    for action, side in enumerate(sides):
        reward[action, :, side] = (-10.0, 20.0)
        move[action, side] = 1.0
    return ValueIteration(
        reward.reshape(4, 18),
        move,
        np.full(4, -0.01, np.float32),
        top=12.0,
        sharpness=1000.0,
    )


def _sb3_teacher() -> Any:
    """Return a PPO model of a teacher's size, untrained."""
    from stable_baselines3 import PPO

    class SpacesEnv(gym.Env[Any, Any]):  # never stepped
        observation_space = gym.spaces.Box(0.0, 1.0, WINDOW, np.float32)
        action_space = gym.spaces.Discrete(ACTIONS)

    layers = {name: [TEACHER_WIDTH, TEACHER_WIDTH] for name in ("pi", "vf")}
    return PPO("MlpPolicy", SpacesEnv(), policy_kwargs={"net_arch": layers}, device="cpu")


def _in_c(student: Any, observation: Any, *options: str) -> float | None:
    """Return the microseconds of a decision in C; None without a compiler.

    Args:
        student: a student or a compiled policy.
        observation: a single one.
        *options: more options for the compiler.
    """
    from dynamaze.distill.export.c_source.policy import CPolicy, find_compiler
    from dynamaze.distill.export.c_source.writer import export_c

    if find_compiler() is None:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder, "student.h")
        export_c(path, student, observation)
        return CPolicy(path, *options).microseconds(observation)


MEASUREMENTS: tuple[Measure, ...] = (
    mlp,
    value_iteration_network,
    convolution,
    joint_training,
)
