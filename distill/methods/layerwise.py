"""Layer-wise distillation of transformers: hidden states, attention and answers.

TinyBERT (Jiao et al. 2020, "TinyBERT: distilling BERT for natural language understanding", arXiv
1909.10351) and DistilBERT (Sanh et al. 2019, arXiv 1910.01108).

Differences from the papers:

1. There is no term for the embedding of a token, which here is a small map of its 3x3 cells.
2. Students and teachers may have different numbers of heads; then the means over their heads are
   compared.
3. The student's layers begin with random weights, not with every second layer of the teacher.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..students.transformer import Transformer
from ..training.loop import TEACHER, Loop
from ..training.method import Method, Update, Weight, checked_weight, weight_at
from ..training.taps import Tap

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402


class _Layer(NamedTuple):
    """A layer of the student, that of the teacher which it follows, and its projection."""

    hidden: Tap
    scores: Tap
    teacher_hidden: Tap
    teacher_scores: Tap
    projection: str  # name of the part


@dataclass
class Layerwise(Method):
    """TinyBERT (Jiao et al. 2020, arXiv 1909.10351): a transformer follows a larger one's layers.

    Layer m of M of the student follows layer m * N / M of the N of the teacher (section 3.1): its
    scores of attention, before the softmax (equation 7), and its hidden states, through a linear
    projection that is learned with it (equation 8), both by their mean squared error.

    Args:
        weight: of the inner layers, at least 0; a number or a function of the progress. Neither
            hidden states nor scores are normalised, so that their errors are large: 1 is too much.
        answers_from: progress from which the soft targets are a term: 0 for both together; above 0
            for two stages, the first of inner layers alone.
        layers_until: progress from which the inner layers are no term any more; 1 for never.
        learning_rate: step size of the projections.
    """

    weight: Weight = 0.03
    answers_from: float = 0.0
    layers_until: float = 1.0
    learning_rate: float = 3e-3
    needs: ClassVar[frozenset[str]] = frozenset({"layers"})

    def setup(self, loop: Loop) -> None:
        """Tap the layers and add the projections.

        Raises:
            TypeError: for a student or a teacher that is no `Transformer`.
            ValueError: for a student with more layers than the teacher, a number outside its range,
                or a progress without any term.
        """
        checked_weight("weight", self.weight)
        start = checked_number("answers_from", self.answers_from, 0, 1)
        end = checked_number("layers_until", self.layers_until, 0, 1)
        if end < start:
            raise ValueError(
                f"answers_from={start:g}, layers_until={end:g}; expected one stage to begin before "
                "the other ends"
            )
        rate = checked_number("learning_rate", self.learning_rate, 0, above=True)
        teacher = loop.teacher_module()
        for name, network in ((TEACHER, teacher), *loop.students.items()):
            if not isinstance(network, Transformer):
                raise TypeError(
                    f"layer-wise distillation with the {type(network).__name__} {name!r}; expected "
                    "transformers as teacher and students, or the method hints"
                )
        assert isinstance(teacher, Transformer)
        # Hooks on attention change its last bits, so a weight of 0 has none.
        self._layers = {
            name: _add_layers(loop, name, student, teacher, rate)
            for name, student in loop.students.items()
            if isinstance(student, Transformer) and self.weight != 0
        }

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update each student and its projections together."""
        batch = loop.draw()
        weight = weight_at(self.weight, loop.progress)
        has_layers = bool(self._layers) and weight > 0 and loop.progress < self.layers_until
        if has_layers:
            with torch.no_grad():
                loop.teacher_logits(batch.observations)  # fills the taps of the teacher
        for name in loop.students:
            layers = self._layers[name] if has_layers else []
            outputs = loop.answers(name, batch.observations)
            terms: dict[str, Tensor] = {}
            if loop.progress >= self.answers_from or not has_layers:
                terms["soft"] = loop.supervised(name, outputs, batch)
            if has_layers:
                projected = [
                    loop.answers(layer.projection, layer.hidden.output)[0].logits
                    for layer in layers
                ]
                terms["hidden"] = weight * _mean_error(
                    projected, [layer.teacher_hidden.output for layer in layers]
                )
                terms["attention"] = weight * _mean_error(*_scores(layers))
            yield Update((name, *(layer.projection for layer in layers)), terms)


def _add_layers(
    loop: Loop, name: str, student: Transformer, teacher: Transformer, rate: float
) -> list[_Layer]:
    """Tap a student's layers, and add their projections."""
    own, others = len(student.blocks), len(teacher.blocks)
    if own > others:
        raise ValueError(
            f"student {name!r} of {own} layers and a teacher of {others}; expected at most as many"
        )
    layers = []
    for number in range(own):
        other = (number + 1) * others // own - 1
        projection = f"{name}.projection{number}"
        loop.add(projection, lambda: nn.Linear(student.width, teacher.width), learning_rate=rate)
        hidden, scores, teacher_hidden, teacher_scores = (
            loop.tap(who, f"blocks.{which}{path}")
            for who, which in ((name, number), (TEACHER, other))
            for path in ("", ".attention.scores")
        )
        layers.append(_Layer(hidden, scores, teacher_hidden, teacher_scores, projection))
    return layers


def _scores(layers: list[_Layer]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the student's and the teacher's scores; means over heads if their numbers differ."""
    own = [layer.scores.output for layer in layers]
    others = [layer.teacher_scores.output for layer in layers]
    if own[0].shape[1] != others[0].shape[1]:
        own, others = ([scores.mean(dim=1) for scores in each] for each in (own, others))
    return own, others


def _mean_error(found: list[Tensor], expected: list[Tensor]) -> Tensor:
    """Return the mean squared error over layers."""
    errors = [functional.mse_loss(one, other) for one, other in zip(found, expected, strict=True)]
    return torch.stack(errors).mean()
