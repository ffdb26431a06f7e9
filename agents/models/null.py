"""The model of an agent that has none: Q-learning is Dyna-Q without model and planning."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled

from ..core.kernels import draw, observe, rule
from ..core.transitions import Transitions


class NoTable(NamedTuple):
    """The record of nothing."""

    nothing: IntArray  # (0,)


class NoModel:
    """Learns nothing and can give nothing."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"compiled"})

    def __init__(self) -> None:
        self.table = NoTable(np.zeros(0, dtype=np.int64))

    def update(self, transitions: Transitions) -> None:
        """Forget them."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """There is nothing to draw.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("this agent has no model to sample from")

    def reserve(self, transitions: int) -> None:
        """Nothing needs no room."""

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""


@rule(observe, NoTable)
@compiled
def observe_nothing(table, num_actions, state, action, reward, next_state, terminated):
    """Forget it."""


@rule(draw, NoTable)
@compiled
def draw_nothing(table, num_actions, rng):
    """Never called: whoever has no model does not plan."""
    return np.uint64(0), 0.0, np.int64(0), False, rng
