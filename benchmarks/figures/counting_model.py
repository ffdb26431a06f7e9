"""Model wrapper that counts the transitions that a planner uses."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.agents.core.kernels import (
    expected_backup,
    rules,
    sample_outcome,
    sample_transition,
)
from dynamaze.agents.core.transitions import Transitions
from dynamaze.agents.models.protocol import Outcomes
from dynamaze.agents.models.wrapper import ModelWrapper
from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled


class CountingModel(ModelWrapper):
    """Wrapper of a table model that counts the transitions used by planning.

    A sampled transition counts as one. An expected update counts as the number of the pair's
    outcomes.

    Args:
        model: one whose memory is a record.
        outcomes: (states * actions,) number of outcomes of each pair; None for one each.

    Attributes:
        count: transitions so far.
    """

    state_fields: ClassVar = {"model": ""}  # the count is no part of the state

    def __init__(self, model: Any, outcomes: IntArray | None = None) -> None:
        super().__init__(model)
        self._count = np.zeros(1, dtype=np.int64)
        pairs = model.num_states * model.num_actions
        self._outcomes = np.ones(pairs, dtype=np.int64) if outcomes is None else outcomes

    @property
    def count(self) -> int:
        """Transitions used so far."""
        return int(self._count[0])

    @property
    def table(self) -> CountingRecord:
        """Record of the wrapped model, with the counter."""
        return CountingRecord(self.model.table, self._outcomes, self._count)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n transitions, which count as n."""
        self._count[0] += n
        return super().sample(n, rng)

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the outcomes of a pair, each of which counts."""
        self._count[0] += self._outcomes[observation * self.num_actions + action]
        found: Outcomes = self.model.distribution(observation, action)
        return found


class CountingRecord(NamedTuple):
    """Record of a model with a counter, for compiled code."""

    model: Any
    outcomes: IntArray  # (states * actions,) transitions that an expected update of a pair uses
    used: IntArray  # (1,) transitions used so far


@compiled
def sample_counted_transition(table, num_actions, rng):
    """Sample a transition, which counts as one."""
    table.used[0] += 1
    pair, reward, next_state, terminated, rng = sample_transition(table.model, num_actions, rng)
    return pair, reward, next_state, terminated, rng


@compiled
def sample_counted_outcome(table, num_actions, pair, rng):
    """Sample an outcome of a pair, which counts as one."""
    table.used[0] += 1
    reward, next_state, terminated, rng = sample_outcome(table.model, num_actions, pair, rng)
    return reward, next_state, terminated, rng


@compiled
def counted_backup(table, num_actions, pair, q, gamma):
    """Return the target of a pair's expected update; each of its outcomes counts."""
    table.used[0] += table.outcomes[pair]
    return expected_backup(table.model, num_actions, pair, q, gamma)


rules(
    CountingRecord,
    inside="model",
    sample_transition=sample_counted_transition,
    sample_outcome=sample_counted_outcome,
    expected_backup=counted_backup,
)
