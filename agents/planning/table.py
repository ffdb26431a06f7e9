"""Planners of tables: compiled code on the model's record and the table of action values."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled

from ..core.kernels import improve, remember
from ..core.records import flatten, restore
from ..core.rng import load, state_words, store
from ..core.shares import TRUSTED
from ..core.state import part_of, prefixed
from ..core.transitions import Transitions
from ..models import Model
from ..models.table_copy import TableCopy, has_lookups
from ..values.table import TableValues
from .base import Planning

GROWING = ("pair", "link")
"""The columns of planners' records that grow."""


class TablePlanning(Planning):
    """A planner whose memory is a record, with compiled rules for `remember` and `improve`.

    A model that is no table of outcomes is copied into one, pair by pair (`TableCopy`).

    Where a model says of a pair that it deserves less than `TRUSTED`, as a `ScoredModel` whose
    table can be looked up may, the pair is not planned with: its value is learned from real
    transitions, as without a model. Selective planning (Abbas, Sokota, Talvitie and White 2020).

    Attributes:
        record: the planner's memory; None before the first real step.
    """

    needs = frozenset({"distribution"})
    needs_table = True
    planning_steps: int

    def __init__(self) -> None:
        self.record: Any = None
        self._copy: TableCopy | None = None
        self._size: dict[str, int] = {}

    @abstractmethod
    def _begin(self, num_states: int, num_actions: int) -> Any:
        """The record before anything was noted."""

    def _with_room(self, record: Any, transitions: int) -> Any:
        """The record with room for so many further real transitions."""
        return record

    def reserve(self, values: TableValues, transitions: int) -> None:
        """Make room for so many further real transitions."""
        if self.record is None:
            self._size = dict(zip(("num_states", "num_actions"), values.q.shape, strict=True))
            self.record = self._begin(**self._size)
        self.record = self._with_room(self.record, transitions)

    def table(self, model: Any) -> Any:
        """The record of what the model believes."""
        if has_lookups(model):
            return model.table
        if self._copy is None:
            self._copy = TableCopy(model.num_states, model.num_actions)
        return self._copy.table

    def learns_from(self, model: Any, transition: Transitions) -> bool:
        """Whether a real transition updates values: always, or where the model is not trusted."""
        if self.learns_directly or not hasattr(model, "share_of_pairs") or not has_lookups(model):
            return self.learns_directly
        deserved = model.share_of_pairs(transition.observation, transition.action)
        return bool(deserved[0] < TRUSTED)

    # -- what an agent calls -------------------------------------------------------------------

    def note(self, values: Any, model: Model, transitions: Transitions) -> None:
        """Take note of real transitions, which the model has learned already."""
        self.reserve(values, transitions.action.size)
        self.table(model)
        if self._copy is not None:
            self._copy.look_up(model, transitions)
        remember_batch(self.record, self.table(model), values.q, transitions, values.gamma)

    def plan(self, values: Any, model: Model, rng: np.random.Generator) -> None:
        """Improve the values."""
        if self.planning_steps and self.record is not None:
            plan_once(
                self.record,
                self.table(model),
                values.q,
                values.learning_rate,
                values.gamma,
                state_words(rng),
            )

    # -- checkpoints ---------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The record's arrays by name; nothing before the first real step."""
        if self.record is None:
            return {}
        state = {**self._size, **flatten(self.record, "record.")}
        if self._copy is not None:
            state.update(prefixed("copy", self._copy.get_state()))
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if something is missing, of another shape, or leads outside the tables.
        """
        if "num_states" not in state:
            self.record, self._copy = None, None
            return
        size = {name: int(state[name]) for name in ("num_states", "num_actions")}
        record = restore(self._begin(**size), state, "record.", growing=GROWING)
        for numbers, low, high in self._indices(record, **size):
            if numbers.size and not low <= numbers.min() <= numbers.max() < high:
                raise ValueError(
                    f"an index from {numbers.min()} to {numbers.max()} in the planner's state; "
                    f"expected {low} to {high - 1}"
                )
        copied = part_of("copy", state)
        self._copy = TableCopy(**size) if copied else None
        if self._copy is not None:
            self._copy.set_state(copied)
        self.record, self._size = record, size

    def _indices(
        self, record: Any, num_states: int, num_actions: int
    ) -> list[tuple[IntArray, int, int]]:
        """Arrays of indices, each with the lowest it may hold and the first it may not."""
        return []


@compiled
def remember_batch(planning, model, q, transitions, gamma):
    """The rule of `remember` for each transition, in order."""
    flat = q.reshape(-1)
    num_actions = q.shape[1]
    for i in range(transitions.action.size):
        remember(
            planning,
            model,
            flat,
            num_actions,
            transitions.observation[i] * num_actions + transitions.action[i],
            transitions.next_observation[i],
            transitions.terminated[i],
            gamma,
        )


@compiled
def plan_once(planning, model, q, learning_rate, gamma, words):
    """The rule of `improve`."""
    rng = load(words)
    rng = improve(planning, model, q.reshape(-1), q.shape[1], learning_rate, gamma, rng)
    store(words, rng)
