"""Codistillation: students learn from copies of each other that are some steps old."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dynamaze.common.validation import checked_integer

from ..training.loop import Loop
from ..training.method import Update
from .exchange import WeightExchange
from .mutual import Mutual


@dataclass
class Codistillation(Mutual):
    """Codistillation: `Mutual` with copies of the peers that are some steps old.

    Anil et al. 2018, "Large scale distributed neural network training through online
    distillation", ICLR, algorithm 1. Sources are those of `Mutual`.

    In one process all students are those of the loop, and each run gives the same bits. In worker
    processes each has a loop of its own with one student, and they exchange weights through a
    folder (see `exchange`):

        method = Codistillation(folder="exchange", peers=("b", "c"))
        Distiller({"a": student}, {"a": own, "shared": states}, method, total_steps=1000).distil()

    No worker waits for another after the beginning, so that results depend on their speed. One
    that was killed is dropped after `patience` seconds; it comes back when it resumes a checkpoint.
    Workers' students are of one kind and size.

    Args:
        weight: of the divergence from the copies of the peers, a number or a function of the
            progress, such as one that is 0 at the beginning (the paper's burn-in).
        every: steps between two copies; 1 in one process is `Mutual`.
        folder: where worker processes exchange weights; None for one process.
        peers: names of the other workers' students.
        patience: seconds without new weights after which a worker is dropped.
    """

    every: int = 25
    folder: str | os.PathLike[str] | None = None
    peers: Sequence[str] = ()
    patience: float = 30.0

    def __post_init__(self) -> None:
        self.folder = None if self.folder is None else os.fspath(self.folder)
        self._exchange: WeightExchange | None = None

    def setup(self, loop: Loop) -> None:
        """Add a copy of each peer.

        Raises:
            ValueError: as `Mutual`, for a number of steps below 1, peers without a folder; and in
                a worker for several students, or names as `WeightExchange` refuses them.
        """
        checked_integer("every", self.every, 1)
        super().setup(loop)
        for name in self.peers or loop.students:
            student = loop.students.get(name, next(iter(loop.students.values())))
            fixed = copy.deepcopy(student).requires_grad_(False)
            loop.add(self.peer(name), fixed, learning_rate=0)

    def check_students(self, loop: Loop) -> None:
        """Check the students, and in a worker its name and those of its peers.

        Raises:
            ValueError: see `setup`.
        """
        if self.folder is None:
            if self.peers:
                raise ValueError(
                    f"peers={list(self.peers)} without a folder; expected folder=, or no peers"
                )
            super().check_students(loop)
            return
        if len(loop.students) > 1:
            raise ValueError(
                f"students {list(loop.students)} of a worker; expected one, by its own name"
            )
        (name,) = loop.students
        self._exchange = WeightExchange(self.folder, name, self.peers, patience=self.patience)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Copy the peers now and then; otherwise as `Mutual`."""
        exchange = self._exchange
        if loop.step % self.every == 0:
            if exchange is None:
                for name in loop.students:
                    loop.copy_weights(self.peer(name), name)
            else:
                self._read(loop, exchange)
        yield from super().step(loop)
        if exchange is not None and loop.step + 1 == loop.total_steps:
            (student,) = loop.students.values()
            exchange.publish(student, loop.total_steps, loop.total_steps)

    def peer(self, name: str) -> str:
        """Return the name of a student's copy."""
        return f"copy of {name}"

    def teachers(self, loop: Loop, name: str) -> list[str]:
        """Return the peers of a student; in a worker those that are active."""
        if self._exchange is None:
            return super().teachers(loop, name)
        return [each for each in self.peers if self._exchange.is_active(each)]

    def _read(self, loop: Loop, exchange: WeightExchange) -> None:
        """Publish the student's weights, and copy those of the others that are new."""
        (student,) = loop.students.values()
        if loop.step == 0:
            exchange.begin(student, loop.total_steps)
        else:
            exchange.publish(student, loop.step, loop.total_steps)
        for name in self.peers:
            weights = exchange.news(name, student)
            if weights is not None:
                loop.restart(self.peer(name), weights)

    def get_state(self) -> dict[str, Any]:
        """Return what was read of the others' files."""
        return {} if self._exchange is None else self._exchange.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        if self._exchange is not None:
            self._exchange.set_state(state)
