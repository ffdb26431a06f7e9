"""Magnitude pruning: the smallest weights become zero, and stay zero in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

from ..students.base import Student
from ..students.parametrised import copied, weights_of
from ..students.quantise import is_quantised
from .distiller import TrainingStep

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

GRANULARITIES = ("tensor", "student")

S = TypeVar("S", bound=Student)


class Zeros(NamedTuple):
    """Number of a student's parameters that are exactly zero in the forward pass."""

    zero: int
    parameters: int

    @property
    def share(self) -> float:
        """Fraction of all parameters."""
        return self.zero / self.parameters

    def __str__(self) -> str:
        return f"{self.zero:,} of {self.parameters:,} parameters are zero ({self.share:.1%})"


class Mask(nn.Module):
    """Parametrisation that sets some numbers of a weight to zero; they get no gradient.

    Attributes:
        kept: True where the number is not set to zero.
    """

    kept: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight with zeros."""
        return torch.where(self.kept, weight, 0.0)


def pruned(
    student: S,
    share: float,
    granularity: str = "tensor",
    *,
    tensors: Sequence[str] | None = None,
) -> S:
    """Return a copy of a student whose smallest weights are zero, and stay zero in training.

    Args:
        student: a network; one that is to be quantised as well is pruned first.
        share: fraction of the numbers in the chosen tensors; their count is rounded.
        granularity: "tensor" for that fraction of each tensor, "student" for the smallest of all
            together, which is useful only if weights of all tensors have comparable magnitudes.
        tensors: names of the tensors that are pruned; None for all of two or more dimensions, and
            so no biases.

    Raises:
        TypeError: if it is not a network.
        ValueError: for a share outside [0, 1], another granularity, an unknown name, or a student
            that is pruned or quantised already.
    """
    if not isinstance(student, Student):
        raise TypeError(f"a student of type {type(student).__name__}; expected a network")
    if is_quantised(student):
        raise ValueError("a student that is quantised; expected it to be pruned first")
    if masks_of(student):
        raise ValueError("a student that is pruned already; expected `prune_to` for a larger share")
    copy = copied(student)
    weights = {whole: (module, name) for whole, module, name in weights_of(copy)}
    for name in tensors or ():
        checked_choice("tensors", name, weights)
    for whole, (module, name) in weights.items():
        weight = getattr(module, name)
        if whole in tensors if tensors is not None else weight.ndim > 1:
            parametrize.register_parametrization(module, name, Mask(weight))
    prune_to(copy, share, granularity)
    return copy


def prune_to(student: Student, share: float, granularity: str = "tensor") -> None:
    """Prune a student made by `pruned` further; zeros stay zero.

    It may have been quantised since, and be in the middle of its training.

    Args:
        student: the student, which is changed.
        share: fraction of the numbers in its pruned tensors.
        granularity: as for `pruned`.

    Raises:
        ValueError: for a share outside [0, 1], another granularity, or a student not made by
            `pruned`.
    """
    share = checked_number("share", share, 0, 1)
    checked_choice("granularity", granularity, GRANULARITIES)
    masks = masks_of(student)
    if not masks:
        raise ValueError("a student without masks; expected one made by pruned()")
    groups = [masks] if granularity == "student" else [[mask] for mask in masks]
    with torch.no_grad():
        for group in groups:
            # Masked numbers sort before weights that are zero by chance.
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
    """Return each mask of a student with its weight."""
    return [
        (step, hidden.original)
        for hidden in student.modules()
        if isinstance(hidden, parametrize.ParametrizationList)
        for step in hidden
        if isinstance(step, Mask)
    ]


def zeros(student: Student) -> Zeros:
    """Count the parameters that are exactly zero in the forward pass, for whatever reason.

    Files and exports store zeros as any other number.
    """
    with torch.no_grad():
        weights = [getattr(module, name) for _, module, name in weights_of(student)]
    return Zeros(
        sum(int((weight == 0).sum()) for weight in weights),
        sum(weight.numel() for weight in weights),
    )


class GradualPruning:
    """Gradual pruning during training (Zhu and Gupta 2017, equation 1).

    A callback of `Distiller.distil` without state: the masks are in the students, and in their
    checkpoints.

    Args:
        share: final fraction.
        first: progress at which pruning starts.
        last: progress at which it ends.
        every: steps between two prunings.
        granularity: as for `pruned`.
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
        granularity: str = "tensor",
        students: Sequence[str] | None = None,
    ) -> None:
        self.share = checked_number("share", share, 0, 1)
        self.first = checked_number("first", first, 0, 1)
        self.last = checked_number("last", last, self.first, 1)
        self.every = checked_integer("every", every, 1)
        self.granularity, self.students = granularity, students

    def share_at(self, progress: float) -> float:
        """Return the fraction at a progress in [0, 1]."""
        if progress >= self.last:
            return self.share
        x = max(0.0, (progress - self.first) / (self.last - self.first))
        # Equation 1: most weights are removed early, when many are redundant.
        return self.share * (1 - (1 - x) ** 3)

    def __call__(self, step: TrainingStep) -> Any:
        """Prune, if it is time.

        Raises:
            ValueError: for a student that was not made by `pruned`.
        """
        if step.step % self.every and step.step < step.total:
            return
        share = self.share_at(step.step / step.total)
        students = step.distiller.students
        for name in students if self.students is None else self.students:
            prune_to(students[name], share, self.granularity)
