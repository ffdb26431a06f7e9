"""Trajectory sampling: the policy's trajectories, and their starts."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    DynaQ,
    LatestOutcome,
    TableValues,
    TrajectorySampling,
)
from dynamaze.agents.core.transitions import one_transition


def test_trajectories_follow_policy() -> None:
    """Greedy trajectories from the agent's state update no state behind it."""
    n = 6
    model = LatestOutcome(n, 2)
    planning = TrajectorySampling(50, epsilon=0.0)
    values = TableValues(n, 2, learning_rate=1.0, gamma=0.9)
    values.q[:, 1] = 0.01  # to the right
    for state in range(n - 1):
        for action, following in ((0, max(state - 1, 0)), (1, state + 1)):
            one = one_transition(state, action, float(following == n - 1), following, False)
            model.update(one)
            if state == 2 and action == 1:
                planning.record_transition(values, model, one)
    before = values.q.copy()
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    changed = np.argwhere(values.q != before)
    assert {tuple(pair) for pair in changed.tolist()} == {(3, 1), (4, 1)}


def test_trajectories_start_at_episode_starts() -> None:
    planning = TrajectorySampling(3, begin="start")
    agent = DynaQ("DynaMazeBlocking-v0", planning=planning, seed=0).learn(3000)
    started = planning.record.starts[: planning.record.num_starts[0]]
    first, _ = gym.make("DynaMazeBlocking-v0").reset(seed=0)
    assert set(started.tolist()) == {agent.rows.one(first)}
    assert planning.record.num_starts[0] == agent.num_episodes + (agent.episode_length > 0)


def test_trajectories_leave_untried_state() -> None:
    """From a state without a tried action they start where the episode did."""
    model, values = LatestOutcome(5, 2), TableValues(5, 2, learning_rate=1.0, gamma=0.9)
    planning = TrajectorySampling(1)
    last = one_transition(2, 1, 1.0, 3, False)  # nothing was tried in state 3
    for one in (one_transition(0, 0, 1.0, 1, False), last):
        model.update(one)
    planning.record_transition(values, model, last)
    planning.plan(values, model, np.random.Generator(np.random.SFC64(0)))
    assert np.argwhere(values.q).tolist() == [[2, 1]]
