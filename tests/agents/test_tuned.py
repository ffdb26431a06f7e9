"""Tuned arguments: the file of the package, and agents made by it."""

from __future__ import annotations

import gymnasium as gym
import pytest

from dynamaze import agents
from dynamaze.agents import DynaQ, DynaQPlus, QLearning, TreeSearch
from dynamaze.agents.tuned import TUNED_FILE, find_tuned, tuned_agents


def test_every_entry_is_an_agent() -> None:
    assert len(tuned_agents()) >= 10
    for entry in tuned_agents():
        env = entry.environment or "DynaMaze-v0"
        agent = getattr(agents, entry.kind)(env, **entry.arguments)
        assert agent.values.gamma == entry.arguments["gamma"]


def test_entries_are_different() -> None:
    keys = [(entry.setting, entry.agent) for entry in tuned_agents()]
    assert len({*keys}) == len(keys)


def test_head_names_commands_and_budget() -> None:
    head = TUNED_FILE.read_text().partition("\n\n")[0]
    assert "dynamaze bench run adaptation-tuning --candidates" in head
    assert "candidates of" in head


def test_from_tuned_makes_the_environment() -> None:
    found = find_tuned("DynaQ", "DynaMazeShortcut-v0")
    agent = DynaQ.from_tuned("DynaMazeShortcut-v0", seed=0)
    assert agent.env is not None
    assert agent.env.spec.id == "DynaMazeShortcut-v0"  # type: ignore[union-attr]
    assert agent.exploration.get_params()["epsilon"] == found.arguments["epsilon"]  # type: ignore[attr-defined]
    assert find_tuned("DynaQ", "shortcut") is found
    agent.learn(100)
    assert DynaQ.from_tuned("shortcut", seed=0).learn(100).num_episodes == agent.num_episodes


def test_arguments_given_win() -> None:
    agent = DynaQPlus.from_tuned("DynaMazeBlocking-v0", planning_steps=3, epsilon=0.25)
    assert agent.planning.planning_steps == 3  # type: ignore[attr-defined]
    assert agent.exploration.get_params()["epsilon"] == 0.25  # type: ignore[attr-defined]


def test_setting_needs_its_environment() -> None:
    with pytest.raises(ValueError, match="'goal_moves' without env; expected the environment"):
        QLearning.from_tuned("goal_moves")
    env = gym.make("DynaMaze-v0", changes={1500: {"goal": (5, 8)}})
    assert QLearning.from_tuned("goal_moves", env).env is env


def test_agents_of_one_class_have_names() -> None:
    agent = DynaQ.from_tuned("shortcut", agent="dynamic_programming")
    assert type(agent.planning).__name__ == "DynamicProgramming"
    with pytest.raises(ValueError, match="expected one of dyna_q, "):
        DynaQ.from_tuned("shortcut", agent="random")


def test_unknown_names_are_told() -> None:
    with pytest.raises(ValueError, match="no tuned arguments of TreeSearch; expected one of"):
        TreeSearch.from_tuned("DynaMazeShortcut-v0")
    with pytest.raises(ValueError, match="did you mean 'DynaMazeShortcut-v0'"):
        DynaQ.from_tuned("DynaMazeShortcuts-v0")
