"""A model that counts how many of its transitions a planner looks at."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.agents.core.kernels import believe, draw, expect, follow, observe, rule
from dynamaze.agents.core.transitions import Transitions
from dynamaze.agents.models.protocol import Outcomes, Prediction
from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced


class CountedTable(NamedTuple):
    """The record of a model with a count."""

    model: Any
    outcomes: IntArray  # (states * actions,) how many an expectation over a pair looks at
    looks: IntArray  # (1,) transitions that were looked at


class CountedModel:
    """Counts what planning asks of a table model; otherwise it is that model.

    A transition that is drawn counts as one. An expected value of a pair counts as many as the
    pair has outcomes.

    Args:
        model: one whose memory is a record.
        outcomes: (states * actions,) how many each pair has; None for one each.

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
        """Transitions that were looked at so far."""
        return int(self._count[0])

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model inside can do."""
        found: frozenset[str] = self.model.capabilities
        return found

    @property
    def table(self) -> CountedTable:
        """The record of the model inside, with the count."""
        return CountedTable(self.model.table, self._outcomes, self._count)

    @property
    def version(self) -> Any:
        """That of the model inside; None where it has none."""
        return getattr(self.model, "version", None)

    def update(self, transitions: Transitions) -> None:
        """Let the model inside learn."""
        self.model.update(transitions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """N transitions, which count as n."""
        self._count[0] += n
        drawn: Transitions = self.model.sample(n, rng)
        return drawn

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What follows a pair; each outcome counts."""
        self._count[0] += self._outcomes[observation * self.num_actions + action]
        found: Outcomes = self.model.distribution(observation, action)
        return found

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """What the model inside predicts; not counted."""
        found: Prediction = self.model.predict(observations, actions)
        return found

    def reserve(self, transitions: int) -> None:
        """Make room in the model inside."""
        self.model.reserve(transitions)

    def get_state(self) -> dict[str, Any]:
        """That of the model inside."""
        state: dict[str, Any] = self.model.get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned; the count stays."""
        self.model.set_state(state)


@rule(observe, CountedTable)
@compiled
def observe_inside(table, num_actions, state, action, reward, next_state, terminated):
    """Let the model inside learn."""
    observe(table.model, num_actions, state, action, reward, next_state, terminated)


@rule(draw, CountedTable)
@spliced
def draw_counted(table, num_actions, rng):
    """A transition, which counts as one."""
    table.looks[0] += 1
    pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    return pair, reward, next_state, terminated, rng


@rule(follow, CountedTable)
@spliced
def follow_counted(table, num_actions, pair, rng):
    """An outcome of a pair, which counts as one."""
    table.looks[0] += 1
    reward, next_state, terminated, rng = follow(table.model, num_actions, pair, rng)
    return reward, next_state, terminated, rng


@rule(expect, CountedTable)
@compiled
def expect_counted(table, num_actions, pair, q, gamma):
    """What a pair is worth; each of its outcomes counts."""
    table.looks[0] += table.outcomes[pair]
    return expect(table.model, num_actions, pair, q, gamma)


@rule(believe, CountedTable)
@compiled
def believe_inside(table, num_actions, pair, next_state, terminated):
    """How likely an outcome is; not counted, as nothing is simulated."""
    return believe(table.model, num_actions, pair, next_state, terminated)
