"""Updates of single pairs: expected and sample updates, and predecessors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    BackwardUpdates,
    LatestOutcome,
    MaximumLikelihood,
    TableValues,
    TrajectorySampling,
    Transitions,
    UniformPlanning,
    UniformUpdates,
)
from dynamaze.agents.core.transitions import one_transition

from .problems import ACTIONS, STATES, experience, plan_along


@pytest.mark.parametrize("make", [UniformUpdates, BackwardUpdates, TrajectorySampling])
def test_sample_updates_equal_expected_if_deterministic(make: Any) -> None:
    tables = []
    for updates in ("expected", "sample"):
        model = LatestOutcome(STATES, ACTIONS)
        seen = experience(2, outcomes=1)
        tables.append(
            plan_along(make(5, updates=updates), model, seen, more=0, learning_rate=0.5).q
        )
    np.testing.assert_allclose(*tables, rtol=1e-12)
    assert np.abs(tables[0]).max() > 0.5


def test_uniform_sample_updates_equal_uniform_planning() -> None:
    tables = []
    for planning in (UniformUpdates(5, updates="sample"), UniformPlanning(5)):
        model = MaximumLikelihood(STATES, ACTIONS)
        tables.append(plan_along(planning, model, experience(2), more=3, learning_rate=0.5).q)
    np.testing.assert_array_equal(*tables)


def test_sample_updates_are_unbiased() -> None:
    """Rewards 1 and 0, equally likely: 0.5 within 5 standard errors (false alarms below 1e-6)."""
    model, values = MaximumLikelihood(2, 1), TableValues(2, 1, learning_rate=0.01, gamma=0.9)
    planning = UniformUpdates(20_000, updates="sample")
    both = Transitions(
        np.zeros(2, int), np.zeros(2, int), np.array([1.0, 0.0]), np.array([0, 1]), np.ones(2, bool)
    )
    model.update(both)
    planning.record_transition(values, model, both)
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    # An average with step size a forgets; its variance is a / (2 - a) of one sample's, 1/4.
    error = 0.5 * np.sqrt(0.01 / 1.99)
    assert abs(values.q[0, 0] - 0.5) < 5 * error


def test_backward_updates_include_episode_ends() -> None:
    model, planning = LatestOutcome(2, 1), BackwardUpdates(4)
    values = TableValues(2, 1, learning_rate=1.0, gamma=0.9)
    end = one_transition(0, 0, 1.0, 1, True)
    model.update(end)
    planning.record_transition(values, model, end)
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    assert values.q[0, 0] == 1.0


def test_backward_state_holds_ends_everywhere() -> None:
    """Episodes ended in both states: their list is full, and still a possible state."""
    model, planning = LatestOutcome(2, 1), BackwardUpdates(1)
    values = TableValues(2, 1, learning_rate=0.5, gamma=0.9)
    for state in (0, 1):
        planning.record_transition(values, model, one_transition(state, 0, 1.0, state, True))
    restored = BackwardUpdates(1)
    restored.record_transition(values, model, one_transition(0, 0, 1.0, 0, True))
    restored.set_state(planning.get_state())
    np.testing.assert_equal(restored.get_state(), planning.get_state())
    assert restored.record.ends.tolist() == [2, 0, 1]
