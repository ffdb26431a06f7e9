"""Base class of planners, and the checks that a planner fits its model and its values."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.configuration import Configurable
from dynamaze.common.deprecation import warn_renamed
from dynamaze.common.validation import checked_choice, checked_integer

from ..core.kernels import CONFIDENCE_THRESHOLD, fraction_of_steps
from ..core.records import Stateful
from ..core.transitions import Transitions
from ..models.protocol import CAPABILITIES, Model, confidence_in
from ..models.registry import MODELS
from ..values.table import TableValues, Values

OLD_METHODS = {"note": "record_transition"}
"""Method of a planner in version 0.1 -> its name of today; the old one works until version 0.3."""


class Planning(Configurable, Stateful):
    """Base class of planners: background planning, or search before an action is chosen.

    A planner of your own inherits from it and overrides `plan`, which runs after each real step, or
    `action_values`, which runs before each decision, or both.

    Attributes:
        needs: required capabilities of the model, of `dynamaze.agents.CAPABILITIES`.
        needs_table: whether it requires `TableValues`.
        learns_directly: whether real transitions update the values, too: step (d) of the Dyna-Q
            box. False for a planner that itself processes real transitions; see `learns_from`.
        promises: promises that `dynamaze.agents.checks` may test, of its `PLANNER_PROMISES`.
        record: record of a planner with compiled rules, for compiled runs; see `reserve`.
    """

    needs: frozenset[str] = frozenset()
    needs_table: bool = False
    learns_directly: bool = True
    promises: frozenset[str] = frozenset()
    record: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for old, new in OLD_METHODS.items():
            if old in vars(cls) and new not in vars(cls) and hasattr(cls, new):
                warn_renamed(f"{cls.__name__}.{old}", f"{cls.__name__}.{new}")
                setattr(cls, new, vars(cls)[old])

    def learns_from(self, model: Model, transition: Transitions) -> bool:
        """Return whether a real transition, not yet in the model, updates the values directly."""
        return self.learns_directly

    def record_transition(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Record real transitions, which the model has already learned."""

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Update the values from simulated experience."""

    def action_values(
        self,
        values: Values,
        model: Model,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """Return (batch, actions) values for action selection; without search the learned ones.

        Args:
            values: learned action values.
            model: learned or true model.
            observations: (batch,) rows, or (batch, d) vectors.
            rng: source of all randomness.
            learning: whether the single observation is the agent's current one, so that search
                results may be reused at its next step; otherwise the planner's state is unchanged.
        """
        return values.values(observations)

    def reserve(self, values: Any, transitions: int) -> None:
        """Make the record, with capacity for a number of further real transitions."""


def checked_steps(planning_steps: int) -> int:
    """Return the number of planning steps, checked.

    Raises:
        ValueError: if it is negative.
    """
    return checked_integer("planning_steps", planning_steps, 0)


def checked_name(argument: str, name: object, known: tuple[str, ...]) -> str:
    """Return the name, if it is one of the known ones.

    Raises:
        ValueError: if it is not; names the known ones.
    """
    return checked_choice(argument, name, known)


def scaled_steps(planning_steps: int, model: Model) -> int:
    """Return the planning steps to take with a model: a fraction of them, its confidence."""
    confidence = confidence_in(model)
    return (
        planning_steps if confidence == 1.0 else int(fraction_of_steps(planning_steps, confidence))
    )


def confident_only(model: Any, transitions: Transitions) -> Transitions:
    """Return the simulated transitions of pairs whose confidence reaches `CONFIDENCE_THRESHOLD`.

    Models sample something even where no pair reaches it, so the result may be empty.
    """
    confidence = confidence_in(model, transitions.observation, transitions.action)
    confident = confidence >= CONFIDENCE_THRESHOLD
    if confident.all():
        return transitions
    columns: Any = [column[confident] for column in transitions]
    return Transitions(*columns)


def check_fit(planning: Planning, model: Model, values: Values) -> None:
    """Check that a planner fits its model and its values.

    Raises:
        ValueError: if the model lacks a capability; names it and the models that have it.
        TypeError: if the planner needs a table and the values are not one.
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
