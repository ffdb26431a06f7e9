"""Base class of planners with compiled rules, on the model's record and a table of values."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled

from ..core.kernels import CONFIDENCE_THRESHOLD, plan, record_transition
from ..core.records import check_indices, part_of
from ..core.rng import load, state_words, store
from ..core.transitions import Transitions
from ..models.protocol import Model, find_confidence
from ..models.table_copy import TableCopy, has_lookups
from ..values.table import TableValues
from .base import Planning

GROWING = ("pair", "link")
"""Columns of planners' records whose length grows with the transitions."""


class TablePlanning(Planning):
    """Planner whose memory is a record, with compiled rules to record transitions and to plan.

    A model without a table of outcomes is copied into one, pair by pair (`TableCopy`).

    Selective planning (Abbas, Sokota, Talvitie and White 2020): a pair whose confidence is below
    `CONFIDENCE_THRESHOLD`, as it may be in a `ScoredModel` with table lookups, is not planned with.
    Its value is learned from real transitions, as without a model.

    Attributes:
        record: the planner's memory; None before the first real step.
        growing_parts: fields of the record with a method `with_capacity`, which grow with the real
            transitions.
    """

    needs = frozenset({"distribution"})
    needs_table = True
    planning_steps: int

    state_fields: ClassVar = {
        "num_states": "num_states",
        "num_actions": "num_actions",
        "record": "record.",
        "_copy": "copy.",
    }
    growing_fields = GROWING
    growing_parts: tuple[str, ...] = ()

    num_states: int | None = None
    num_actions: int | None = None
    _copy: TableCopy | None = None

    @abstractmethod
    def _empty_record(self, num_states: int, num_actions: int) -> Any:
        """Return the record before the first transition."""

    def reserve(self, values: TableValues, transitions: int) -> None:
        """Make the record, with capacity for a number of further real transitions."""
        if self.record is None:
            self._allocate(*values.q.shape)
        for name in self.growing_parts:
            part = getattr(self.record, name)
            larger = part.with_capacity(transitions)
            if larger is not part:
                self.record = self.record._replace(**{name: larger})

    def _allocate(self, num_states: int, num_actions: int) -> None:
        self.num_states, self.num_actions = num_states, num_actions
        self.record = self._empty_record(num_states, num_actions)

    def table(self, model: Any) -> Any:
        """Return the record of the model's predictions, its own or a copy."""
        if has_lookups(model):
            return model.table
        if self._copy is None:
            self._copy = TableCopy(model.num_states, model.num_actions)
        return self._copy.table

    def learns_from(self, model: Any, transition: Transitions) -> bool:
        """Return whether a real transition updates the values: always, or for unconfident pairs."""
        ask = find_confidence(model)
        if self.learns_directly or ask is None or not has_lookups(model):
            return self.learns_directly
        return bool(ask(transition.observation, transition.action)[0] < CONFIDENCE_THRESHOLD)

    # -- what an agent calls -------------------------------------------------------------------

    def record_transition(self, values: Any, model: Model, transitions: Transitions) -> None:
        """Record real transitions, which the model has already learned."""
        self.reserve(values, transitions.action.size)
        table = self.table(model)
        if self._copy is not None:
            self._copy.refresh(model, transitions)
            table = self.table(model)  # the copy may have grown
        record_batch(self.record, table, values.q, transitions, values.gamma)

    def plan(self, values: Any, model: Model, rng: np.random.Generator) -> None:
        """Update the values by the compiled rule."""
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

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`, which is empty before the first real step.

        Raises:
            ValueError: if an entry is missing, has another shape, or is an index outside the
                tables.
        """
        restored = copy(self)
        restored.num_states = restored.num_actions = restored.record = restored._copy = None
        if "num_states" in state:
            size = int(state["num_states"]), int(state["num_actions"])
            restored._allocate(*size)
            if part_of("copy", state):
                restored._copy = TableCopy(*size)
        super(TablePlanning, restored).set_state(state)
        vars(self).update(vars(restored))

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check the indices of a restored record.

        Raises:
            ValueError: for an index outside the tables.
        """
        if self.num_states is not None and self.num_actions is not None:
            indices = self._indices(restored["record"], self.num_states, self.num_actions)
            check_indices("planner", indices)

    def _indices(
        self, record: Any, num_states: int, num_actions: int
    ) -> list[tuple[IntArray, int, int]]:
        """Return the record's index arrays, each with its lower and exclusive upper bound."""
        return []


@compiled
def record_batch(planning, model, q, transitions, gamma):
    """Apply the compiled recording rule to each transition, in order."""
    flat = q.reshape(-1)
    num_actions = q.shape[1]
    for i in range(transitions.action.size):
        record_transition(
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
    """Run one phase of the compiled planning rule."""
    rng = load(words)
    rng = plan(planning, model, q.reshape(-1), q.shape[1], learning_rate, gamma, rng)
    store(words, rng)
