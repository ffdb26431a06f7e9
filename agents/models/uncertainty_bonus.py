"""Model wrapper with an exploration bonus for uncertain pairs."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced
from dynamaze.common.validation import checked_number

from ..core.kernels import (
    expected_backup,
    pair_uncertainty,
    rules,
    sample_outcome,
    sample_transition,
)
from ..core.transitions import Transitions
from .protocol import Model
from .wrapper import ModelWrapper


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


class UncertaintyTable(NamedTuple):
    """Record of a model and the weight of the bonus."""

    model: Any
    weight: float


@spliced
def sample_with_bonus(table, num_actions, rng):
    """Sample a transition of the inner model, with the bonus of its pair."""
    pair, reward, next_state, terminated, rng = sample_transition(table.model, num_actions, rng)
    bonus = table.weight * pair_uncertainty(table.model, num_actions, pair)
    return pair, reward + bonus, next_state, terminated, rng


@compiled
def sample_outcome_with_bonus(table, num_actions, pair, rng):
    """Sample an outcome from the inner model, with the pair's bonus."""
    reward, next_state, terminated, rng = sample_outcome(table.model, num_actions, pair, rng)
    bonus = table.weight * pair_uncertainty(table.model, num_actions, pair)
    return reward + bonus, next_state, terminated, rng


@compiled
def backup_with_bonus(table, num_actions, pair, q, gamma):
    """Return the expected backup of the inner model, with the pair's bonus."""
    bonus = table.weight * pair_uncertainty(table.model, num_actions, pair)
    return bonus + expected_backup(table.model, num_actions, pair, q, gamma)


rules(
    UncertaintyTable,
    inside="model",
    sample_transition=sample_with_bonus,
    sample_outcome=sample_outcome_with_bonus,
    expected_backup=backup_with_bonus,
)
