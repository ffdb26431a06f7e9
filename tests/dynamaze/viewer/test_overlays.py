"""Walls predicted by a model, and wrapped models."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import MODELS, DynaQ, DynaQPlus, Transitions
from dynamaze.agents.models import make_model
from dynamaze.envs import DynaMazeEnv, DynaMazeLoCAEnv, Layout
from dynamaze.viewer.environment import Camera
from dynamaze.viewer.overlays import GAMMA, EnvOverlays, PredictedWalls, find_predictive_model
from dynamaze.viewer.statistics import RecordStatistics

NAMES = ("latest_outcome", "maximum_likelihood", "stored_experience")


def add_steps(model: Any, *steps: tuple[int, int, int]) -> None:
    """Update a model with steps (state, action, next state)."""
    states, actions, following = (np.array(column) for column in zip(*steps, strict=True))
    zeros = np.zeros(len(steps))
    model.update(Transitions(states, actions, zeros, following, zeros.astype(np.bool_)))


@pytest.mark.parametrize("name", NAMES)
def test_predicted_walls_of_steps(name: str) -> None:
    assert name in MODELS
    model = make_model(name, 6, 4)  # cells 0 1 2 / 3 4 5
    add_steps(model, (0, 1, 0), (0, 2, 3), (3, 1, 4), (0, 0, 0), (3, 2, 3))
    walls = PredictedWalls(model, (2, 3))
    walls.update(np.ones((6, 4), dtype=np.bool_))
    nan = np.nan
    np.testing.assert_array_equal(walls.probabilities(), [[0, 1, nan], [0, 0, nan]])


def test_predicted_walls_average_sides() -> None:
    model = make_model("latest_outcome", 3, 4)  # cells 0 1 2
    add_steps(model, (0, 1, 0), (2, 3, 1))
    walls = PredictedWalls(model, (1, 3))
    walls.update(np.ones((3, 4), dtype=np.bool_))
    assert walls.probabilities()[0, 1] == 0.5


def test_update_predicts_tried_pairs_only() -> None:
    class Model:
        predicted = 0

        def predict(self, states: Any, actions: Any) -> Any:
            self.predicted += states.size
            return make_model("latest_outcome", 3, 4).predict(states, actions)

    model = Model()
    walls = PredictedWalls(model, (1, 3))
    tried = np.zeros((3, 4), dtype=np.bool_)
    walls.update(tried)
    tried[1, 2] = tried[0, 0] = True
    walls.update(tried)
    assert model.predicted == 2


def test_find_predictive_model_unwraps() -> None:
    class Wrapper:
        def __init__(self, model: object) -> None:
            self.model = model

    model = DynaQPlus("DynaMaze-v0").model
    assert find_predictive_model(model) is model
    assert find_predictive_model(Wrapper(Wrapper(model))) is model
    assert find_predictive_model(Wrapper(object())) is None


@pytest.mark.parametrize("name", NAMES)
def test_predicted_walls_exact_after_exploration(name: str) -> None:
    agent = DynaQ("DynaMaze-v0", model=name, epsilon=1.0, planning_steps=0, seed=1).learn(6_000)
    assert agent.env is not None
    maze = agent.env.unwrapped
    assert isinstance(maze, DynaMazeEnv)
    walls = PredictedWalls(agent.model, (6, 9))
    walls.update(np.ones((54, 4), dtype=np.bool_))
    probabilities = walls.probabilities()
    known = ~np.isnan(probabilities)
    assert known.sum() >= 52
    np.testing.assert_array_equal(probabilities[known], maze.layout.walls[known])


def test_predicted_walls_after_change() -> None:
    env = gym.make("DynaMaze-v0", layout=Layout.from_text("S.G"), observation="index")
    agent = DynaQ(env, epsilon=1.0, planning_steps=0, seed=1).learn(50)
    add_steps(agent.model, (0, 1, 0))
    walls = PredictedWalls(agent.model, (1, 3))
    walls.update(np.ones((3, 4), dtype=np.bool_))
    assert walls.probabilities()[0, 1] == 1  # no step ever came from the goal


def test_env_overlays_know_rewards_of_both_exits() -> None:
    maze = DynaMazeLoCAEnv(task="B", render_mode="rgb_array")
    recorded = RecordStatistics(maze, Camera(maze, (300, 300)), GAMMA)
    shown = EnvOverlays(maze, recorded).arrays(["values", "policy"])
    np.testing.assert_allclose(shown["values"], maze.optimal_values(GAMMA))
    np.testing.assert_array_equal(shown["policy"], maze.optimal_policy(GAMMA))
