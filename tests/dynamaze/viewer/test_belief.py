"""The walls that follow from a model's predictions."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import MODELS, DynaQ, DynaQPlus, Transitions
from dynamaze.agents.models import make_model
from dynamaze.envs import DynaMazeEnv, Layout
from dynamaze.viewer.belief import WallBelief, model_that_predicts

NAMES = ("latest_outcome", "maximum_likelihood", "stored_experience")


def told(model: Any, *steps: tuple[int, int, int]) -> None:
    """Tell a model of steps (state, action, next state)."""
    states, actions, following = (np.array(column) for column in zip(*steps, strict=True))
    zeros = np.zeros(len(steps))
    model.update(Transitions(states, actions, zeros, following, zeros.astype(np.bool_)))


@pytest.mark.parametrize("name", NAMES)
def test_a_bump_is_a_wall_and_a_step_is_none(name: str) -> None:
    assert name in MODELS
    model = make_model(name, 6, 4)  # cells 0 1 2 / 3 4 5
    told(model, (0, 1, 0), (0, 2, 3), (3, 1, 4), (0, 0, 0), (3, 2, 3))
    belief = WallBelief(model, (2, 3))
    belief.update(np.ones((6, 4), dtype=np.bool_))
    nan = np.nan
    np.testing.assert_array_equal(belief.walls(), [[nan, 1, nan], [0, 0, nan]])


def test_what_was_seen_from_two_sides_is_a_mean() -> None:
    model = make_model("latest_outcome", 3, 4)  # cells 0 1 2
    told(model, (0, 1, 0), (2, 3, 1))
    belief = WallBelief(model, (1, 3))
    belief.update(np.ones((3, 4), dtype=np.bool_))
    assert belief.walls()[0, 1] == 0.5


def test_only_pairs_that_were_tried_are_asked_for_again() -> None:
    class Model:
        asked = 0

        def predict(self, states: Any, actions: Any) -> Any:
            self.asked += states.size
            return make_model("latest_outcome", 3, 4).predict(states, actions)

    model = Model()
    belief = WallBelief(model, (1, 3))
    tried = np.zeros((3, 4), dtype=np.bool_)
    belief.update(tried)
    tried[1, 2] = tried[0, 0] = True
    belief.update(tried)
    assert model.asked == 2


def test_a_wrapped_model_is_found() -> None:
    class Wrapper:
        def __init__(self, model: object) -> None:
            self.model = model

    model = DynaQPlus("DynaMaze-v0").model
    assert model_that_predicts(model) is model
    assert model_that_predicts(Wrapper(Wrapper(model))) is model
    assert model_that_predicts(Wrapper(object())) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_has_seen_everything_knows_every_wall(name: str) -> None:
    agent = DynaQ("DynaMaze-v0", model=name, epsilon=1.0, planning_steps=0, seed=1).learn(6_000)
    assert agent.env is not None
    maze = agent.env.unwrapped
    assert isinstance(maze, DynaMazeEnv)
    belief = WallBelief(agent.model, (6, 9))
    belief.update(np.ones((54, 4), dtype=np.bool_))
    walls = belief.walls()
    known = ~np.isnan(walls)
    assert known.sum() >= 52
    np.testing.assert_array_equal(walls[known], maze.layout.walls[known])


def test_a_wall_that_falls_is_believed_where_it_was_bumped_into() -> None:
    env = gym.make("DynaMaze-v0", layout=Layout.from_text("S.G"), observation="index")
    agent = DynaQ(env, epsilon=1.0, planning_steps=0, seed=1).learn(50)
    told(agent.model, (0, 1, 0))
    belief = WallBelief(agent.model, (1, 3))
    belief.update(np.ones((3, 4), dtype=np.bool_))
    assert belief.walls()[0, 1] == 1  # nobody ever came from the goal
