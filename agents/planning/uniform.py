"""Uniform planning: step (f) of the box of tabular Dyna-Q (Sutton & Barto 2018, section 8.2)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.compiled import compiled
from dynamaze.common.validation import MOST_UPDATES, checked_count

from ..core.kernels import (
    CONFIDENCE_THRESHOLD,
    confident_steps,
    fraction_of_steps,
    is_confident,
    rules,
    sample_transition,
)
from ..core.transitions import Transitions
from ..models.protocol import Model, find_confidence
from ..values.table import Values, q_update
from .base import Planning


class UniformPlanning(Planning):
    """Uniform search control: n updates from sampled transitions (section 8.2, step (f)).

    Suited to any model and any values; it is the reference of the other planners.

    Args:
        planning_steps: n, at least 0; 0 is Q-learning.

    Raises:
        ValueError: if it is negative.
    """

    promises = frozenset({"converges", "tracks_changes"})

    def __init__(self, planning_steps: int) -> None:
        self.planning_steps = checked_count("planning_steps", planning_steps, 0, MOST_UPDATES)
        self.needs = frozenset({"sample"}) if self.planning_steps else frozenset()

    def reserve(self, values: Any, transitions: int) -> None:
        """Make the record for compiled runs; it needs no capacity."""
        self.record = UniformPlanningRecord(self.planning_steps)

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Sample transitions and update the values from those of confident pairs."""
        # Sampling does not depend on the values: sampling all n transitions first and then applying
        # the n updates in order equals the box's loop, for any model.
        drawn = sample_confident(model, self.planning_steps, rng)
        if drawn is not None:
            values.update(drawn)


class UniformPlanningRecord(NamedTuple):
    """Record of the planner, for compiled code."""

    planning_steps: int


@compiled
def plan_uniformly(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Sample a transition and update its value, n times; return the generator's state."""
    if num_actions == 4:  # a constant lets the compiler unroll the row's maximum
        return _plan(planning, model, q, np.uint64(4), learning_rate, gamma, rng)
    return _plan(planning, model, q, np.uint64(num_actions), learning_rate, gamma, rng)


rules(UniformPlanningRecord, plan=plan_uniformly)


@compiled
def _plan(planning, model, q, num_actions, learning_rate, gamma, rng):
    for _ in range(confident_steps(model, planning.planning_steps)):
        pair, reward, following, terminated, rng = sample_transition(model, num_actions, rng)
        if is_confident(model, pair):
            q_update(q, num_actions, pair, reward, following, terminated, learning_rate, gamma)
    return rng


def sample_confident(
    model: Any, planning_steps: int, rng: np.random.Generator
) -> Transitions | None:
    """Sample the transitions of a planning phase, as far as the model is confident.

    Of the planning steps a fraction is taken, the confidence in the model as a whole; transitions
    of pairs whose confidence is below `CONFIDENCE_THRESHOLD` are left out. Models sample something
    even where no pair reaches it, so there may be no transition.

    Returns:
        The transitions, or None without a planning step.
    """
    ask = find_confidence(model)
    share = 1.0 if ask is None else ask()
    steps = planning_steps if share == 1.0 else int(fraction_of_steps(planning_steps, share))
    if not steps:
        return None
    drawn: Transitions = model.sample(steps, rng)
    if ask is None:
        return drawn
    confident = ask(drawn.observation, drawn.action) >= CONFIDENCE_THRESHOLD
    if confident.all():
        return drawn
    columns: Any = [column[confident] for column in drawn]
    return Transitions(*columns)
