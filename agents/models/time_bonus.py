"""Model wrapper with Dyna-Q+'s exploration bonus for pairs untried for long."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.compiled import compiled, spliced
from dynamaze.common.validation import checked_number

from ..core.kernels import (
    expected_backup,
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
from ..core.transitions import Transitions
from .protocol import Model
from .wrapper import ModelWrapper


class TimeBonus(ModelWrapper):
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

    state_fields: ClassVar = {"model": "model.", "times": "times."}

    def __init__(self, model: Model, num_states: int, num_actions: int, *, kappa: float) -> None:
        super().__init__(model)
        self.kappa = checked_number("kappa", kappa, 0)
        self.num_actions = num_actions
        self.times = VisitTimes.begin(num_states, num_actions)

    @property
    def promises(self) -> frozenset[str]:
        """Promises of the inner model, without exact rewards if there is a bonus."""
        return super().promises - ({"exact_when_deterministic"} if self.kappa else set())

    @property
    def table(self) -> TimeBonusTable:
        """Record of the compiled inner model with the visit times."""
        return TimeBonusTable(self.model.table, self.times, self.kappa)

    def update(self, transitions: Transitions) -> None:
        """Update the inner model and record the visit of each pair."""
        super().update(transitions)
        record_visits(self.times, transitions, self.num_actions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample transitions of the inner model, each with its bonus."""
        drawn = super().sample(n, rng)
        # A copy: the model's array may be its own memory, or hold integers.
        transitions = drawn._replace(reward=drawn.reward.astype(np.float64))
        add_time_bonus(self.times, transitions, self.num_actions, self.kappa)
        return transitions


class TimeBonusTable(NamedTuple):
    """Record of a model and the visit times of its pairs."""

    model: Any
    times: VisitTimes
    kappa: float


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


rules(
    TimeBonusTable,
    inside="model",
    update_model=update_with_times,
    sample_transition=sample_with_bonus,
    sample_outcome=sample_outcome_with_bonus,
    expected_backup=backup_with_bonus,
)
