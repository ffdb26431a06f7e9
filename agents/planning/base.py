"""What an agent needs of its planning, and the planning of the Dyna-Q box."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.shares import TRUSTED, shared_steps
from ..core.transitions import Transitions
from ..models import CAPABILITIES, MODELS, Model
from ..values.table import TableValues, Values


class Planning:
    """How a model is used: to improve the values, or to look ahead before an action is chosen.

    A planner of your own inherits from it and overrides what it does: `plan`, and it plans in the
    background, after each real step; `action_values`, and it plans at decision time.

    Attributes:
        needs: what the model must be able to do, of `dynamaze.agents.CAPABILITIES`.
        needs_table: whether it works on `TableValues` alone.
        learns_directly: whether real transitions update the values, too (step (d) of the box). A
            planner that hears of them by `note` may do without; see `learns_from`.
        promises: what `dynamaze.agents.checks` may hold it to, of its `PLANNER_PROMISES`.
    """

    needs: frozenset[str] = frozenset()
    needs_table: bool = False
    learns_directly: bool = True
    promises: frozenset[str] = frozenset()

    def learns_from(self, model: Model, transition: Transitions) -> bool:
        """Whether this one real transition, which the model does not know yet, updates values."""
        return self.learns_directly

    def note(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Take note of real transitions, which the model has learned already."""

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Improve the values by simulated experience."""

    def action_values(
        self,
        values: Values,
        model: Model,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """(batch, actions) values by which actions are chosen; without search the learned ones.

        Args:
            values: what was learned.
            model: what is believed of the world.
            observations: (batch,) rows, or (batch, d) vectors.
            rng: for all randomness.
            learning: whether the one observation is where the agent now is, so that what is found
                may be kept for its next step; otherwise the planner stays as it is.
        """
        return values.values(observations)

    def get_state(self) -> dict[str, Any]:
        """Arrays and numbers that `set_state` takes back."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""


class UniformPlanning(Planning):
    """n updates from simulated transitions that the model draws (section 8.2, step (f)).

    Drawing does not depend on the values, so drawing all n first and then applying the n updates
    in order is the algorithm in the box, for any model.

    Args:
        planning_steps: n, at least 0; 0 is Q-learning.

    Raises:
        ValueError: if it is negative.
    """

    promises = frozenset({"settles", "follows_changes"})

    def __init__(self, planning_steps: int) -> None:
        self.planning_steps = checked_steps(planning_steps)
        self.needs = frozenset({"sample"}) if self.planning_steps else frozenset()

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Draw the transitions and update the values by those of pairs that are trusted."""
        steps = deserved_steps(self.planning_steps, model)
        if steps:
            values.update(trusted_only(model, model.sample(steps, rng)))


def checked_steps(planning_steps: int) -> int:
    """The number of planning steps.

    Raises:
        ValueError: if it is negative.
    """
    return int(checked_number("planning_steps", planning_steps, 0, whole=True))


def deserved_steps(planning_steps: int, model: Model) -> int:
    """How many of its planning steps are taken: a model may say how far it is to be trusted."""
    trust = getattr(model, "share_of_planning", 1.0)
    return planning_steps if trust == 1.0 else int(shared_steps(planning_steps, trust))


def trusted_only(model: Any, transitions: Transitions) -> Transitions:
    """Those of simulated transitions whose pairs deserve it; see `TRUSTED`.

    Where no pair is trusted a model draws something all the same.
    """
    if not hasattr(model, "share_of_pairs"):
        return transitions
    deserve = model.share_of_pairs(transitions.observation, transitions.action) >= TRUSTED
    if deserve.all():
        return transitions
    columns: Any = [column[deserve] for column in transitions]
    return Transitions(*columns)


def check_fit(planning: Planning, model: Model, values: Values) -> None:
    """Refuse a planner whose model or values cannot do what it needs.

    Raises:
        ValueError: naming what is missing and which models have it.
        TypeError: if values that are no table meet a planner that needs one.
    """
    if planning.needs_table and not isinstance(values, TableValues):
        raise TypeError(
            f"{type(planning).__name__} needs TableValues, and these are "
            f'{type(values).__name__}; planning="uniform" serves any values'
        )
    missing = sorted(planning.needs - model.capabilities)
    if missing:
        fitting = sorted(name for name in MODELS if planning.needs <= MODELS[name].capabilities)
        raise ValueError(
            f"{type(planning).__name__} needs a model that {CAPABILITIES[missing[0]]} "
            f"({missing[0]!r}), which {type(model).__name__} does not declare; "
            f"these do: {fitting}"
        )
