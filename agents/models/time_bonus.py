"""Dyna-Q+'s bonus as a wrapper round a model: what was not tried for long pays more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced
from dynamaze.common.validation import checked_number

from ..core.kernels import believe, draw, expect, follow, observe, rule
from ..core.recency import (
    TriedTimes,
    add_time_bonus,
    note_all_tried,
    note_tried,
    time_bonus,
)
from ..core.records import flatten, restore
from ..core.transitions import Transitions
from .protocol import Model, Outcomes, Prediction


class TimeBonusTable(NamedTuple):
    """A model's record and the times at which its pairs were tried."""

    model: Any
    times: TriedTimes
    kappa: float


class TimeBonus:
    """Adds kappa * sqrt(tau) to each simulated reward (Sutton & Barto 2018, section 8.3, p. 168).

    tau is the number of real steps since the pair was last tried.

    Args:
        model: any model of numbered states and actions.
        num_states: how many states.
        num_actions: how many actions in each.
        kappa: weight of the bonus, at least 0. It must stay small: if kappa sqrt(tau) / (1 -
            gamma) exceeds the rewards of the world, the agent does nothing but explore.

    Raises:
        ValueError: if kappa is negative or not finite.
    """

    def __init__(self, model: Model, num_states: int, num_actions: int, *, kappa: float) -> None:
        self.model = model
        self.kappa = checked_number("kappa", kappa, 0)
        self.num_actions = num_actions
        self.times = TriedTimes.begin(num_states, num_actions)

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model inside can do."""
        return self.model.capabilities

    @property
    def promises(self) -> frozenset[str]:
        """What the model inside promises, but for its rewards where there is a bonus."""
        inside: frozenset[str] = getattr(self.model, "promises", frozenset())
        return inside - {"exact_when_deterministic"} if self.kappa else inside

    @property
    def adapts_within(self) -> int:
        """That of the model inside."""
        return int(getattr(self.model, "adapts_within", 1))

    @property
    def table(self) -> TimeBonusTable:
        """The record of a compiled model with its times."""
        return TimeBonusTable(self.model.table, self.times, self.kappa)  # type: ignore[attr-defined]  # where "compiled" is declared

    @property
    def share_of_planning(self) -> float:
        """What the model inside deserves."""
        return float(getattr(self.model, "share_of_planning", 1.0))

    def share_of_pairs(self, observations: Any, actions: IntArray) -> FloatArray:
        """(batch,) what the model inside says that each pair deserves; 1 where it says nothing."""
        if not hasattr(self.model, "share_of_pairs"):
            return np.ones(len(actions))
        found: FloatArray = self.model.share_of_pairs(observations, actions)
        return found

    def update(self, transitions: Transitions) -> None:
        """Let the model learn, and note when each pair was tried."""
        self.model.update(transitions)
        note_all_tried(self.times, transitions, self.num_actions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """The model's simulated transitions, each with its bonus."""
        drawn = self.model.sample(n, rng)
        # An array of our own: the model's may be its memory, or hold whole numbers only.
        transitions = drawn._replace(reward=drawn.reward.astype(np.float64))
        add_time_bonus(self.times, transitions, self.num_actions, self.kappa)
        return transitions

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """What the model inside predicts, without the bonus."""
        return self.model.predict(observations, actions)  # type: ignore[attr-defined, no-any-return]  # where "predict" is declared

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What the model inside believes, without the bonus."""
        return self.model.distribution(observation, action)  # type: ignore[attr-defined, no-any-return]  # where "distribution" is declared

    def reserve(self, transitions: int) -> None:
        """Make room in the model inside."""
        self.model.reserve(transitions)  # type: ignore[attr-defined]  # where "compiled" is declared

    def get_state(self) -> dict[str, Any]:
        """The model's state and the times."""
        inside = {f"model.{name}": value for name, value in self.model.get_state().items()}
        return {**inside, **flatten(self.times, "times.")}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""
        times = restore(self.times, state, "times.")
        inside = "model."
        self.model.set_state(
            {name[len(inside) :]: state[name] for name in state if name.startswith(inside)}
        )
        self.times = times


@rule(observe, TimeBonusTable)
@compiled
def observe_with_time(table, num_actions, state, action, reward, next_state, terminated):
    """Let the model inside learn, and note when the pair was tried."""
    observe(table.model, num_actions, state, action, reward, next_state, terminated)
    note_tried(table.times, state * num_actions + action)


@rule(draw, TimeBonusTable)
@spliced
def draw_with_bonus(table, num_actions, rng):
    """A simulated transition of the model inside, with the bonus of its pair."""
    pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    bonus = time_bonus(table.times, pair, table.kappa)
    return pair, reward + bonus, next_state, terminated, rng


@rule(follow, TimeBonusTable)
@compiled
def follow_with_bonus(table, num_actions, pair, rng):
    """What follows in the model inside, with the pair's bonus."""
    reward, next_state, terminated, rng = follow(table.model, num_actions, pair, rng)
    return reward + time_bonus(table.times, pair, table.kappa), next_state, terminated, rng


@rule(expect, TimeBonusTable)
@compiled
def expect_with_bonus(table, num_actions, pair, q, gamma):
    """What the model inside expects, with the pair's bonus."""
    bonus = time_bonus(table.times, pair, table.kappa)
    return bonus + expect(table.model, num_actions, pair, q, gamma)


@rule(believe, TimeBonusTable)
@compiled
def believe_inside(table, num_actions, pair, next_state, terminated):
    """What the model inside holds."""
    return believe(table.model, num_actions, pair, next_state, terminated)
