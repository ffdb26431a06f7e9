"""Codistillation: students learn from copies of each other that are some steps old."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from dynamaze.common.validation import checked_integer

from ..training.loop import Loop
from ..training.method import Update
from .mutual import Mutual


@dataclass
class Codistillation(Mutual):
    """Codistillation: `Mutual` with copies of the peers that are some steps old.

    Anil et al. 2018, "Large scale distributed neural network training through online
    distillation", ICLR, algorithm 1. So workers need not exchange anything at each step; here all
    are in one process, bit for bit the same at each run (`exchange` has workers in processes).

    Sources are those of `Mutual`. The copies are parts that are stored in checkpoints.

    Args:
        weight: of the divergence from the copies of the peers, a number or a function of the
            progress, such as one that is 0 at the beginning (the paper's burn-in).
        every: steps between two copies; 1 is `Mutual`.
    """

    every: int = 25

    def setup(self, loop: Loop) -> None:
        """Add a copy of each student.

        Raises:
            ValueError: as `Mutual`, and for a number of steps below 1.
        """
        super().setup(loop)
        checked_integer("every", self.every, 1)
        for name, student in loop.students.items():
            fixed = copy.deepcopy(student).requires_grad_(False)
            loop.add(self.peer(name), fixed, learning_rate=0)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Copy the students now and then; otherwise as `Mutual`."""
        if loop.step % self.every == 0:
            for name in loop.students:
                loop.copy_weights(self.peer(name), name)
        yield from super().step(loop)

    def peer(self, name: str) -> str:
        """Return the name of a student's copy."""
        return f"copy of {name}"
