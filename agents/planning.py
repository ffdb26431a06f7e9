"""Planning in the background: simulated experience improves the values."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from dynamaze.messages import checked_number

from .models import CAPABILITIES, MODELS, Model
from .models.shares import shared_steps
from .values import Values


class Planning(Protocol):
    """What an agent needs of its planning."""

    planning_steps: int

    @property
    def needs(self) -> frozenset[str]:
        """What the model must be able to do."""

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Improve the values by simulated experience."""


class UniformPlanning:
    """n updates from simulated transitions that the model draws (section 8.2, step (f)).

    Drawing does not depend on the values, so drawing all n first and then applying the n updates
    in order is the algorithm in the box, for any model.

    Args:
        planning_steps: n, at least 0; 0 is Q-learning.

    Raises:
        ValueError: if it is negative.
    """

    def __init__(self, planning_steps: int) -> None:
        checked = checked_number("planning_steps", planning_steps, 0, whole=True)
        self.planning_steps = int(checked)

    @property
    def needs(self) -> frozenset[str]:
        """Samples, if it plans at all."""
        return frozenset({"sample"}) if self.planning_steps else frozenset()

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Draw the transitions and update the values by them."""
        if self.planning_steps:
            # A model that knows how far to trust it says how much planning it deserves.
            trust = getattr(model, "share_of_planning", 1.0)
            steps = (
                self.planning_steps if trust == 1.0 else shared_steps(self.planning_steps, trust)
            )
            if steps:
                values.update(model.sample(steps, rng))


def check_fit(planning: Planning, model: Model) -> None:
    """Refuse a planner whose model cannot do what it needs.

    Raises:
        ValueError: naming what is missing and which models have it.
    """
    missing = sorted(planning.needs - model.capabilities)
    if missing:
        fitting = sorted(name for name in MODELS if planning.needs <= MODELS[name].capabilities)
        raise ValueError(
            f"{type(planning).__name__} needs a model that {CAPABILITIES[missing[0]]} "
            f"({missing[0]!r}), which {type(model).__name__} does not declare; "
            f"these do: {fitting}"
        )
