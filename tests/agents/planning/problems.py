"""Random experience, and helpers that plan along it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    Agent,
    Planning,
    TableValues,
    Transitions,
)

STATES, ACTIONS = 6, 3


def experience(seed: int, n: int = 400, outcomes: int = 2) -> Transitions:
    """Sample transitions of a random MDP, in which each pair has a few outcomes."""
    rng = np.random.default_rng(seed)
    successors = rng.integers(STATES, size=(STATES, ACTIONS, outcomes))
    reward = rng.normal(size=(STATES, ACTIONS, outcomes))
    ends = rng.random((STATES, ACTIONS, outcomes)) < 0.1
    state, action = rng.integers(STATES, size=n), rng.integers(ACTIONS, size=n)
    which = (state, action, rng.integers(outcomes, size=n))
    return Transitions(state, action, reward[which], successors[which], ends[which])


def plan_along(
    planning: Planning, model: Any, transitions: Transitions, *, more: int, learning_rate: float
) -> TableValues:
    """Return the values after recording all transitions one by one, and planning on."""
    values = TableValues(STATES, ACTIONS, learning_rate=learning_rate, gamma=0.9)
    rng = np.random.Generator(np.random.SFC64(1))
    for row in range(transitions.action.size):
        one = Transitions(*(column[row : row + 1] for column in transitions))
        model.update(one)
        planning.record_transition(values, model, one)
        planning.plan(values, model, rng)
    for _ in range(more):
        planning.plan(values, model, rng)
    return values


def greedy_length(agent: Agent, env_id: str = "DynaMaze-v0", most: int = 100) -> int:
    env = gym.make(env_id)
    observation, _ = env.reset(seed=0)
    for steps in range(1, most + 1):
        action, _ = agent.predict(observation, deterministic=True)
        observation, _, terminated, _, _ = env.step(action)
        if terminated:
            return steps
    return most + 1
