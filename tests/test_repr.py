"""The `repr` of agents, parts, observation encoders and mazes: the call that makes them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze import agents
from dynamaze.agents import MODELS, PLANNERS, DynaQ, TableValues
from dynamaze.agents.core.encoders import Vectors
from dynamaze.agents.core.spaces import TableRows
from dynamaze.envs import Layout, RandomChanges, Rewards, Schedule
from dynamaze.envs.observations import OBSERVATIONS, make_encoder

LAYOUT = Layout.from_text("S.#\n..G")
AGENTS = ("DynaQ", "DynaQPlus", "QLearning", "LinearDyna", "ForwardSearch", "TreeSearch", "Dyna2")


def check_short(made: Any, name: str) -> None:
    text = repr(made)
    assert text.startswith(f"{name}(")
    assert text.endswith(")")
    assert " at 0x" not in text
    assert "\n" not in text
    assert len(text) < 400


@pytest.mark.parametrize("name", AGENTS)
def test_agent_repr_and_parts(name: str) -> None:
    agent = getattr(agents, name)("DynaMaze-v0", gamma=0.9, seed=0)
    assert repr(agent) == f"{name}(env='DynaMaze-v0', gamma=0.9, seed=0)"
    for part in (agent.values, agent.model, agent.planning, agent.exploration, agent.encoder):
        check_short(part, type(part).__name__)


def test_continuous_agent_repr_and_parts() -> None:
    agent = agents.TrajectoryOptimisation("DynaMazeContinuous-v0", horizon=3)
    assert repr(agent) == "TrajectoryOptimisation(env='DynaMazeContinuous-v0', horizon=3)"
    for part in (agent.values, agent.model, agent.planning, agent.exploration, agent.encoder):
        check_short(part, type(part).__name__)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_model_repr(name: str) -> None:
    model = MODELS[name](6, 4)
    check_short(model, type(model).__name__)


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_planner_repr(name: str) -> None:
    planner = PLANNERS[name](7, 0.1)
    check_short(planner, type(planner).__name__)
    assert "planning_steps=7" in repr(planner) or name == "dynamic_programming"


def test_repr_makes_equal_object() -> None:
    for made in (
        agents.UniformPlanning(3),
        agents.EpsilonGreedy(0.2),
        TableValues(6, 4, learning_rate=0.5, gamma=0.9),
        agents.LatestOutcome(6, 4, include_untried=True),
        DynaQ("DynaMaze-v0", planning=agents.UniformUpdates(2, updates="sample"), epsilon=0.2),
        agents.TimeBonus(agents.LatestOutcome(6, 4), 6, 4, kappa=0.01),
    ):
        names: dict[str, Any] = {name: getattr(agents, name) for name in agents.__all__}
        assert repr(eval(repr(made), names)) == repr(made)


def test_repr_shortens_arrays() -> None:
    encoder = Vectors(gym.spaces.Box(-1.0, 1.0, (3,)))
    assert repr(encoder) == "Vectors(space=Box(-1.0, 1.0, (3,), float32))"
    assert repr(TableRows(gym.spaces.Discrete(5))) == "TableRows(space=Discrete(5))"
    check_short(agents.CoordinateFeatures(np.zeros(500), np.ones(500)), "CoordinateFeatures")


@pytest.mark.parametrize("kind", sorted(OBSERVATIONS))
def test_observation_encoder_repr(kind: str) -> None:
    encoder = make_encoder(kind, LAYOUT)
    check_short(encoder, type(encoder).__name__)
    assert repr(LAYOUT) in repr(encoder)


def test_layout_repr_makes_equal_layout() -> None:
    assert repr(LAYOUT) == r"Layout.from_text(text='S.#\n..G')"
    for layout in (LAYOUT, Layout.from_text("S  G", Rewards(goal=2.0), 0.25)):
        again = eval(repr(layout), {"Layout": Layout, "Rewards": Rewards})
        assert again.to_text() == layout.to_text()
        assert again.rewards == layout.rewards
        assert again.slip_probability == layout.slip_probability
    large = Layout(np.zeros((300, 300), dtype=bool), ((0, 0),), ((299, 299),))
    check_short(large, "Layout")


def test_schedule_repr() -> None:
    schedule = Schedule((LAYOUT, LAYOUT), (0, 5))
    assert repr(schedule) == f"Schedule(layouts=({LAYOUT!r}, {LAYOUT!r}), steps=(0, 5))"
    names = {"Layout": Layout, "Schedule": Schedule}
    assert repr(eval(repr(schedule), names)) == repr(schedule)
    check_short(Schedule((LAYOUT,) * 500, tuple(range(500))), "Schedule")
    changes = RandomChanges(when="periodic", period=3)
    assert repr(changes) == "RandomChanges(when='periodic', period=3)"
