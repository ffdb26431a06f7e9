"""Listens to a planner without being noticed: its updates, as it makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.agents import Planning


class OverheardPlanning(Planning):
    """A planner that does what another does, and remembers which pairs it updated last.

    Of a planner that writes into a table itself they are those whose values have changed. All
    random numbers stay where they are: an agent has the same bits with it and without.

    Attributes:
        inner: the planner itself.
        pairs: (n, 2) state and action of each update of the last planning, the newest last.
    """

    def __init__(self, inner: Planning) -> None:
        self.inner = inner
        self.pairs: npt.NDArray[np.int64] = np.empty((0, 2), dtype=np.int64)
        self.needs, self.needs_table = inner.needs, inner.needs_table
        self.learns_directly = inner.learns_directly
        self.learns_from = inner.learns_from  # type: ignore[method-assign]
        self.note, self.action_values = inner.note, inner.action_values  # type: ignore[method-assign]
        self.get_state, self.set_state = inner.get_state, inner.set_state  # type: ignore[method-assign]

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Plan."""
        before = values.q.copy() if hasattr(values, "q") else None
        overheard = _OverheardValues(values)
        self.inner.plan(overheard, model, rng)
        heard = overheard.pairs or [self.pairs[:0]]
        if before is not None and not overheard.pairs:
            heard = [np.argwhere(values.q != before)]
        self.pairs = np.concatenate(heard)

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
