"""Custom torch modules as students or teachers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dynamaze.common.arrays import FloatArray

from .base import Student


class ModuleStudent(Student):
    """Student made of any torch module from a batch of observations to (queries, actions) logits.

    It trains, is measured and acts as any student; but `make_student` cannot make it, so it cannot
    be stored by `save_student`. As a policy it is in evaluation mode.

    Args:
        module: the module. Floating point observations are cast to its precision, integers are
            passed unchanged.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.config = {"kind": "torch_module"}

    def forward(self, observations: Tensor) -> Tensor:
        """Return the module's (queries, actions) outputs.

        Raises:
            ValueError: if they have another shape.
        """
        if observations.is_floating_point():
            weight = next(self.module.parameters(), None)
            observations = observations.to(torch.float32 if weight is None else weight.dtype)
        logits = self.module(observations)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the module gave {found}; expected a tensor of (queries, actions)")
        return logits

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits for a batch of observations."""
        trained = [part for part in self.modules() if part.training]
        self.eval()
        try:
            return super().action_logits(np.asarray(observations))
        finally:
            for part in trained:
                part.training = True


def as_student(module: nn.Module) -> Student:
    """Return a module as a student; a student is returned unchanged.

    Raises:
        TypeError: if it is not a torch module.
    """
    if isinstance(module, Student):
        return module
    if not isinstance(module, nn.Module):
        raise TypeError(f"a student of type {type(module).__name__}; expected a torch module")
    return ModuleStudent(module)
