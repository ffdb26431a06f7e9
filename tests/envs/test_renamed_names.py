"""Names and stored states of version 0.1: old names work with a warning, and states are read."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments

RENAMED = [
    ("dynamaze.envs", "MazeRecipe", "dynamaze.envs", "MazeGenerator"),
    ("dynamaze.envs", "PhaseValues", "dynamaze.envs", "StationaryValues"),
    ("dynamaze.envs", "SequenceValues", "dynamaze.envs", "ClairvoyantValues"),
    ("dynamaze.envs.generation", "MazeRecipe", "dynamaze.envs.generation", "MazeGenerator"),
    *(
        ("dynamaze.envs.questions", old, "dynamaze.envs.generation.planes", new)
        for old, new in (
            ("BestActions", "ShortestPathPolicy"),
            ("ask_everywhere", "query_all_cells"),
            ("one_by_one", "split_queries"),
            ("steps_to_goal", "steps_to_goal"),
            ("distances_to_goal", "distances_to_goal"),
        )
    ),
]

STATES = json.loads((Path(__file__).parent / "data" / "states_0_1.json").read_text())
"""Written by version 0.1: id, arguments, a result of `get_state` and the 30 steps after it."""

IDS = [
    "DynaMaze-v0",
    "DynaMazeGenerated-v0",
    "DynaMazeDrifting-v0",
    "DynaMazeContinuous-v0",
    "DynaMazeLoCA-v0",
    "DynaMazeLoCAContinuous-v0",
]


@pytest.mark.parametrize(("module", "old", "new_module", "new"), RENAMED)
def test_old_name_warns(module: str, old: str, new_module: str, new: str) -> None:
    expected = getattr(importlib.import_module(new_module), new)
    with pytest.warns(
        DeprecationWarning, match=rf"{module}.{old} is now called {new_module}.{new}"
    ):
        found = getattr(importlib.import_module(module), old)
    assert found is expected


def test_unknown_name_raises() -> None:
    for module in ("dynamaze.envs", "dynamaze.envs.generation", "dynamaze.envs.questions"):
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            importlib.import_module(module).Nothing  # noqa: B018


@pytest.mark.parametrize("env_id", IDS)
def test_notice_arguments_warn(env_id: str) -> None:
    with (
        pytest.warns(DeprecationWarning, match="notice= is now called change_info="),
        pytest.warns(DeprecationWarning, match="notice_in= is now called change_info_in="),
    ):
        old: Any = gym.make(env_id, notice="cells", notice_in="observation")
    new: Any = gym.make(env_id, change_info="cells", change_info_in="observation")
    assert old.observation_space == new.observation_space


def test_notice_in_vector_env_warns() -> None:
    make: Callable[..., Any] = gym.make_vec
    with pytest.warns(DeprecationWarning, match="notice= is now called"):
        env = make("DynaMaze-v0", 2, vectorization_mode="vector_entry_point", notice="change")
    _, infos = env.reset(seed=0)
    assert infos["changed"].tolist() == [False, False]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_both_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"notice=\.\.\. and change_info=\.\.\. were given"):
        gym.make("DynaMaze-v0", notice="cells", change_info="cells")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_spec_is_readable() -> None:
    old = gym.make("DynaMaze-v0", notice="change")
    assert old.spec is not None
    text = old.spec.to_json()
    assert '"notice": "change"' in text
    again: Any = gym.make(gym.envs.registration.EnvSpec.from_json(text))
    assert again.reset(seed=0)[1]["changed"] is False


def test_foresight_argument_warns() -> None:
    env: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    env.reset(seed=0)
    with pytest.warns(DeprecationWarning, match="foresight= is now called clairvoyant="):
        old = env.regret(foresight=True)
    np.testing.assert_array_equal(old, env.regret(clairvoyant=True))


@pytest.mark.parametrize("stored", STATES, ids=[each["id"] for each in STATES])
def test_old_state_is_readable(stored: dict[str, Any]) -> None:
    env: Any = gym.make(stored["id"], max_episode_steps=-1, **stored["arguments"])
    env.reset(seed=0)
    env.unwrapped.set_state(stored["state"])
    state = json.loads(json.dumps(env.unwrapped.get_state()))
    known = {name: state[name] for name in stored["state"]}
    known["world"] = {name: state["world"][name] for name in stored["state"]["world"]}
    assert known == stored["state"]  # later versions store more
    for action, *expected in stored["steps"]:
        observation, reward, terminated, _, info = env.step(action)
        found = [np.asarray(observation).tolist(), reward, terminated]
        assert [*found, info["world_step"], info["phase"]] == expected
        if terminated:
            env.reset()
