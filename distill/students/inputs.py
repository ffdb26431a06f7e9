"""How the networks see an observation: as float32, and of the shape they were made for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynamaze.common.validation import checked_number

BRIGHTEST = 255.0
"""What pictures, observations of uint8, are divided by."""


def checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a single observation.

    Raises:
        ValueError: for a length below 1; TypeError if one is no number.
    """
    return tuple(int(checked_number("observation_shape", n, 1, whole=True)) for n in shape)


def as_floats(observations: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(batch, *shape) float32; pictures in [0, 1].

    Raises:
        ValueError: for observations of another shape.
    """
    if tuple(observations.shape[1:]) != shape:
        wanted = ", ".join(str(n) for n in ("batch", *shape))
        raise ValueError(f"observations of shape {tuple(observations.shape)}; expected ({wanted})")
    floats = observations.float()
    return floats / BRIGHTEST if observations.dtype == torch.uint8 else floats
