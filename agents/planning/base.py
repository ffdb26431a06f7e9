"""Base class of planners, and the checks that a planner fits its model and its values."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import moved_names, warn_renamed

from ..core.records import Stateful
from ..core.transitions import Transitions
from ..models.protocol import CAPABILITIES, Model
from ..models.registry import MODELS
from ..values.table import TableValues, Values

OLD_METHODS = {"note": "record_transition"}
"""Method of a planner in version 0.1 -> its name of today; the old one works until version 0.3."""


class Planning(Stateful):
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

    def compiled_obstacle(self, model: Any) -> str:
        """Return why compiled code cannot plan with a model that has a record, or "" if it can."""
        return ""


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


__getattr__ = moved_names(
    __name__, {"UniformPlanning": "dynamaze.agents.planning.uniform.UniformPlanning"}
)
