"""Uncertainty as a bonus: what the model knows little of pays more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced
from dynamaze.common.validation import checked_number

from ..core.kernels import believe, doubt, draw, expect, follow, observe, rule
from ..core.transitions import Transitions
from .protocol import Model


class UncertaintyTable(NamedTuple):
    """A model's record and the weight of its doubts."""

    model: Any
    weight: float


class UncertaintyBonus:
    """Adds weight * doubt to each simulated reward, doubt being the model's own uncertainty.

    What doubt is depends on the model:

    - Where it has a method `doubt(observations, actions)`, as `ScoredModel` has, what that says.
    - Where its predictions say how much is `known`, as those of all learned models do, the rest to
      1: the share of doubt (epistemic variance) in all that varies, so that it shrinks where the
      learner becomes sure, near what was seen too. What only varies is no doubt. "linear" has
      none, for least mean squares do not know what they do not know.
    - Otherwise, as of a table, 1 / sqrt(visits + 1): the bonus of MBIE-EB (Strehl and Littman
      2008) with one visit more.

    A bonus for what was never tried needs it to be imagined: make a table or `OnRows` with
    `include_untried`. Models of vectors only imagine what was tried, so there the bonus sends the
    agent back to what is still doubtful, and nowhere else.

    Args:
        model: any model.
        num_states: how many states; None for what the model says, or for a model of vectors.
        num_actions: how many actions in each; None for what the model says.
        weight: of the bonus, at least 0. What is never known is paid weight / (1 - gamma): if that
            exceeds the rewards of the world, the agent only explores until all is known.

    Raises:
        ValueError: if the weight is negative or not finite.
    """

    def __init__(
        self,
        model: Model,
        num_states: int | None = None,
        num_actions: int | None = None,
        *,
        weight: float,
    ) -> None:
        self.model: Any = model
        for name, number in (("num_states", num_states), ("num_actions", num_actions)):
            if number is not None:
                setattr(self, name, number)
        self.weight = checked_number("weight", weight, 0)

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model inside can do."""
        inside: frozenset[str] = self.model.capabilities
        return inside

    @property
    def promises(self) -> frozenset[str]:
        """What the model inside promises, but for its rewards where there is a bonus."""
        inside = getattr(self.model, "promises", frozenset()) | {"knows_uncertainty"}
        return frozenset(inside - {"exact_when_deterministic"} if self.weight else inside)

    @property
    def table(self) -> UncertaintyTable:
        """The record of a compiled model with the weight."""
        return UncertaintyTable(self.model.table, self.weight)

    @property
    def share_of_planning(self) -> float:
        """What the model inside deserves."""
        return float(getattr(self.model, "share_of_planning", 1.0))

    def __getattr__(self, name: str) -> Any:
        """Everything else is the model's own: `predict`, `distribution`, `reserve`, ..."""
        if name == "model":  # not yet there, while a copy is made
            raise AttributeError(name)
        return getattr(self.model, name)

    def update(self, transitions: Transitions) -> None:
        """Let the model learn."""
        self.model.update(transitions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """The model's simulated transitions, each with its bonus.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        drawn: Transitions = self.model.sample(n, rng)
        bonus = self.weight * self.doubt(drawn.observation, drawn.action)
        return drawn._replace(reward=drawn.reward + bonus)

    def doubt(self, observations: Any, actions: IntArray) -> FloatArray:
        """(batch,) how little the model knows of these pairs."""
        if hasattr(self.model, "doubt"):
            doubts: FloatArray = self.model.doubt(observations, actions)
            return doubts
        prediction = self.model.predict(observations, actions)
        if prediction.known is not None:
            return np.asarray(1.0 - prediction.known)
        return np.asarray(1.0 / np.sqrt(prediction.visits + 1.0))

    def get_state(self) -> dict[str, Any]:
        """The model's state."""
        state: dict[str, Any] = self.model.get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""
        self.model.set_state(state)


@rule(observe, UncertaintyTable)
@compiled
def observe_inside(table, num_actions, state, action, reward, next_state, terminated):
    """Let the model inside learn."""
    observe(table.model, num_actions, state, action, reward, next_state, terminated)


@rule(draw, UncertaintyTable)
@spliced
def draw_with_doubt(table, num_actions, rng):
    """A simulated transition of the model inside, with the bonus of its pair."""
    pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    bonus = table.weight * doubt(table.model, num_actions, pair)
    return pair, reward + bonus, next_state, terminated, rng


@rule(follow, UncertaintyTable)
@compiled
def follow_with_doubt(table, num_actions, pair, rng):
    """What follows in the model inside, with the pair's bonus."""
    reward, next_state, terminated, rng = follow(table.model, num_actions, pair, rng)
    bonus = table.weight * doubt(table.model, num_actions, pair)
    return reward + bonus, next_state, terminated, rng


@rule(expect, UncertaintyTable)
@compiled
def expect_with_doubt(table, num_actions, pair, q, gamma):
    """What the model inside expects, with the pair's bonus."""
    bonus = table.weight * doubt(table.model, num_actions, pair)
    return bonus + expect(table.model, num_actions, pair, q, gamma)


@rule(believe, UncertaintyTable)
@compiled
def believe_inside(table, num_actions, pair, next_state, terminated):
    """What the model inside holds."""
    return believe(table.model, num_actions, pair, next_state, terminated)
