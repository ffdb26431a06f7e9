"""Certainty-equivalence planning: bonuses, and missing convergence."""

from __future__ import annotations

import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    DynamicProgramming,
    LatestOutcome,
    PrioritisedSweeping,
    ScoredModel,
    TableValues,
    TimeBonus,
)
from dynamaze.agents.core.transitions import one_transition

from .problems import ACTIONS, STATES, experience, plan_along


def test_planner_uses_bonus_and_scores() -> None:
    inside = LatestOutcome(STATES, ACTIONS)
    bonus = TimeBonus(inside, STATES, ACTIONS, kappa=1.0)
    planning = DynamicProgramming()
    seen = experience(2, outcomes=1)
    with_bonus = plan_along(planning, bonus, seen, more=1, learning_rate=1.0)
    without = plan_along(
        DynamicProgramming(), LatestOutcome(STATES, ACTIONS), seen, more=1, learning_rate=1.0
    )
    tried = inside.table.visits.reshape(STATES, ACTIONS) > 0
    assert (with_bonus.q[tried] > without.q[tried]).all()
    scored = plan_along(
        DynamicProgramming(),
        ScoredModel(LatestOutcome(STATES, ACTIONS)),
        seen,
        more=1,
        learning_rate=1.0,
    )
    np.testing.assert_allclose(scored.q, without.q, atol=1e-6)


def test_dynamic_programming_warns_without_convergence() -> None:
    """With gamma = 1 the values of a rewarding loop diverge."""
    model, planning = LatestOutcome(1, 1), DynamicProgramming(max_sweeps=50)
    values = TableValues(1, 1, learning_rate=1.0, gamma=1.0)
    loop = one_transition(0, 0, 1.0, 0, False)
    model.update(loop)
    planning.record_transition(values, model, loop)
    with pytest.warns(RuntimeWarning, match=r"gamma=1.0 the residual after 50 sweeps is 0.02"):
        planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    assert values.q[0, 0] == 50
    sweeping = PrioritisedSweeping(30)
    sweeping.record_transition(values, model, loop)
    sweeping.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    assert sweeping.num_updates == 30
