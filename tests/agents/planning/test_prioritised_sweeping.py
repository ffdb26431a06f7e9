"""Prioritised sweeping: order and number of updates, and the lists of predecessors."""

from __future__ import annotations

from typing import Any

import numpy as np

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    DynaQ,
    LatestOutcome,
    PrioritisedSweeping,
    TableValues,
)
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.planning.prioritised_sweeping import add_predecessor, next_predecessor

from .problems import ACTIONS, STATES, experience, greedy_length


def test_sweeping_needs_few_updates() -> None:
    agent = DynaQ(
        "DynaMaze-v0", learning_rate=1.0, planning_steps=5, planning="prioritised_sweeping", seed=0
    )
    agent.learn(3000)
    planning: Any = agent.planning
    # 47 cells of 4 actions, about one update each; Dyna-Q would have made 15,000.
    assert greedy_length(agent) == 14
    assert 47 <= planning.num_updates < 1000


def test_sweeping_follows_box_on_corridor() -> None:
    """One planning phase after reaching the goal suffices."""
    model, planning = LatestOutcome(4, 2), PrioritisedSweeping(10)
    values = TableValues(4, 2, learning_rate=1.0, gamma=0.5)
    rng = np.random.Generator(np.random.SFC64(0))
    for state in range(3):
        forward = one_transition(state, 1, float(state == 2), state + 1, state == 2)
        model.update(forward)
        planning.record_transition(values, model, forward)
        before = values.q.copy()
        planning.plan(values, model, rng)
        if state < 2:
            np.testing.assert_array_equal(values.q, before)  # the queue is empty: no update
    np.testing.assert_array_equal(values.q[:3, 1], [0.25, 0.5, 1.0])
    assert planning.num_updates == 3
    assert planning.record.counts.tolist() == [3, 6]  # each pair was queued and taken once


def test_sweeping_stops_at_budget() -> None:
    model, planning = LatestOutcome(STATES, ACTIONS), PrioritisedSweeping(1)
    values = TableValues(STATES, ACTIONS, learning_rate=1.0, gamma=0.9)
    seen = experience(1, 60, outcomes=1)
    model.update(seen)
    planning.record_transition(values, model, seen)
    rng = np.random.Generator(np.random.SFC64(5))
    for expected in (1, 2, 3):
        planning.plan(values, model, rng)
        assert planning.num_updates == expected
    assert rng.random() == np.random.Generator(np.random.SFC64(5)).random()


def test_predecessors_drop_outdated_pairs() -> None:
    model, planning = LatestOutcome(3, 2), PrioritisedSweeping(10)
    values = TableValues(3, 2, learning_rate=1.0, gamma=0.9)
    rng = np.random.Generator(np.random.SFC64(0))

    def learn_step(state: int, action: int, reward: float, following: int) -> None:
        one = one_transition(state, action, reward, following, False)
        model.update(one)
        planning.record_transition(values, model, one)
        planning.plan(values, model, rng)

    learn_step(0, 0, 0.0, 1)  # 0 leads to 1 ...
    learn_step(0, 0, 0.0, 0)  # ... until a wall blocks the way
    learn_step(1, 0, 1.0, 2)
    before = planning.record.predecessors
    node, _ = next_predecessor(before, model.table, 2, 1, -1)
    assert node == -1
    assert before.first[1] == -1
    assert before.used[1] >= 0  # its node may be used again
    assert values.q[0, 0] == 0.0
    add_predecessor(before, 1, 2, False)
    assert before.used[0] == 3
