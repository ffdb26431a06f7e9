"""Model wrapper with Dyna-Q+'s exploration bonus for pairs untried for long."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced
from dynamaze.common.validation import checked_number

from ..core.kernels import (
    expected_backup,
    outcome_probability,
    rules,
    sample_outcome,
    sample_transition,
    update_model,
)
from ..core.recency import (
    VisitTimes,
    add_time_bonus,
    record_visit,
    record_visits,
    time_bonus,
)
from ..core.records import flatten, part_of, prefixed, restore
from ..core.transitions import Transitions
from .protocol import Model, Outcomes, Prediction, confidence_in


class TimeBonusTable(NamedTuple):
    """Record of a model and the visit times of its pairs."""

    model: Any
    times: VisitTimes
    kappa: float


class TimeBonus:
    """Model wrapper that adds kappa * sqrt(tau) to simulated rewards (section 8.3, p. 168).

    tau is the number of real steps since the pair was last tried (Sutton & Barto 2018).

    Args:
        model: any model of discrete states and actions.
        num_states: number of states.
        num_actions: number of actions in each.
        kappa: weight of the bonus, at least 0. If kappa sqrt(tau) / (1 - gamma) exceeds the
            rewards of the environment, the agent only explores.

    Raises:
        ValueError: if kappa is negative or not finite.
    """

    def __init__(self, model: Model, num_states: int, num_actions: int, *, kappa: float) -> None:
        self.model = model
        self.kappa = checked_number("kappa", kappa, 0)
        self.num_actions = num_actions
        self.times = VisitTimes.begin(num_states, num_actions)

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities of the inner model."""
        return self.model.capabilities

    @property
    def promises(self) -> frozenset[str]:
        """Promises of the inner model, without exact rewards if there is a bonus."""
        inner: frozenset[str] = getattr(self.model, "promises", frozenset())
        return inner - {"exact_when_deterministic"} if self.kappa else inner

    @property
    def adapts_within(self) -> int:
        """Number of visits within which the inner model adapts."""
        return int(getattr(self.model, "adapts_within", 1))

    @property
    def table(self) -> TimeBonusTable:
        """Record of the compiled inner model with the visit times."""
        return TimeBonusTable(self.model.table, self.times, self.kappa)  # type: ignore[attr-defined]  # where "compiled" is declared

    def confidence(self, observations: Any = None, actions: Any = None) -> Any:
        """Return the confidence in the inner model, as `confidence_in`."""
        return confidence_in(self.model, observations, actions)

    def update(self, transitions: Transitions) -> None:
        """Update the inner model and record the visit of each pair."""
        self.model.update(transitions)
        record_visits(self.times, transitions, self.num_actions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample transitions of the inner model, each with its bonus."""
        drawn = self.model.sample(n, rng)
        # A copy: the model's array may be its own memory, or hold integers.
        transitions = drawn._replace(reward=drawn.reward.astype(np.float64))
        add_time_bonus(self.times, transitions, self.num_actions, self.kappa)
        return transitions

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return the predictions of the inner model, without the bonus."""
        return self.model.predict(observations, actions)  # type: ignore[attr-defined, no-any-return]  # where "predict" is declared

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the outcome distribution of the inner model, without the bonus."""
        return self.model.distribution(observation, action)  # type: ignore[attr-defined, no-any-return]  # where "distribution" is declared

    def reserve(self, transitions: int) -> None:
        """Reserve capacity in the inner model."""
        self.model.reserve(transitions)  # type: ignore[attr-defined]  # where "compiled" is declared

    def get_state(self) -> dict[str, Any]:
        """Return the state of the inner model and the visit times."""
        return {**prefixed("model", self.model.get_state()), **flatten(self.times, "times.")}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`."""
        times = restore(self.times, state, "times.")
        self.model.set_state(part_of("model", state))
        self.times = times


@compiled
def update_with_times(table, num_actions, state, action, reward, next_state, terminated):
    """Update the inner model and record the visit of the pair."""
    update_model(table.model, num_actions, state, action, reward, next_state, terminated)
    record_visit(table.times, state * num_actions + action)


@spliced
def sample_with_bonus(table, num_actions, rng):
    """Sample a transition of the inner model, with the bonus of its pair."""
    pair, reward, next_state, terminated, rng = sample_transition(table.model, num_actions, rng)
    bonus = time_bonus(table.times, pair, table.kappa)  # R + kappa sqrt(tau), section 8.3
    return pair, reward + bonus, next_state, terminated, rng


@compiled
def sample_outcome_with_bonus(table, num_actions, pair, rng):
    """Sample an outcome from the inner model, with the pair's bonus."""
    reward, next_state, terminated, rng = sample_outcome(table.model, num_actions, pair, rng)
    return reward + time_bonus(table.times, pair, table.kappa), next_state, terminated, rng


@compiled
def backup_with_bonus(table, num_actions, pair, q, gamma):
    """Return the expected backup of the inner model, with the pair's bonus."""
    bonus = time_bonus(table.times, pair, table.kappa)
    return bonus + expected_backup(table.model, num_actions, pair, q, gamma)


@compiled
def inner_probability(table, num_actions, pair, next_state, terminated):
    """Return the outcome probability of the inner model."""
    return outcome_probability(table.model, num_actions, pair, next_state, terminated)


rules(
    TimeBonusTable,
    inside="model",
    update_model=update_with_times,
    sample_transition=sample_with_bonus,
    sample_outcome=sample_outcome_with_bonus,
    expected_backup=backup_with_bonus,
    outcome_probability=inner_probability,
)
