"""Listens to a planner without being noticed: its updates, as it makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class OverheardPlanning:
    """A planner that does what another does, and remembers which pairs it updated last.

    All random numbers stay where they are: an agent has the same bits with it and without.

    Attributes:
        inner: the planner itself.
        pairs: (n, 2) state and action of each update of the last planning, the newest last.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.pairs: npt.NDArray[np.int64] = np.empty((0, 2), dtype=np.int64)

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Plan."""
        overheard = _OverheardValues(values)
        self.inner.plan(overheard, model, rng)
        self.pairs = np.concatenate(overheard.pairs or [self.pairs[:0]])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _OverheardValues:
    """Action values that note what is updated."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.pairs: list[npt.NDArray[np.int64]] = []

    def update(self, transitions: Any) -> None:
        """Update, and note."""
        self.pairs.append(np.stack([transitions.observation, transitions.action], axis=1))
        self.inner.update(transitions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
