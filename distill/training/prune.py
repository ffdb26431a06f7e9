"""Students with weights left out: the smallest ones become zero, and stay zero in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dynamaze.common.validation import checked_number, did_you_mean

from ..students.base import Student
from ..students.parametrised import copied, weights_of
from ..students.quantise import is_quantised
from .distiller import Step

PER = ("tensor", "student")

S = TypeVar("S", bound=Student)


class Zeros(NamedTuple):
    """How many of a student's parameters are exactly zero where they are used."""

    zero: int
    parameters: int

    @property
    def share(self) -> float:
        """Of all parameters."""
        return self.zero / self.parameters

    def __str__(self) -> str:
        return f"{self.zero:,} of {self.parameters:,} parameters are zero ({self.share:.1%})"


class Mask(nn.Module):
    """What makes some of a weight's numbers zero; no gradient comes to them.

    Attributes:
        kept: True where they are not.
    """

    kept: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with zeros."""
        return torch.where(self.kept, weight, 0.0)


def pruned(
    student: S,
    share: float,
    per: str = "tensor",
    *,
    tensors: Sequence[str] | None = None,
) -> S:
    """A copy of a student whose smallest weights are zero, and stay zero when it trains on.

    Args:
        student: a network; one that is to be quantised as well is pruned first.
        share: of the numbers in the chosen tensors; as many as are nearest to it.
        per: "tensor" for that share of each tensor, "student" for the smallest of all together,
            which fits only where their sizes mean the same.
        tensors: names of those that are pruned; None for all of two or more dimensions, and so no
            biases.

    Raises:
        TypeError: for what is no network.
        ValueError: for a share outside [0, 1], another `per`, a name that the student has not, or a
            student that is pruned or quantised already.
    """
    if not isinstance(student, Student):
        raise TypeError(f"a student of type {type(student).__name__}; expected a network")
    if is_quantised(student):
        raise ValueError("a student that is quantised; expected it to be pruned first")
    if masks_of(student):
        raise ValueError("a student that is pruned already; expected `prune_to` for a larger share")
    copy = copied(student)
    weights = {whole: (module, name) for whole, module, name in weights_of(copy)}
    for unknown in set(tensors or ()) - set(weights):
        raise ValueError(
            f"tensors: {unknown!r}; expected some of {list(weights)}"
            f"{did_you_mean(unknown, weights)}"
        )
    for whole, (module, name) in weights.items():
        weight = getattr(module, name)
        if whole in tensors if tensors is not None else weight.ndim > 1:
            parametrize.register_parametrization(module, name, Mask(weight))
    prune_to(copy, share, per)
    return copy


def prune_to(student: Student, share: float, per: str = "tensor") -> None:
    """Prune a student made by `pruned` further; what is zero already stays so.

    It may be quantised since then, and be in the middle of its training.

    Args:
        student: the student, which is changed.
        share: of the numbers in the tensors that it is pruned in.
        per: as for `pruned`.

    Raises:
        ValueError: for a share outside [0, 1], another `per`, or a student not made by `pruned`.
    """
    share = checked_number("share", share, 0, 1)
    if per not in PER:
        raise ValueError(f"per={per!r}; expected one of {list(PER)}{did_you_mean(per, PER)}")
    masks = masks_of(student)
    if not masks:
        raise ValueError("a student without masks; expected one made by pruned()")
    groups = [masks] if per == "student" else [[mask] for mask in masks]
    with torch.no_grad():
        for group in groups:
            # A zero by its mask comes before a weight that happens to be zero.
            sizes = torch.cat(
                [torch.where(mask.kept, weight.abs(), -1.0).ravel() for mask, weight in group]
            )
            kept = torch.ones_like(sizes, dtype=torch.bool)
            gone = max(round(share * sizes.numel()), int((sizes < 0).sum()))
            kept[sizes.argsort(stable=True)[:gone]] = False
            parts = torch.split(kept, [mask.kept.numel() for mask, _ in group])
            for (mask, _), part in zip(group, parts, strict=True):
                mask.kept.copy_(part.view_as(mask.kept))


def masks_of(student: nn.Module) -> list[tuple[Mask, Tensor]]:
    """Each mask of a student, and the weight that it is laid on."""
    return [
        (step, hidden.original)
        for hidden in student.modules()
        if isinstance(hidden, parametrize.ParametrizationList)
        for step in hidden
        if isinstance(step, Mask)
    ]


def zeros(student: Student) -> Zeros:
    """Count the parameters that are exactly zero, for whatever reason, as answers are made of them.

    Files and exports hold zeros as any other number.
    """
    with torch.no_grad():
        weights = [getattr(module, name) for _, module, name in weights_of(student)]
    return Zeros(
        sum(int((weight == 0).sum()) for weight in weights),
        sum(weight.numel() for weight in weights),
    )


class GradualPruning:
    """Prunes more and more in the course of a training (Zhu and Gupta 2017, equation 1).

    A callback of `Distiller.distil`. At a part x of the way from `first` to `last` the share is
    share * (1 - (1 - x)**3): most is taken away early, when there is much to spare. It remembers
    nothing: the masks are in the students, and in their checkpoints.

    Args:
        share: at the end.
        first: share of the training after which it begins.
        last: share of the training after which no more is taken away.
        every: steps between two prunings.
        per: as for `pruned`.
        students: names of those that are pruned, which were made by `pruned(student, 0)`; None for
            all.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self,
        share: float,
        *,
        first: float = 0.1,
        last: float = 0.7,
        every: int = 10,
        per: str = "tensor",
        students: Sequence[str] | None = None,
    ) -> None:
        self.share = checked_number("share", share, 0, 1)
        self.first = checked_number("first", first, 0, 1)
        self.last = checked_number("last", last, self.first, 1)
        self.every = int(checked_number("every", every, 1, whole=True))
        self.per, self.students = per, students

    def share_at(self, progress: float) -> float:
        """The share after some part of the training, in [0, 1]."""
        if progress >= self.last:
            return self.share
        x = max(0.0, (progress - self.first) / (self.last - self.first))
        return self.share * (1 - (1 - x) ** 3)

    def __call__(self, step: Step) -> Any:
        """Prune, if it is time.

        Raises:
            ValueError: for a student that was not made by `pruned`.
        """
        if step.step % self.every and step.step < step.total:
            return
        share = self.share_at(step.step / step.total)
        students = step.distiller.students
        for name in students if self.students is None else self.students:
            prune_to(students[name], share, self.per)
