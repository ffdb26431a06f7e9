"""Model wrapper that counts the transitions that a planner uses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.agents.core.kernels import (
    expected_backup,
    outcome_probability,
    rules,
    sample_outcome,
    sample_transition,
    update_model,
)
from dynamaze.agents.core.transitions import Transitions
from dynamaze.agents.models.protocol import Outcomes, Prediction
from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced


class CountingRecord(NamedTuple):
    """Record of a model with a counter, for compiled code."""

    model: Any
    outcomes: IntArray  # (states * actions,) transitions that an expected update of a pair uses
    used: IntArray  # (1,) transitions used so far


class CountingModel:
    """Wrapper of a table model that counts the transitions used by planning.

    A sampled transition counts as one. An expected update counts as the number of the pair's
    outcomes.

    Args:
        model: one whose memory is a record.
        outcomes: (states * actions,) number of outcomes of each pair; None for one each.

    Attributes:
        count: transitions so far.
    """

    def __init__(self, model: Any, outcomes: IntArray | None = None) -> None:
        self.model = model
        self._count = np.zeros(1, dtype=np.int64)
        self.num_states, self.num_actions = model.num_states, model.num_actions
        pairs = self.num_states * self.num_actions
        self._outcomes = np.ones(pairs, dtype=np.int64) if outcomes is None else outcomes

    @property
    def count(self) -> int:
        """Transitions used so far."""
        return int(self._count[0])

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities of the wrapped model."""
        found: frozenset[str] = self.model.capabilities
        return found

    @property
    def table(self) -> CountingRecord:
        """Record of the wrapped model, with the counter."""
        return CountingRecord(self.model.table, self._outcomes, self._count)

    @property
    def version(self) -> Any:
        """Version of the wrapped model; None where it has none."""
        return getattr(self.model, "version", None)

    def update(self, transitions: Transitions) -> None:
        """Update the wrapped model."""
        self.model.update(transitions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n transitions, which count as n."""
        self._count[0] += n
        drawn: Transitions = self.model.sample(n, rng)
        return drawn

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the outcomes of a pair, each of which counts."""
        self._count[0] += self._outcomes[observation * self.num_actions + action]
        found: Outcomes = self.model.distribution(observation, action)
        return found

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return the wrapped model's prediction; not counted."""
        found: Prediction = self.model.predict(observations, actions)
        return found

    def reserve(self, transitions: int) -> None:
        """Reserve memory in the wrapped model."""
        self.model.reserve(transitions)

    def get_state(self) -> dict[str, Any]:
        """Return the state of the wrapped model."""
        state: dict[str, Any] = self.model.get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`; the count stays."""
        self.model.set_state(state)


@compiled
def update_wrapped(table, num_actions, state, action, reward, next_state, terminated):
    """Update the wrapped model."""
    update_model(table.model, num_actions, state, action, reward, next_state, terminated)


@spliced
def sample_counted_transition(table, num_actions, rng):
    """Sample a transition, which counts as one."""
    table.used[0] += 1
    pair, reward, next_state, terminated, rng = sample_transition(table.model, num_actions, rng)
    return pair, reward, next_state, terminated, rng


@spliced
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


@compiled
def wrapped_probability(table, num_actions, pair, next_state, terminated):
    """Return the probability of an outcome; not counted, as nothing is simulated."""
    return outcome_probability(table.model, num_actions, pair, next_state, terminated)


rules(
    CountingRecord,
    inside="model",
    update_model=update_wrapped,
    sample_transition=sample_counted_transition,
    sample_outcome=sample_counted_outcome,
    expected_backup=counted_backup,
    outcome_probability=wrapped_probability,
)
