"""Teacher of the experiments on generated mazes, trained once in each process."""

from __future__ import annotations

from functools import cache

import torch

from dynamaze.benchmarks.distillation.mazes import (
    HeldOut,
    MazeSampler,
    evaluate_policy,
    held_out_generators,
)
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation.planes import ShortestPathPolicy

SIDE = 11
"""Side of the mazes."""

TEACHER_STEPS = 1800
"""Training steps of the teacher, about half a minute on one core."""

TEACHER_CELLS, LEARNING_RATE = 2000, 3e-3


@cache
def maze_teacher(steps: int = TEACHER_STEPS) -> Residual:
    """Return a residual network of 131,556 parameters, trained from exact optimal policies.

    Its mazes are perfect, with loops and with obstacles, all of 11x11. It is trained once in each
    process, to the same bits.
    """
    network = Residual(32, 6)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
    generators = tuple(held_out_generators(SIDE).values())
    source = FunctionSource(ShortestPathPolicy(), MazeSampler(generators, cells=TEACHER_CELLS))
    Distiller(
        network, source, total_steps=steps, learning_rate=LEARNING_RATE, device="cpu"
    ).distil()
    return network.eval()


@cache
def held_out_mazes(kind: str, count: int) -> HeldOut:
    """Return held-out mazes of a kind: perfect, loops or obstacles."""
    return HeldOut.generate(held_out_generators(SIDE)[kind], count)


def percent_on(policy: object, kind: str, mazes: int) -> float:
    """Return a policy's normalised return in held-out mazes of a kind, in percent."""
    return 100 * evaluate_policy(policy, held_out_mazes(kind, mazes)).normalised_return
