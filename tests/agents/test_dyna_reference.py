"""Dyna-Q and Dyna-Q+ against plain Python pseudocode of the book, bit for bit."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, DynaQPlus
from dynamaze.agents.core.rng import make_generator

ALPHA, GAMMA, EPSILON, PLANNING_STEPS = 0.7, 0.95, 0.1, 6
LOW = 2**32 - 1


def reference(env: gym.Env[Any, Any], seed: int, steps: int, kappa: float | None) -> np.ndarray:
    """Return the action values after some steps; kappa None is Dyna-Q."""
    words = make_generator(np.random.SeedSequence(seed), 0).bit_generator

    def word() -> tuple[int, int]:
        drawn = int(words.random_raw())
        return drawn >> 32, drawn & LOW

    q = np.zeros((54, 4))
    model: dict[tuple[int, int], tuple[float, int, bool]] = {}
    order: dict[int, list[int]] = {}
    last_tried: dict[tuple[int, int], int] = {}

    def update(state: int, action: int, reward: float, following: int, end: bool) -> None:
        target = reward + (0.0 if end else GAMMA) * max(q[following])
        q[state, action] += ALPHA * (target - q[state, action])

    state, _ = env.reset(seed=0)
    for step in range(1, steps + 1):
        high, low = word()
        if high * 2.0**-32 < EPSILON:
            action = low * 4 >> 32
        else:
            best = [a for a in range(4) if q[state, a] == max(q[state])]
            action = best[low * len(best) >> 32]
        following, reward, end, truncated, _ = env.step(action)
        update(state, action, reward, following, end)
        model[state, action] = (reward, following, end)
        last_tried[state, action] = step
        if kappa is not None and state not in order:
            order[state] = [0, 1, 2, 3]
        elif action not in order.setdefault(state, []):
            order[state].append(action)
        for _ in range(PLANNING_STEPS):
            high, low = word()
            seen = list(order)[high * len(order) >> 32]
            tried = order[seen][low * len(order[seen]) >> 32]
            imagined, next_seen, ends = model.get((seen, tried), (0.0, seen, False))
            if kappa is not None:
                imagined += kappa * np.sqrt(step - last_tried.get((seen, tried), 0))
            update(seen, tried, imagined, next_seen, ends)
        state = following
        if end or truncated:
            state, _ = env.reset()
    return q


@pytest.mark.parametrize("kappa", [None, 1e-3])
@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeBlocking-v0"])
def test_agent_equals_book_pseudocode(env_id: str, kappa: float | None) -> None:
    arguments: dict[str, Any] = {
        "learning_rate": ALPHA,
        "gamma": GAMMA,
        "epsilon": EPSILON,
        "planning_steps": PLANNING_STEPS,
        "seed": 8,
    }
    if kappa is None:
        agent: Any = DynaQ(gym.make(env_id), **arguments)
    else:
        agent = DynaQPlus(gym.make(env_id), kappa=kappa, **arguments)
    agent.learn(1500)
    np.testing.assert_array_equal(agent.values.q, reference(gym.make(env_id), 8, 1500, kappa))
