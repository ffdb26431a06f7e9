"""Born-again networks: generations of one size, each taught by the former."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dynamaze.common.validation import checked_integer

from ..students.initial import initial_weights
from ..teachers.ensemble import Ensemble
from ..training.loop import Loop
from ..training.method import Method, Update, Weight, checked_weight, weight_at


@dataclass
class BornAgain(Method):
    """Born-again networks, BAN: generations of one size, each taught by the former.

    Furlanello, Lipton, Tschannen, Itti & Anandkumar 2018, "Born again neural networks", ICML,
    section 3. The training steps are divided into equal generations. The first learns from labels;
    each later one begins with new random weights, and learns from labels and, with `weight`,
    KL(former || student). `ensemble` returns the mean of all generations (the paper's BANE).

    A student is the last of its generations. The former ones are parts, and so in checkpoints.

    Args:
        weight: of the divergence from the former generation, a number or a function of the
            progress in the generation. At 0 nothing is inherited: there is one generation, `soft`.
        generations: their number, which divides `total_steps`.
    """

    weight: Weight = 1.0
    generations: int = 3

    def setup(self, loop: Loop) -> None:
        """Add the former generations of each student, whose schedules begin anew with each.

        Raises:
            ValueError: for a weight below 0, or generations that do not divide the steps.
            TypeError: for a student whose initial weights cannot be drawn.
        """
        checked_weight("weight", self.weight)
        count = checked_integer("generations", self.generations, 1)
        if loop.total_steps % count:
            raise ValueError(
                f"total_steps={loop.total_steps}; expected a multiple of generations={count}"
            )
        if self.weight == 0:
            return
        loop.spans = count
        for name, student in loop.students.items():
            initial_weights(student, np.random.default_rng(0))  # raises before the training does
            for number in range(1, count):
                former = copy.deepcopy(student).requires_grad_(False)
                loop.add(generation_name(name, number), former, learning_rate=0)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Begin a generation if it is time; update each student."""
        number, done = divmod(loop.step, loop.total_steps // loop.spans)
        if number and not done:
            for name in loop.students:
                loop.copy_weights(generation_name(name, number), name)
                loop.restart(name)
        weight, batch, updates = weight_at(self.weight, loop.progress), loop.draw(), []
        for name in loop.students:
            outputs = loop.answers(name, batch.observations)
            terms = {"soft": loop.supervised(name, outputs, batch)}
            if number and weight:
                former = loop.answers(generation_name(name, number), batch.observations)[-1]
                terms["former"] = weight * loop.divergence(name, outputs, former.logits)
            updates.append(Update((name,), terms))
        yield from updates

    def ensemble(self, loop: Loop, name: str) -> Ensemble:
        """Return the ensemble of a student's generations so far; they are copied.

        Raises:
            TypeError: for students of continuous actions.
        """
        span = loop.total_steps // loop.spans
        begun = max(loop.step - 1, 0) // span
        former = [loop.parts[generation_name(name, n)].module for n in range(1, begun + 1)]
        return Ensemble(copy.deepcopy([*former, loop.students[name]]))


def generation_name(student: str, number: int) -> str:
    """Return the name of the part of a former generation, which are numbered from 1."""
    return f"{student}, generation {number}"
