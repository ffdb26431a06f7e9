"""Small data and students for the tests of methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dynamaze.distill.core.dataset import Batch, make_batch
from dynamaze.distill.students.mlp import MLP

SHAPE, ACTIONS = (4,), 3


class FixedSource:
    """Source that returns the same batch at each step, and counts the steps.

    Args:
        seed: of observations and labels.
        count: observations.
        labelled: False for observations without labels.
    """

    levels = ()

    def __init__(self, seed: int = 0, count: int = 8, *, labelled: bool = True) -> None:
        rng = np.random.default_rng(seed)
        self.observations = rng.normal(size=(count, *SHAPE)).astype(np.float32)
        self.logits = rng.normal(size=(count, ACTIONS)).astype(np.float32) if labelled else None
        self.draws = 0

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        self.draws += 1
        return make_batch(self.observations, self.logits)

    def get_state(self) -> dict[str, Any]:
        return {"draws": self.draws}

    def set_state(self, state: dict[str, Any]) -> None:
        self.draws = state["draws"]


def mlps(names: str, width: int = 5) -> dict[str, MLP]:
    """Return students by name; equal names have equal initial weights."""
    return {name: MLP(SHAPE, ACTIONS, width, seed=ord(name)) for name in names}


def bits(module: torch.nn.Module) -> bytes:
    """Return the bytes of all weights."""
    return b"".join(weight.detach().numpy().tobytes() for weight in module.state_dict().values())


def log_softmax(student: MLP, observations: Any) -> Any:
    """Return the log-probabilities of a student."""
    logits = student.action_logits(observations)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def divergence(teacher: Any, student: Any) -> float:
    """Return the mean KL(teacher || student) of rows of log-probabilities."""
    return float((np.exp(teacher) * (teacher - student)).sum(axis=1).mean())
