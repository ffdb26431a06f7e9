"""Quantisation-aware training: weights are rounded in the forward pass.

Gradients pass straight through the rounding (straight-through estimator: Bengio, Leonard and
Courville 2013; Jacob et al. 2018 for networks). Scales are rounded to bfloat16 (two bytes, 8
significant bits). Then every product of integer and scale is exact in float32, the largest weight
still rounds to the largest integer, and rounding is idempotent: a student is fully described by
integers and scales.

Torch's own quantisation is not used: it is deprecated, and made for larger networks.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np

from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice

from ..core.packing import (
    MAX_INTEGER,
    SCALE_SUFFIX,
    Integers,
    Scales,
    dequantise,
    pack_integers,
    pack_scales,
)
from .base import Student
from .parametrised import copied, weights_of

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

GRANULARITIES = ("channel", "tensor")

TERNARY_THRESHOLD = 0.7
"""Ternary weights above this fraction of the mean magnitude are not zero.

Li and Liu 2016, equation 6.
"""

S = TypeVar("S", bound=Student)


class QuantisedWeight(NamedTuple):
    """Integers and scales of a weight."""

    integers: Integers  # of the weight's shape
    scales: Scales  # (rows,), or (1,) for all

    def dequantise(self) -> Any:
        """Return float32 values, bit-identical to the weight in the forward pass."""
        return dequantise(self.integers, self.scales)


class WeightBytes(NamedTuple):
    """Bytes of the weights of a student."""

    integers: int
    scales: int

    @property
    def total(self) -> int:
        """Bytes of integers and scales."""
        return self.integers + self.scales


class FakeQuantisation(nn.Module):
    """Parametrisation that rounds a weight.

    Args:
        bits: a key of `MAX_INTEGER`.
        granularity: "channel" for a scale for each entry of the first dimension, if there are two
            or more dimensions; "tensor" for a single scale.
    """

    def __init__(self, bits: Any, granularity: str) -> None:
        super().__init__()
        self.bits, self.granularity = bits, granularity

    def forward(self, weight: Tensor) -> Tensor:
        """Return the rounded weight; the gradient passes straight through."""
        result: Tensor = _StraightThrough.apply(weight, self.bits, self.granularity)  # type: ignore[no-untyped-call]
        return result


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bits: Any, granularity: str) -> Tensor:
        integers, scales = quantise_tensor(weight, bits, granularity)
        return (integers * scales).view_as(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, None, None]:
        return gradients[0], None, None


def quantise_tensor(weight: Tensor, bits: Any, granularity: str) -> tuple[Tensor, Tensor]:
    """Return integers and scales of a weight.

    Args:
        weight: of any shape.
        bits: a key of `MAX_INTEGER`.
        granularity: one of `GRANULARITIES`.

    Returns:
        (groups, weights of each) whole numbers and (groups, 1) scales, of the weight's dtype.
    """
    channels = len(weight) if granularity == "channel" and weight.ndim > 1 else 1
    groups = weight.detach().reshape(channels, -1)
    size = groups.abs()
    if bits == "ternary":
        # Li and Liu 2016, equations 5 and 6: weights of at most 0.7 times the mean magnitude
        # become 0, the others +-s with s their mean magnitude.
        exact = size.double()
        large = exact > TERNARY_THRESHOLD * exact.mean(dim=1, keepdim=True)
        count = large.sum(dim=1, keepdim=True).clamp(min=1)
        scales = _to_bfloat16((exact * large).sum(dim=1, keepdim=True) / count).to(weight.dtype)
        return torch.sign(groups) * (large & (scales > 0)) + 0.0, scales
    # s = max |w| / 127 or / 7; symmetric, without a zero point: zero (a pruned weight) stays zero.
    scales = _to_bfloat16(size.amax(dim=1, keepdim=True) / MAX_INTEGER[bits]).to(weight.dtype)
    # Nearest integer, ties to even. All-zero weights have scale 0; + 0.0 removes negative zeros.
    return torch.round(groups / torch.where(scales > 0, scales, 1.0)) + 0.0, scales


def _to_bfloat16(scales: Tensor) -> Tensor:
    """Round scales to 8 significant bits; those below the smallest normal float32 become zero."""
    short = scales.to(torch.bfloat16).to(torch.float32)
    return torch.where(short < torch.finfo(torch.float32).tiny, 0.0, short)


@renamed_arguments(per="granularity")
def quantised(student: S, bits: Any = 8, granularity: str = "channel") -> S:
    """Return a copy of a student whose weights are rounded in the forward pass.

    It is a student of the same kind and trains as any other. All parameters are rounded, biases
    too; one-dimensional ones share a scale. Buffers are not rounded.

    Schedules, such as the annealing of a value iteration network, start again for a student that
    was trained before: `Distiller(..., progress_from=0.2)` skips the part that only a new student
    needs. The end of a schedule alone is not enough for ternary weights, since Adam's steps are
    small there.

    Args:
        student: a network; one that is to be pruned as well must be pruned first.
        bits: 8, 4 or "ternary".
        granularity: "channel" for a scale for each entry of a weight's first dimension, "tensor"
            for a single scale.

    Raises:
        TypeError: if it is not a network.
        ValueError: for other bits or granularity, or a student that is quantised already.
    """
    if not isinstance(student, Student):
        raise TypeError(f"a student of type {type(student).__name__}; expected a network")
    if bits not in MAX_INTEGER:
        raise ValueError(f"bits={bits!r}; expected one of {list(MAX_INTEGER)}")
    checked_choice("granularity", granularity, GRANULARITIES)
    if is_quantised(student):
        raise ValueError("a student that is quantised already; expected one that is not")
    copy = copied(student)
    for _, module, name in list(weights_of(copy)):
        parametrize.register_parametrization(module, name, FakeQuantisation(bits, granularity))
    copy.config = {**student.config, "bits": bits, "granularity": granularity}
    copy.num_bytes = size_in_bytes(copy).total  # type: ignore[assignment]
    return copy


def is_quantised(student: Any) -> bool:
    """Return True for a student made by `quantised`."""
    return "bits" in getattr(student, "config", {})


def quantised_weights(student: Student) -> dict[str, QuantisedWeight]:
    """Return integers and scales of each weight, by its name in a plain student.

    Raises:
        ValueError: for a student that is not quantised, or a weight that is not finite.
    """
    if not is_quantised(student):
        raise ValueError("a student that is not quantised; expected one made by quantised()")
    bits, granularity = student.config["bits"], student.config["granularity"]
    found = {}
    for whole, module, name in weights_of(student):
        # Rounding is idempotent, so the rounded weight is enough.
        weight = getattr(module, name).detach()
        if not torch.isfinite(weight).all():
            raise ValueError(f"{whole} has a weight that is not finite; expected numbers")
        integers, scales = quantise_tensor(weight, bits, granularity)
        found[whole] = QuantisedWeight(
            integers.reshape(weight.shape).cpu().numpy().astype(np.int8),
            scales.float().cpu().numpy().ravel(),
        )
    return found


def size_in_bytes(student: Student) -> WeightBytes:
    """Return the bytes of a student's weights as they are stored.

    Integers of 8 bits take a byte each; two of 4 bits and five ternary ones share a byte, and each
    weight starts a new byte. A scale takes two bytes. A student that is not quantised has no
    scales, and each number counts its own bytes. Names, shapes and buffers (such as the `sharpness`
    of a value iteration network) are not counted.
    """
    if not is_quantised(student):
        plain = (getattr(module, name) for _, module, name in weights_of(student))
        return WeightBytes(sum(weight.numel() * weight.element_size() for weight in plain), 0)
    stored = packed_weights(student)
    scales = sum(array.nbytes for name, array in stored.items() if name.endswith(SCALE_SUFFIX))
    return WeightBytes(sum(array.nbytes for array in stored.values()) - scales, scales)


def packed_weights(student: Student) -> dict[str, Any]:
    """Return the packed integers and scales of a quantised student as arrays for a file."""
    arrays: dict[str, Any] = {}
    for name, weight in quantised_weights(student).items():
        arrays[name] = pack_integers(weight.integers, student.config["bits"])
        arrays[name + SCALE_SUFFIX] = pack_scales(weight.scales)
    return arrays
