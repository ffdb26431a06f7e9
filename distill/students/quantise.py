"""Students of small integers, which train on as what they are: quantisation-aware training.

Each weight is rounded whenever it is used, and its gradient goes to what was rounded as if nothing
had happened: the straight-through estimator (Bengio, Leonard and Courville 2013; Jacob et al. 2018
for networks). Torch's own quantisation is deprecated, and made for other sizes.

The rule, for all weights that share a scale s:

- 8 and 4 bits: s = largest |w| / 127 or / 7; the integer is w / s, rounded to the nearest, and of
  two as near to the even one. There is no zero point: zero stays zero, and what is pruned stays so.
- ternary (Li and Liu 2016, equations 5 and 6): weights of at most 0.7 times the mean |w| become 0,
  and others s or -s, with s the mean |w| of these.

Scales are rounded to bfloat16: two bytes, 8 significant bits. Then every product of integer and
scale is exact in float32, the largest weight still rounds to the largest integer, and rounding what
is rounded changes nothing. So integers and scales are all there is to a student.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dynamaze.common.validation import did_you_mean

from ..core.packing import LEVELS, SCALES, Integers, Scales, numbers, packed, packed_scales
from .base import Student
from .parametrised import copied, weights_of

PER = ("channel", "tensor")

FROM = 0.7
"""Ternary weights are not zero from this share of the mean size on."""

S = TypeVar("S", bound=Student)


class Frozen(NamedTuple):
    """A weight as it is stored."""

    integers: Integers  # of the weight's shape
    scales: Scales  # (rows,), or (1,) for all

    def numbers(self) -> Any:
        """Float32 of the weight's shape, to the last bit those that answers come from."""
        return numbers(self.integers, self.scales)


class Bytes(NamedTuple):
    """What the weights of a student take."""

    integers: int
    scales: int

    @property
    def total(self) -> int:
        """Both."""
        return self.integers + self.scales


class Rounding(nn.Module):
    """What makes a weight a rounded one.

    Args:
        bits: of `LEVELS`.
        per: "channel" for a scale for each entry of the first dimension, where there are two or
            more; "tensor" for one in all.
    """

    def __init__(self, bits: Any, per: str) -> None:
        super().__init__()
        self.bits, self.per = bits, per

    def forward(self, weight: Tensor) -> Tensor:
        """The weight, rounded; the gradient passes straight through."""
        result: Tensor = _StraightThrough.apply(weight, self.bits, self.per)  # type: ignore[no-untyped-call]
        return result


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bits: Any, per: str) -> Tensor:
        integers, scales = rounded(weight, bits, per)
        return (integers * scales).view_as(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, None, None]:
        return gradients[0], None, None


def rounded(weight: Tensor, bits: Any, per: str) -> tuple[Tensor, Tensor]:
    """Integers and scales of a weight, by the rule of this module.

    Args:
        weight: of any shape.
        bits: of `LEVELS`.
        per: of `PER`.

    Returns:
        (groups, weights of each) whole numbers and (groups, 1) scales, of the weight's dtype.
    """
    channels = len(weight) if per == "channel" and weight.ndim > 1 else 1
    groups = weight.detach().reshape(channels, -1)
    size = groups.abs()
    if bits == "ternary":
        exact = size.double()
        large = exact > FROM * exact.mean(dim=1, keepdim=True)
        count = large.sum(dim=1, keepdim=True).clamp(min=1)
        scales = _short((exact * large).sum(dim=1, keepdim=True) / count).to(weight.dtype)
        return torch.sign(groups) * (large & (scales > 0)) + 0.0, scales
    scales = _short(size.amax(dim=1, keepdim=True) / LEVELS[bits]).to(weight.dtype)
    # Of weights that are all zero the scale is zero. A zero has no sign.
    return torch.round(groups / torch.where(scales > 0, scales, 1.0)) + 0.0, scales


