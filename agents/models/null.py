"""Null model of agents without planning: Q-learning is Dyna-Q with this model."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled

from ..core.kernels import rules
from ..core.records import Stateful
from ..core.transitions import Transitions


class NullModel(Stateful):
    """Model that learns nothing and cannot be sampled."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"compiled"})

    def __init__(self) -> None:
        self.table = NullTable(np.zeros(0, dtype=np.int64))

    def update(self, transitions: Transitions) -> None:
        """Ignore the transitions."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Raise an error: there is nothing to sample.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("this agent has no model to sample from")

    def reserve(self, transitions: int) -> None:
        """Do nothing: an empty record needs no capacity."""


class NullTable(NamedTuple):
    """Empty record."""

    nothing: IntArray  # (0,)


@compiled
def update_nothing(table, num_actions, state, action, reward, next_state, terminated):
    """Ignore the transition."""


@compiled
def sample_nothing(table, num_actions, rng):
    """Return a dummy transition; never called, because agents without a model do not plan."""
    return np.uint64(0), 0.0, np.int64(0), False, rng


rules(NullTable, update_model=update_nothing, sample_transition=sample_nothing)
