"""Structured distillation: inner layers, similarities of cells, and a critic of whole policy maps.

Each method adds a term to the soft targets. For `hints` and `pairwise` the teacher must be a
network, and the students need inner layers (value iteration networks have none).

Differences from the papers:

1. Hints are learned together with the soft targets, not in a first stage (Romero et al. 2015).
2. The holistic critic is trained by binary cross-entropy, not as a Wasserstein critic with a
   gradient penalty, and without attention (Liu et al. 2019, section 3.3).
3. Similarities are those of all pairs of cells, without pooling (Liu et al. 2019, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..core.losses import affinity_mse
from ..training.loop import Loop
from ..training.method import Method, Update, Weight, checked_weight, weight_at
from .critics import BETAS, HolisticCritic, fake_term, real_term
from .layers import LayerPair, Layers, has_cells, make_projection, tap_pairs

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402


@dataclass
class Hints(Method):
    """FitNets (Romero et al. 2015, "FitNets: hints for thin deep nets", arXiv 1412.6550).

    Inner layers of the student, through a linear projection that is learned with it, follow those
    of the teacher by their mean squared error (equation 3). Maps are projected cell by cell (a 1x1
    convolution). The teacher must be a network.

    Args:
        weight: of the hints, at least 0; a number or a function of the progress.
        layers: pairs of paths (student's, teacher's), for all students or by the student's name;
            None for the last inner layer of both.
        learning_rate: step size of the projections.
    """

    weight: Weight = 1.0
    layers: Layers = None
    learning_rate: float = 1e-2
    needs: ClassVar[frozenset[str]] = frozenset({"layers"})

    def setup(self, loop: Loop) -> None:
        """Tap the layers and add the projections.

        Raises:
            TypeError: for a student or a teacher without inner layers.
            ValueError: for an unknown path, maps of different sizes, or a number outside its range.
        """
        checked_weight("weight", self.weight)
        rate = checked_number("learning_rate", self.learning_rate, 0, above=True)
        self._pairs = tap_pairs(loop, self.layers)
        for name, pairs in self._pairs.items():
            for number, pair in enumerate(pairs):
                one, other = pair.student_shape, pair.teacher_shape
                cells = slice(2, None) if len(one) == 4 else slice(1, -1)
                if len(one) != len(other) or one[cells] != other[cells]:
                    raise ValueError(f"{pair}; expected the same number of cells or rows")
                loop.add(
                    f"{name}.projection{number}", make_projection(one, other), learning_rate=rate
                )

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update each student and its projections together."""
        batch = loop.draw()
        with torch.no_grad():
            loop.teacher_logits(batch.observations)  # fills the taps of the teacher
        weight = weight_at(self.weight, loop.progress)
        for name, pairs in self._pairs.items():
            outputs = loop.answers(name, batch.observations)
            projections = [f"{name}.projection{number}" for number in range(len(pairs))]
            hints = [
                functional.mse_loss(loop.answers(part, pair.student.output)[0].logits, target(pair))
                for part, pair in zip(projections, pairs, strict=True)
            ]
            terms = {"soft": loop.supervised(name, outputs, batch)}
            hint = weight * torch.stack(hints).mean()
            yield Update((name, *projections), {**terms, "hints": hint})


@dataclass
class Pairwise(Method):
    """Pair-wise distillation (Liu et al. 2019, "Structured knowledge distillation", 1903.04197).

    The cosine similarities of all pairs of cells in a layer follow those in a layer of the teacher
    (section 3.2, equations 2 and 3). Neither rotations of the features nor their number matter, so
    nothing is projected. In layers without cells the pairs are those of a batch's observations
    (Tung and Mori 2019). The teacher must be a network.

    Args:
        weight: of the similarities, at least 0; a number or a function of the progress.
        layers: pairs of paths (student's, teacher's), for all students or by the student's name;
            None for the last inner layer of both.
    """

    weight: Weight = 1.0
    layers: Layers = None
    needs: ClassVar[frozenset[str]] = frozenset({"layers"})

    def setup(self, loop: Loop) -> None:
        """Tap the layers.

        Raises:
            TypeError: for a student or a teacher without inner layers.
            ValueError: for an unknown path, maps of different sizes, or a weight below 0.
        """
        checked_weight("weight", self.weight)
        self._pairs = tap_pairs(loop, self.layers)
        for pair in chain.from_iterable(self._pairs.values()):
            if cell_count(pair.student_shape) != cell_count(pair.teacher_shape):
                raise ValueError(f"{pair}; expected the same number of cells or rows")

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update each student."""
        batch = loop.draw()
        with torch.no_grad():
            loop.teacher_logits(batch.observations)  # fills the taps of the teacher
        weight = weight_at(self.weight, loop.progress)
        for name, pairs in self._pairs.items():
            outputs = loop.answers(name, batch.observations)
            terms = {"soft": loop.supervised(name, outputs, batch)}
            similar = [affinity_mse(pair.student.output, target(pair)) for pair in pairs]
            yield Update((name,), {**terms, "pairwise": weight * torch.stack(similar).mean()})


@dataclass
class Holistic(Method):
    """Holistic distillation (Liu et al. 2019, section 3.3): a critic of whole policy maps.

    The critic sees a maze and the action probabilities in all queried cells at once, and learns to
    tell the teacher's from the student's; the student learns to be taken for the teacher. It needs
    planes of a maze, with many queried cells, and students with an answer in each.

    Args:
        weight: of the critic's term, at least 0; a number or a function of the progress.
        learning_rate: step size of the critics, one for each student.
    """

    weight: Weight = 0.03
    learning_rate: float = 1e-3

    def setup(self, loop: Loop) -> None:
        """Add a critic for each student.

        Raises:
            TypeError: for a student without an answer for each cell.
            ValueError: for a number outside its range.
        """
        checked_weight("weight", self.weight)
        rate = checked_number("learning_rate", self.learning_rate, 0, above=True)
        for name, student in loop.students.items():
            if not has_cells(student):
                raise TypeError(
                    f"student {name!r} is a {type(student).__name__} without an answer for each "
                    "cell; expected one of planes of a maze, such as a Convolution"
                )
            loop.add(f"{name}.critic", lambda: HolisticCritic(4), learning_rate=rate, betas=BETAS)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update each student, then its critic; both terms are computed before."""
        batch = loop.draw()
        weight = weight_at(self.weight, loop.progress)
        real = batch.targets.logits.softmax(dim=1)
        for name in loop.students:
            outputs, critic = loop.answers(name, batch.observations), loop.parts[f"{name}.critic"]
            fake = outputs[-1].logits.softmax(dim=1)
            terms = {"soft": loop.supervised(name, outputs, batch)}
            # Non-saturating: the student's answers are to be accepted (Goodfellow et al. 2014).
            terms["holistic"] = weight * real_term(critic.module(batch.observations, fake))
            critics = {
                "real": real_term(critic.module(batch.observations, real)),
                "fake": fake_term(critic.module(batch.observations, fake.detach())),
            }
            yield Update((name,), terms)
            yield Update((critic.name,), critics)


def target(pair: LayerPair) -> Tensor:
    """Return the teacher's layer, without gradient."""
    return pair.teacher.output.detach()


def cell_count(shape: tuple[int, ...]) -> int:
    """Return the number of cells in a layer's output; 0 for a layer without cells."""
    if len(shape) == 4:
        return shape[2] * shape[3]
    return shape[1] if len(shape) == 3 else 0
