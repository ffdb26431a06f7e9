"""Deep mutual learning: students teach each other (Zhang et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from dynamaze.common.optional_imports import optional_import

from ..core.distributions import distribution_of
from ..students.base import TrainingOutput
from ..training.loop import Loop
from ..training.method import Method, Update, Weight, checked_weight, weight_at

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message

SHARED = "shared"
"""Name of the source whose states all students answer, beside those of their own."""


@dataclass
class Mutual(Method):
    """Deep mutual learning, DML: each student follows its labels and the answers of its peers.

    Zhang, Xiang, Hospedales & Lu 2018, "Deep mutual learning", CVPR, equations 5 to 9. The loss of
    a student is that of its labels and `weight` times KL(peer || student), the mean over the peers.

    Sources:

    - one: all students get its batch. Labels are those of the source or of the teacher; without
      labels the students have each other only.
    - one for each student, by its name: data of its own. Peers answer the states of the source
      "shared", which need no labels (any that it has are not used); without it those of the
      student's own batch.

    Difference from the paper: the answers of all students are computed before any is updated, not
    anew after each update, so that the order of the students does not matter.

    Args:
        weight: of the divergence from the peers, a number or a function of the progress. At 0 the
            shared source is not drawn from.
    """

    weight: Weight = 1.0

    def setup(self, loop: Loop) -> None:
        """Check the students and the sources.

        Raises:
            ValueError: for a weight below 0, one student, students of different actions, or
                sources of other names.
        """
        checked_weight("weight", self.weight)
        self.check_students(loop)
        students, sources = set(loop.students), set(loop.sources)
        if len(sources) > 1 and sources - {SHARED} != students:
            raise ValueError(
                f"sources {sorted(sources)} of {type(self).__name__}; expected one, or one for "
                f"each student, {sorted(students)}, and perhaps {SHARED!r}"
            )

    def step(self, loop: Loop) -> Iterator[Update]:
        """Draw the batches, let all students answer, and update each."""
        weight = weight_at(self.weight, loop.progress)
        own, common = self._states(loop)
        drawn = set(own.values()) | (set(common.values()) if weight else set())
        batches = {
            source: loop.draw_unlabelled(source) if source == SHARED else loop.draw(source)
            for source in loop.sources
            if source in drawn
        }

        @cache
        def answers(part: str, source: str) -> list[TrainingOutput]:
            return loop.answers(part, batches[source].observations)

        updates = []
        for name in loop.students:
            terms = {}
            if batches[own[name]].labels is not None or not weight:
                outputs = answers(name, own[name])
                terms["soft"] = loop.supervised(name, outputs, batches[own[name]])
            teachers = [self.peer(other) for other in self.teachers(loop, name)] if weight else []
            if teachers:
                source = common[name]
                peers = [answers(teacher, source)[-1].logits for teacher in teachers]
                outputs = answers(name, source)
                divergences = [loop.divergence(name, outputs, each) for each in peers]
                terms["peers"] = weight * torch.stack(divergences).mean()
            if terms:  # a worker without labels and without peers has nothing to learn from
                updates.append(Update((name,), terms))
        yield from updates

    def check_students(self, loop: Loop) -> None:
        """Check that there are several students, of the same actions where these are known.

        Raises:
            ValueError: otherwise.
        """
        method = type(self).__name__
        if len(loop.students) < 2:
            raise ValueError(
                f"{method} with 1 student; expected at least 2, which teach each other"
            )
        kinds = {name: distribution_of(each) for name, each in loop.students.items()}
        outputs = {name: each.num_outputs for name, each in loop.students.items()}
        known = {number for number in outputs.values() if number is not None}
        if len(set(kinds.values())) > 1 or len(known) > 1:
            raise ValueError(
                f"{method} with students of {kinds} actions and {outputs} outputs; expected the "
                "same of each"
            )

    def teachers(self, loop: Loop, name: str) -> list[str]:
        """Return the students that teach a student at this step."""
        return [other for other in loop.students if other != name]

    def peer(self, name: str) -> str:
        """Return the part that answers for a student when it teaches."""
        return name

    @staticmethod
    def _states(loop: Loop) -> tuple[dict[str, str], dict[str, str]]:
        """Return each student's source of labels, and that of the states that its peers answer."""
        (first, *others) = loop.sources
        if not others:
            only = dict.fromkeys(loop.students, first)
            return only, only
        own = {name: name for name in loop.students}
        return own, dict.fromkeys(own, SHARED) if SHARED in loop.sources else own
