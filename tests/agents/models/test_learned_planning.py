"""Models and values planned out from the same experience of the continuous maze.

Learning there takes exploration, a model and values together. Here the experience is given, and
planning goes on for long, so that a model that is wrong at the walls or at the goal is found out.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, LinearValues, TileCoding, Transitions
from dynamaze.agents.models import model_for

SHORTEST = 25
"""Steps of half a cell from start to goal; the best that was ever found."""


def maze() -> gym.Env[Any, Any]:
    return gym.make("DynaMazeContinuous-v0", action="discrete", observation="position")


@pytest.fixture(scope="module")
def experience() -> Transitions:
    """8000 steps of an agent with optimistic values, which visits all of the maze."""
    agent: Any = DynaQ(maze(), values="tile_coding", initial_value=1.0, epsilon=0.2, seed=0)
    seen: Transitions = agent.learn(8000).model.memory.rows
    return seen


def test_optimistic_values_find_goal(experience: Transitions) -> None:
    """With epsilon=0.1 four such runs found it after 804 to 2780 steps."""
    assert experience.terminated.sum() >= 10
    assert len(np.unique(experience.observation.astype(int), axis=0)) == 46  # each free cell


@pytest.mark.parametrize("model", ["stored_experience", "linear", "recursive_linear"])
def test_planning_on_model_reaches_goal(model: str, experience: Transitions) -> None:
    env = maze()
    space: Any = env.observation_space
    world = model_for(model, space, 4, observes="vectors")
    for first in range(0, 8000, 500):
        world.update(Transitions(*(column[first : first + 500] for column in experience)))
    values = LinearValues(TileCoding(space.low, space.high), 4, learning_rate=0.2, gamma=0.95)
    rng = np.random.default_rng(0)
    for _ in range(120):
        values.update(world.sample(1000, rng))
    observation, _ = env.reset(seed=0)
    for _ in range(2 * SHORTEST):
        action = values.values(observation[None].astype(np.float64))[0].argmax()
        observation, _, terminated, *_ = env.step(int(action))
        if terminated:
            break
    assert terminated