def _short(scales: Tensor) -> Tensor:
    """Scales of 8 significant bits; such as are too small for that are zero."""
    short = scales.to(torch.bfloat16).to(torch.float32)
    return torch.where(short < torch.finfo(torch.float32).tiny, 0.0, short)


def quantised(student: S, bits: Any = 8, per: str = "channel") -> S:
    """A copy of a student whose weights are rounded wherever they are used.

    It is a student of the same kind, with all that it can do, and trains as any other. All
    parameters are rounded, biases as well; those of one dimension share a scale. Buffers are not.

    What training anneals, a recurrent planner's sharpness, it anneals again for a student that was
    trained before: `Distiller(..., progress_from=0.2)` leaves out what only a new one needs. Its
    end alone does not mend ternary weights, for there all steps of Adam are small.

    Args:
        student: a network; one that is to be pruned as well must be pruned first.
        bits: 8, 4 or "ternary".
        per: "channel" for a scale for each entry of a weight's first dimension, "tensor" for one.

    Raises:
        TypeError: for what is no network.
        ValueError: for other bits or groups, or a student that is quantised already.
    """
    if not isinstance(student, Student):
        raise TypeError(f"a student of type {type(student).__name__}; expected a network")
    if bits not in LEVELS:
        raise ValueError(f"bits={bits!r}; expected one of {list(LEVELS)}")
    if per not in PER:
        raise ValueError(f"per={per!r}; expected one of {list(PER)}{did_you_mean(per, PER)}")
    if is_quantised(student):
        raise ValueError("a student that is quantised already; expected one that is not")
    copy = copied(student)
    for _, module, name in list(weights_of(copy)):
        parametrize.register_parametrization(module, name, Rounding(bits, per))
    copy.config = {**student.config, "bits": bits, "per": per}
    copy.num_bytes = size_in_bytes(copy).total  # type: ignore[assignment]
    return copy


def is_quantised(student: Any) -> bool:
    """Whether it was made by `quantised`."""
    return "bits" in getattr(student, "config", {})


def frozen(student: Student) -> dict[str, Frozen]:
    """The integers and scales of each weight, by the name that it has in a plain student.

    Raises:
        ValueError: for a student that is not quantised, or a weight that is not finite.
    """
    if not is_quantised(student):
        raise ValueError("a student that is not quantised; expected one made by quantised()")
    bits, per = student.config["bits"], student.config["per"]
    found = {}
    for whole, module, name in weights_of(student):
        # Rounding changes nothing in what is rounded, so this asks for no more than what is used.
        weight = getattr(module, name).detach()
        if not torch.isfinite(weight).all():
            raise ValueError(f"{whole} has a weight that is not finite; expected numbers")
        integers, scales = rounded(weight, bits, per)
        found[whole] = Frozen(
            integers.reshape(weight.shape).cpu().numpy().astype(np.int8),
            scales.float().cpu().numpy().ravel(),
        )
    return found


def size_in_bytes(student: Student) -> Bytes:
    """What a student's weights take as they are stored.

    Integers: one byte each of 8 bits, two in a byte of 4, five in a byte if ternary, each weight
    beginning a new byte. Scales: two bytes each. A student that is not quantised has no scales, and
    each number counts what it takes. Neither counts names, shapes, or buffers such as the
    sharpness of a recurrent planner.
    """
    if not is_quantised(student):
        plain = (getattr(module, name) for _, module, name in weights_of(student))
        return Bytes(sum(weight.numel() * weight.element_size() for weight in plain), 0)
    stored = packed_weights(student)
    scales = sum(array.nbytes for name, array in stored.items() if name.endswith(SCALES))
    return Bytes(sum(array.nbytes for array in stored.values()) - scales, scales)


def packed_weights(student: Student) -> dict[str, Any]:
    """The rounded weights of a quantised student as arrays for a file, integers and scales."""
    arrays: dict[str, Any] = {}
    for name, weight in frozen(student).items():
        arrays[name] = packed(weight.integers, student.config["bits"])
        arrays[name + SCALES] = packed_scales(weight.scales)
    return arrays
