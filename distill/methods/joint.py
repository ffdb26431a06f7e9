"""Joint training of teacher and students (Sun & Fazli 2019; Messikommer et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from dynamaze.common.optional_imports import optional_import

from ..core.distributions import distribution_of
from ..training.loop import TEACHER, Loop
from ..training.method import Method, Update, Weight, checked_weight, weight_at
from .reinforced import action_distribution

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch.distributions import kl_divergence  # noqa: E402


@dataclass
class Joint(Method):
    """Teacher and students that are trained at once (real-time policy distillation, RPD).

    The teacher, a network, learns the labels of the source; each student follows the teacher as it
    is at that step (Sun & Fazli 2019, arXiv 1912.12630). So there is no training of the teacher
    before, and one pass of it serves both. With a `weight` the teacher is student-informed
    (Messikommer et al. 2024, arXiv 2412.09149): weight * KL(teacher || student) in its loss keeps
    it where the students can follow.

        Distiller(student, source, Joint(), teacher=network, total_steps=1000)

    The teacher's part is "teacher". With `teacher_rate` 0 it is fixed, and this is `soft`.

    Args:
        weight: of the divergence from the students, their mean, in the teacher's loss: a number, or
            a function of the progress in [0, 1].
        teacher_rate: initial step size of the teacher; 0 for a fixed one.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"module"})

    weight: Weight = 0.0
    teacher_rate: float = 1e-3

    def setup(self, loop: Loop) -> None:
        """Add the teacher.

        Raises:
            ValueError: for a weight or a step size below 0, or a student that is the teacher.
        """
        checked_weight("weight", self.weight)
        loop.add(TEACHER, loop.teacher_module(), learning_rate=self.teacher_rate)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update the teacher on a batch's labels, and the students on the teacher's outputs."""
        batch, weight = loop.draw_unlabelled(), weight_at(self.weight, loop.progress)
        outputs = {name: loop.answers(name, batch.observations) for name in loop.students}
        taught = loop.answers(TEACHER, batch.observations)
        logits = taught[-1].logits
        if self.teacher_rate:
            terms = {"labels": loop.supervised(TEACHER, taught, batch)}
            if weight:
                kinds = {name: distribution_of(loop.students[name]) for name in outputs}
                divergences = [
                    kl_divergence(
                        action_distribution(logits, kinds[name]),
                        action_distribution(each[-1].logits.detach(), kinds[name]),
                    ).mean()
                    for name, each in outputs.items()
                ]
                terms["students"] = weight * torch.stack(divergences).mean()
            yield Update((TEACHER,), terms)
        labels = batch.targets._replace(logits=logits.detach(), values=None)
        for name, each in outputs.items():
            yield Update(
                (name,), {"soft": loop.supervised(name, each, replace(batch, labels=labels))}
            )
