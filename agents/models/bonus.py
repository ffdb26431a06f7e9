"""Model wrappers with an exploration bonus: for pairs untried for long, or uncertain ones."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ..core.kernels import (
    expected_backup,
    pair_bonus,
    pair_uncertainty,
    rules,
    sample_outcome,
    sample_transition,
    update_model,
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


class UncertaintyBonus(ModelWrapper):
    """Model wrapper that adds weight * uncertainty to each simulated reward.

    The uncertainty of a pair depends on the model:

    - a method `pair_uncertainty(observations, actions)`, as of `ScoredModel`;
    - otherwise 1 - `known` of its predictions, as of all learned models: the epistemic fraction of
      the variance, which decreases with data, also near what was seen (always 0 for "linear", whose
      least mean squares have no epistemic variance);
    - otherwise, as for a table, 1 / sqrt(visits + 1), the bonus of MBIE-EB (Strehl and Littman
      2008) with one visit more.

    A bonus for untried actions needs samples of them: make a table or `TabularAdapter` with
    `include_untried`. Models of vectors only sample tried actions, so there the bonus leads back to
    pairs that are still uncertain.

    Args:
        model: any model.
        num_states: number of states; None for the model's own, or for a model of vectors.
        num_actions: number of actions; None for the model's own.
        weight: weight of the bonus, at least 0. If weight / (1 - gamma), the value of permanent
            uncertainty, exceeds the rewards of the environment, the agent only explores.

    Raises:
        ValueError: if the weight is negative or not finite.
    """

    state_fields: ClassVar = {"model": ""}  # nothing beside the inner model

    def __init__(
        self,
        model: Model,
        num_states: int | None = None,
        num_actions: int | None = None,
        *,
        weight: float,
    ) -> None:
        super().__init__(model)
        for name, number in (("num_states", num_states), ("num_actions", num_actions)):
            if number is not None:
                setattr(self, name, number)
        self.weight = checked_number("weight", weight, 0)

    @property
    def promises(self) -> frozenset[str]:
        """Promises of the inner model, without exact rewards if there is a bonus."""
        inner = super().promises | {"knows_uncertainty"}
        return inner - ({"exact_when_deterministic"} if self.weight else set())

    @property
    def table(self) -> UncertaintyTable:
        """Record of the compiled inner model with the weight."""
        return UncertaintyTable(self.model.table, self.weight)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample transitions of the inner model, each with its bonus.

        Raises:
            RuntimeError: before the first update.
        """
        drawn = super().sample(n, rng)
        bonus = self.weight * self.pair_uncertainty(drawn.observation, drawn.action)
        return drawn._replace(reward=drawn.reward + bonus)

    def pair_uncertainty(self, observations: Any, actions: IntArray) -> FloatArray:
        """Return the (batch,) uncertainty of the pairs, in [0, 1]."""
        if hasattr(self.model, "pair_uncertainty"):
            uncertainty: FloatArray = self.model.pair_uncertainty(observations, actions)
            return uncertainty
        prediction = self.model.predict(observations, actions)
        if prediction.known is not None:
            return np.asarray(1.0 - prediction.known)
        # MBIE-EB (Strehl and Littman 2008), with one visit more
        return np.asarray(1.0 / np.sqrt(prediction.visits + 1.0))


# -- compiled rules of both ------------------------------------------------------------------------


@compiled
def sample_with_bonus(table, num_actions, rng):
    """Sample a transition of the inner model, with the bonus of its pair."""
    pair, reward, next_state, terminated, rng = sample_transition(table.model, num_actions, rng)
    return pair, reward + pair_bonus(table, num_actions, pair), next_state, terminated, rng


@compiled
def sample_outcome_with_bonus(table, num_actions, pair, rng):
    """Sample an outcome from the inner model, with the pair's bonus."""
    reward, next_state, terminated, rng = sample_outcome(table.model, num_actions, pair, rng)
    return reward + pair_bonus(table, num_actions, pair), next_state, terminated, rng


@compiled
def backup_with_bonus(table, num_actions, pair, q, gamma):
    """Return the expected backup of the inner model, with the pair's bonus."""
    bonus = pair_bonus(table, num_actions, pair)
    return bonus + expected_backup(table.model, num_actions, pair, q, gamma)


WITH_BONUS = {
    "sample_transition": sample_with_bonus,
    "sample_outcome": sample_outcome_with_bonus,
    "expected_backup": backup_with_bonus,
}
"""Rules that add the bonus: generic function -> rule."""


# -- uncertainty -----------------------------------------------------------------------------------


class UncertaintyTable(NamedTuple):
    """Record of a model and the weight of the bonus."""

    model: Any
    weight: float


@compiled
def uncertainty_bonus(table, num_actions, pair):
    """Return the weighted uncertainty of a pair."""
    return table.weight * pair_uncertainty(table.model, num_actions, pair)


rules(UncertaintyTable, inside="model", pair_bonus=uncertainty_bonus, **WITH_BONUS)


# -- time since the last try -----------------------------------------------------------------------


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


@compiled
def time_bonus_of_pair(table, num_actions, pair):
    """Return kappa * sqrt(tau) of a pair."""
    return time_bonus(table.times, pair, table.kappa)


rules(
    TimeBonusTable,
    inside="model",
    update_model=update_with_times,
    pair_bonus=time_bonus_of_pair,
    **WITH_BONUS,
)


class VisitTimes(NamedTuple):
    """Record of visit times, changed in place; an untried pair counts as tried at step 0."""

    last_tried: IntArray  # (states * actions,) step of the last try, 0 before
    clock: IntArray  # (1,) real steps so far

    @classmethod
    def begin(cls, num_states: int, num_actions: int) -> VisitTimes:
        """Return the record before the first step."""
        return cls(np.zeros(num_states * num_actions, dtype=np.int64), np.zeros(1, dtype=np.int64))


@compiled
def record_visit(times, pair):
    """Advance the clock by a real step and record the visit of this pair."""
    times.clock[0] += 1
    times.last_tried[pair] = times.clock[0]


@compiled
def time_bonus(times, pair, kappa):
    """Return kappa * sqrt(tau), tau the real steps since the last try (section 8.3, p. 168)."""
    return kappa * np.sqrt(float(times.clock[0] - times.last_tried[pair]))


@compiled
def record_visits(times, transitions, num_actions):
    """Record the pair of each transition, in order."""
    for i in range(transitions.action.size):
        record_visit(times, transitions.observation[i] * num_actions + transitions.action[i])


@compiled
def add_time_bonus(times, transitions, num_actions, kappa):
    """Add the bonus of each transition's pair to its reward, in place."""
    for i in range(transitions.action.size):
        pair = transitions.observation[i] * num_actions + transitions.action[i]
        transitions.reward[i] += time_bonus(times, pair, kappa)
