"""Digests of configurations, and states that name the one they are from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import DynaMazeEnv, DynaMazeGeneratedEnv, Layout, RandomChanges
from dynamaze.envs.maze import DRIFT

from .helpers import BY_EPISODE, SEVERAL, Same, wander


def digest(env_id: str = "DynaMaze-v0", **arguments: Any) -> str:
    made: Any = gym.make(env_id, **arguments)
    return str(made.unwrapped.configuration_digest())


SPELLINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"env_id": "DynaMazeBlocking-v0"}, {"layout": "blocking"}),
    ({"layout": "S.G\n.#."}, {"layout": ["S.G", " # "]}),
    ({"layout": "S.G"}, {"layout": Layout.from_text("S.G")}),
    ({"changes": {5: {"goal_reward": 2}}}, {"changes": [("5", {"goal_reward": 2.0})]}),
    ({"layout": "S.G", "changes": {5: "SG."}}, {"layout": "S.G\n@ 5\nSG."}),
    ({"step_reward": -1}, {"step_reward": np.float32(-1), "wall_reward": -1.0}),
    ({"env_id": "DynaMazeDrifting-v0"}, {"random_changes": DRIFT, "changes": {}}),
    ({"random_changes": DRIFT}, {"random_changes": RandomChanges(probability=0.01)}),
    (
        {"env_id": "DynaMazeGenerated-v0", "size": 5, "loops": None, "levels": 2**31},
        {"env_id": "DynaMazeGenerated-v0", "size": [5, 5], "loops": 0},
    ),
    ({"observation": "window"}, {"observation": {"kind": "window", "radius": 2}}),
    (
        {"observation": {"kind": "coordinates", "dtype": float}},
        {"observation": {"kind": "coordinates", "dtype": "<f8"}},
    ),
    (
        {"observation": "action_mask"},
        {"observation": {"kind": "action_mask", "of": {"kind": "index"}}},
    ),
    ({}, {"render_mode": "ansi", "max_episode_steps": 7, "change_info": "cells"}),
    (
        {"env_id": "DynaMazeContinuous-v0", "step_size": 1},
        {"env_id": "DynaMazeContinuous-v0", "step_size": np.float64(1.0), "layout": "dyna"},
    ),
    (
        {"env_id": "DynaMazeLoCA-v0"},
        {"env_id": "DynaMazeLoCA-v0", "task": "A", "starts": "all", "slip_probability": 0.25},
    ),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_digest_ignores_spelling(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert digest(**one) == digest(**other)


def test_digest_ignores_file_and_clock(tmp_path: Path) -> None:
    (tmp_path / "maze.txt").write_text("S.G\n.#.\n", encoding="utf-8")
    env = DynaMazeEnv(str(tmp_path / "maze.txt"))
    before = env.configuration_digest()
    env.reset(seed=3)
    env.step(1)
    env.change("S.G\n...")
    assert env.configuration_digest() == before == digest(layout="S.G\n.#.")


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"layout": "blocking"},
    {"layout": "shortcut"},
    {"layout": SEVERAL},
    {"changes": {1000: {"goal_reward": 2}}},
    {"changes": {1001: {"goal_reward": 2}}},
    {"changes": {"episode 1000": {"goal_reward": 2}}},
    {"slip_probability": 0.1},
    {"goal_reward": 2},
    {"step_reward": -0.1},
    {"wall_reward": -0.1},
    {"random_changes": DRIFT},
    {"random_changes": {**DRIFT, "cells": 2}},
    {"random_changes": {**DRIFT, "what": ["walls", "goal"]}},
    {"observation": "coordinates"},
    {"observation": "window"},
    {"observation": {"kind": "window", "radius": 1}},
    {"observation": {"kind": "action_mask", "of": "one_hot"}},
    {"change_info": "change", "change_info_in": "observation"},
    {"change_info": "cells", "change_info_in": "observation"},
    {"env_id": "DynaMazeGenerated-v0", "size": 5},
    {"env_id": "DynaMazeGenerated-v0", "size": 5, "levels": 3},
    {"env_id": "DynaMazeGenerated-v0", "size": 5, "levels": 3, "first_level": 1},
    {"env_id": "DynaMazeGenerated-v0", "size": 5, "loops": 0.5},
    {"env_id": "DynaMazeGenerated-v0", "size": 5, "endpoints": "corners"},
    {"env_id": "DynaMazeAdaptation-v0", "size": 5},
    {"env_id": "DynaMazeAdaptation-v0", "size": 5, "run_steps": 300},
    {"env_id": "DynaMazeAdaptation-v0", "size": 5, "run_steps": 300, "change_steps": (1, 2)},
    {"env_id": "DynaMazeAdaptation-v0", "size": 5, "change_kinds": ["goal"]},
    {"env_id": "DynaMazeAdaptation-v0", "size": 5, "observation": "index"},
    {"env_id": "DynaMazeContinuous-v0"},
    {"env_id": "DynaMazeContinuous-v0", "noise": 0.1},
    {"env_id": "DynaMazeContinuous-v0", "inertia": 0.1},
    {"env_id": "DynaMazeContinuous-v0", "step_size": 0.6},
    {"env_id": "DynaMazeContinuous-v0", "action": "discrete"},
    {"env_id": "DynaMazeLoCA-v0"},
    {"env_id": "DynaMazeLoCA-v0", "task": "B"},
    {"env_id": "DynaMazeLoCA-v0", "starts": "T1"},
    {"env_id": "DynaMazeLoCA-v0", "changes": {5: {"task": "B"}}},
    {"env_id": "DynaMazeLoCAContinuous-v0"},
]


def test_digest_covers_every_argument() -> None:
    found = [digest(**arguments) for arguments in DIFFERENT]
    assert len(set(found)) == len(found)


def test_digest_is_stable() -> None:
    # Stored with states: another value turns them into states of another configuration.
    expected = "bdcfbb59d8f0"
    assert digest()[: len(expected)] == expected
    assert len(digest()) == 64


def test_subclass_is_another_configuration() -> None:
    class Mine(DynaMazeEnv):
        """Class with rules of its own."""

    assert Mine().configuration_digest() != DynaMazeEnv().configuration_digest()


@pytest.mark.parametrize("env_id", sorted(ENVIRONMENTS))
def test_vector_env_has_digest_of_single(env_id: str) -> None:
    envs: Any = gym.make_vec(env_id, 2, max_episode_steps=3)
    assert envs.unwrapped.configuration_digest() == digest(env_id)
    assert set(envs.call("configuration_digest")) == {digest(env_id)}


# -- states ------------------------------------------------------------------------------------


def test_state_of_another_configuration_is_refused() -> None:
    one: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    other: Any = gym.make("DynaMazeShortcut-v0").unwrapped
    for env in (one, other):
        env.reset(seed=0)
    before = other.get_state()
    names = "Blocking.*configuration [0-9a-f]{12}; expected one of .*Shortcut.* [0-9a-f]{12}$"
    with pytest.raises(ValueError, match=names):
        other.set_state(one.get_state())
    assert other.get_state() == before


def test_state_without_configuration_is_accepted(same: Same) -> None:
    env = DynaMazeEnv(**BY_EPISODE)
    env.reset(seed=1)
    wander(env, 30)
    state = json.loads(json.dumps(env.get_state()))
    expected = wander(env, 60)
    for name in ("environment", "configuration"):
        del state[name]  # as version 0.1 wrote it
    del state["world"]["unreported"]
    env.set_state(state)
    same(tuple(wander(env, 60)), tuple(expected))


@pytest.mark.parametrize("place", ["info", "observation"])
def test_state_holds_unreported_change(place: str, same: Same) -> None:
    env = DynaMazeEnv("S.G\n...", change_info="cells", change_info_in=place)
    env.reset(seed=0)
    env.change("S.G\n.#.")
    state = json.loads(json.dumps(env.get_state()))
    expected = env.step(2)
    env.set_state(state)
    same(env.step(2), expected)


STATE = DynaMazeEnv("S.#\n..G", {9: "S..\n.#G"}, random_changes=DRIFT)
FORGED: list[tuple[str, Any, str]] = [
    ("state", 6, "state=6; expected a whole number in"),
    ("started", 1, "started=1; expected True or False"),
    ("uniforms", [0.5] * 521, "at most 520 numbers"),
    ("rng", 3, "not a state that get_state"),
    ("world.phase", -1, "phase=-1; expected"),
    ("world.phase", 2**70, "phase=1180591620717411303424; expected"),
    ("world.phase", True, "phase=True"),
    ("world.skipped", float("nan"), "not a state that get_state"),
    ("world.episode", -2, "episode=-2"),
    ("world.scheduled", 2, "phase 2 of a schedule of 2"),
    ("world.scheduled", 1, "phase 0 after 1 changes"),
    ("world.level", 4, "level 4 of a maze that is not generated"),
    ("world.due", None, "the next random change None of a maze with random changes"),
    ("world.due", [5, float("-inf"), 0], "the next random change"),
    ("world.due", [5, float("nan"), 0], "the next random change"),
    ("world.due", [5, 5.0, 1], "the next random change"),
    ("world.layout", {"rows": ["SG"]}, "not a state that get_state"),
    ("world.unreported", [], "not a state that get_state"),
    ("world.changed_by_call", 1, "not a state that get_state"),
]


@pytest.mark.parametrize(("name", "value", "message"), FORGED)
def test_forged_state_is_refused(name: str, value: Any, message: str) -> None:
    STATE.reset(seed=0)
    before = STATE.get_state()
    place, _, entry = name.rpartition(".")
    state = json.loads(json.dumps(before))
    (state[place] if place else state)[entry] = value
    with pytest.raises(ValueError, match=message):
        STATE.set_state(state)
    assert STATE.get_state() == before


def test_change_before_its_time_is_refused() -> None:
    env = DynaMazeEnv("shortcut")
    env.reset(seed=0)
    state = env.get_state()
    state["world"] |= {"phase": 1, "scheduled": 1}
    with pytest.raises(ValueError, match="1 scheduled changes at world step 0; expected 0"):
        env.set_state(state)


def test_agent_in_wall_is_refused() -> None:
    env = DynaMazeEnv("S.#\n..G")
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"an agent in the wall at \(0, 2\)"):
        env.set_state({**env.get_state(), "state": 2})
    other = DynaMazeEnv("#S\n.G")
    other.reset(seed=0)
    with pytest.raises(ValueError, match=r"an agent in the wall at \(0, 0\)"):
        other.set_state({**other.get_state(), "state": 0})
    env.step(1)
    env.change("S##\n..G")  # the wall is closed around the agent
    env.set_state(env.get_state())
    env.world_step = 0  # undoes the change
    env.change("S..\n..G")
    env.step(1)
    env.world_step = 0  # a wall that is in every phase closes around the agent
    env.set_state(env.get_state())
    assert env.agent == (0, 2)
    generated = DynaMazeGeneratedEnv(5, levels=1)
    generated.reset(seed=0)
    wall = int(np.flatnonzero(generated.layout.walls)[0])
    with pytest.raises(ValueError, match="an agent in the wall"):
        generated.set_state({**generated.get_state(), "state": wall})
    state = generated.get_state()
    with pytest.raises(ValueError, match="level=7"):
        generated.set_state({**state, "world": {**state["world"], "level": 7}})


def test_repeating_generator_is_refused() -> None:
    env = DynaMazeEnv("S.G", random_changes={"when": "poisson", "rate": 1.0, "what": ["rewards"]})
    env.reset(seed=0)
    state = env.get_state()
    state["rng"]["state"] = {"state": 0, "inc": 0}  # draws 0 only: changes would never end
    with pytest.raises(ValueError, match="expected an odd number"):
        env.set_state(state)


def test_state_replaces_other_generator(same: Same) -> None:
    env = DynaMazeEnv(SEVERAL, slip_probability=0.3)
    env.reset(seed=0)
    state, expected = env.get_state(), tuple(wander(env, 40))
    env.np_random = np.random.Generator(np.random.SFC64(0))
    env.set_state(state)
    same(tuple(wander(env, 40)), expected)
