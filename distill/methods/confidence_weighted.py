"""Unlabelled states, whose loss is scaled by the teacher's confidence (Mehta & Ozturk 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.registry import Registry

from ..core.distributions import CATEGORICAL, distribution_of
from ..core.losses import Targets, criticality, margin
from ..training.batches import TensorBatch
from ..training.loop import Loop
from ..training.method import Method, Update, Weight, checked_weight, weight_at

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402

LABELLED, UNLABELLED = "labelled", "unlabelled"
"""Names of the sources."""

CONFIDENCES: Registry[Callable[[Tensor], Tensor]] = Registry(
    "confidence",
    {
        "margin": margin,
        "criticality": criticality,
        "none": lambda logits: torch.ones(len(logits), device=logits.device),
    },
)
"""Name -> function from the teacher's (queries, actions) logits to (queries,) factors."""


@dataclass
class ConfidenceWeighted(Method):
    """Labelled states, and unlabelled ones that count as far as the teacher is sure of them.

    Mehta & Ozturk 2018, "Object detection at 200 frames per second", section 3.2: the teacher's
    answers on unlabelled images, each scaled by its objectness, are added to the labels. Here the
    objectness is the teacher's confidence in a state, such as `losses.margin`.

    Sources: "labelled" (labels of its own, else the teacher's) and "unlabelled", which the teacher
    labels. The loss is the loop's of a labelled batch, and `weight` times the mean over an
    unlabelled one of confidence times loss.

    Args:
        weight: of the unlabelled states, a number or a function of the progress; at 0 none is
            drawn.
        confidence: a name of `CONFIDENCES`: "margin", "criticality", or "none" for the same factor
            of all states.
    """

    weight: Weight = 1.0
    confidence: str = "margin"

    def setup(self, loop: Loop) -> None:
        """Check the teacher and the sources.

        Raises:
            ValueError: for a weight below 0, an unknown confidence, or sources of other names.
            TypeError: without a teacher, or for a confidence of continuous actions.
        """
        checked_weight("weight", self.weight)
        CONFIDENCES.find(self.confidence)
        if set(loop.sources) != {LABELLED, UNLABELLED}:
            raise ValueError(
                f"sources {sorted(loop.sources)} of ConfidenceWeighted; expected "
                f"{[LABELLED, UNLABELLED]}"
            )
        if loop.teacher is None:
            raise TypeError(
                "ConfidenceWeighted without a teacher; expected one, which labels the unlabelled "
                "states: Distiller(..., teacher=)"
            )
        kinds = {distribution_of(each) for each in loop.students.values()}
        if self.confidence != "none" and kinds != {CATEGORICAL}:
            raise TypeError(
                f"confidence={self.confidence!r} for continuous actions; expected 'none'"
            )

    def step(self, loop: Loop) -> Iterator[Update]:
        """Draw a batch of each source, and update each student."""
        weight = weight_at(self.weight, loop.progress)
        labelled, updates = loop.draw(LABELLED), []
        unlabelled, mean = self._draw_scaled(loop) if weight else (None, None)
        for name in loop.students:
            outputs = loop.answers(name, labelled.observations)
            terms = {"soft": loop.supervised(name, outputs, labelled)}
            if unlabelled is not None and mean is not None:
                outputs = loop.answers(name, unlabelled.observations)
                # The loop's loss divides by the sum of the factors.
                terms["unlabelled"] = weight * mean * loop.supervised(name, outputs, unlabelled)
            updates.append(Update((name,), terms))
        yield from updates

    def _draw_scaled(self, loop: Loop) -> tuple[TensorBatch, Tensor]:
        """Return an unlabelled batch with the teacher's labels, weighted, and the mean factor."""
        batch = loop.draw_unlabelled(UNLABELLED)
        labels: Targets = loop.label(batch.observations)
        factors = CONFIDENCES[self.confidence](labels.logits)
        weights = labels.weights * factors
        labels = labels._replace(weights=weights)
        return replace(batch, labels=labels), weights.mean()
