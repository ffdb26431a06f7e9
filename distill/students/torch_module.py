"""A torch module of the user's as a student, or as a teacher."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dynamaze.common.arrays import FloatArray

from .base import Student


class OwnStudent(Student):
    """Any torch module from a batch of observations to (answers, actions) logits.

    It trains, is measured and is a policy as any student; but no `make_student` makes it again, so
    its file is yours to write. When it is asked as a policy, it is in evaluation mode.

    Args:
        module: the module. Fractions come to it as numbers of its own precision, whole numbers as
            they are.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.config = {"kind": "own"}

    def forward(self, observations: Tensor) -> Tensor:
        """(answers, actions) what the module gives.

        Raises:
            ValueError: if that is of another shape.
        """
        if observations.is_floating_point():
            weight = next(self.module.parameters(), None)
            observations = observations.to(torch.float32 if weight is None else weight.dtype)
        logits = self.module(observations)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the module gave {found}; expected a tensor of (answers, actions)")
        return logits

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits for a batch of observations."""
        trained = [part for part in self.modules() if part.training]
        self.eval()
        try:
            return super().action_logits(np.asarray(observations))
        finally:
            for part in trained:
                part.training = True


def as_student(module: nn.Module) -> Student:
    """A module as a student; students stay what they are.

    Raises:
        TypeError: for what is no torch module.
    """
    if isinstance(module, Student):
        return module
    if not isinstance(module, nn.Module):
        raise TypeError(f"a student of type {type(module).__name__}; expected a torch module")
    return OwnStudent(module)
