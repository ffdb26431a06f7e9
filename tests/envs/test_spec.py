"""Specs: each documented form of an argument survives `to_json`, pickling and copying."""

from __future__ import annotations

import copy
import itertools
import pickle  # noqa: TID251  # our own bytes, of this process
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import Layout, RandomChanges, Rewards, Schedule, read_schedule

ROWS = ["S.#G", "...."]
OTHER = ["S..G", ".#.."]
OWN = Layout.from_text(OTHER, Rewards(2.0, -1.0, -3.0), 0.25)
PHASES = Schedule((OWN, Layout.from_text(ROWS, Rewards(5.0), 0.5)), (0, 7))
BY_EPISODE = read_schedule(ROWS, {"episode 2": OWN})

FORMS: dict[str, tuple[str, Any]] = {
    "list": ("DynaMaze-v0", lambda: {"layout": ROWS}),
    "tuple": ("DynaMaze-v0", lambda: {"layout": tuple(ROWS)}),
    "array": ("DynaMaze-v0", lambda: {"layout": np.array(ROWS)}),
    "characters": ("DynaMaze-v0", lambda: {"layout": np.array([list(row) for row in ROWS])}),
    "numpy text": ("DynaMaze-v0", lambda: {"layout": np.str_("S.G")}),
    "layout": ("DynaMaze-v0", lambda: {"layout": OWN}),
    "schedule": ("DynaMaze-v0", lambda: {"layout": PHASES}),
    "schedule by episode": ("DynaMaze-v0", lambda: {"layout": BY_EPISODE}),
    "own numbers": ("DynaMaze-v0", lambda: {"layout": {"layout": ROWS, "goal_reward": 3}}),
    "int keys": ("DynaMaze-v0", lambda: {"layout": ROWS, "changes": {5: OTHER, np.int64(9): ROWS}}),
    "pairs": (
        "DynaMaze-v0",
        lambda: {"layout": ROWS, "changes": [(5, OTHER), ["9", ROWS]]},
    ),
    "iterator": (
        "DynaMaze-v0",
        lambda: {"layout": ROWS, "changes": zip((5, 9), (OTHER, OWN), strict=True)},
    ),
    "items": ("DynaMaze-v0", lambda: {"layout": ROWS, "changes": {5: OTHER}.items()}),
    "proxy": ("DynaMaze-v0", lambda: {"layout": ROWS, "changes": MappingProxyType({5: OTHER})}),
    "layouts as changes": (
        "DynaMaze-v0",
        lambda: {
            "layout": ROWS,
            "changes": {5: OWN, 8: {"layout": OWN, "start": np.array([1, 0])}},
        },
    ),
    "layout with numbers": (
        "DynaMaze-v0",
        lambda: {"layout": ROWS, "changes": {5: {"layout": OWN, "goal_reward": np.float32(4)}}},
    ),
    "numbers": (
        "DynaMaze-v0",
        lambda: {"slip_probability": np.array(0.1), "goal_reward": Fraction(1, 3)},
    ),
    "dtype": (
        "DynaMaze-v0",
        lambda: {"observation": {"kind": "coordinates", "dtype": np.float32}},
    ),
    "range": ("DynaMazeGenerated-v0", lambda: {"size": range(5, 8, 2)}),
    "process": (
        "DynaMaze-v0",
        lambda: {
            "random_changes": RandomChanges(when="periodic", period=3, what=("walls", "goal"))
        },
    ),
    "process as mapping": (
        "DynaMazeDrifting-v0",
        lambda: {
            "random_changes": {"when": "poisson", "rate": np.float64(2), "what": np.array(["slip"])}
        },
    ),
    "observation": (
        "DynaMaze-v0",
        lambda: {"observation": MappingProxyType({"kind": "window", "radius": np.int8(1)})},
    ),
    "size": ("DynaMazeGenerated-v0", lambda: {"size": np.array([5, 7]), "levels": np.int64(9)}),
    "size as range": ("DynaMazeGenerated-v0", lambda: {"size": range(5, 7), "split": "test"}),
    "size as iterator": ("DynaMazeGenerated-v0", lambda: {"size": iter((5, 7))}),
    "generated points": (
        "DynaMazeContinuous-v0",
        lambda: {"layout": MappingProxyType({"size": (5, 7), "levels": 3})},
    ),
    "layout of points": ("DynaMazeContinuous-v0", lambda: {"layout": OWN, "changes": {3: OWN}}),
    "corridor": (
        "DynaMazeLoCA-v0",
        lambda: {"changes": {np.int64(4): MappingProxyType({"task": "B"})}},
    ),
    "corridor by iterator": (
        "DynaMazeLoCAContinuous-v0",
        lambda: {"changes": iter([("episode 3", {"starts": "T1"})]), "noise": np.float32(0.5)},
    ),
}


def described(env: Any) -> tuple[Any, ...]:
    """Return what two equal environments have in common."""
    config = env.maze_config
    levels = config.levels and (
        config.levels.levels,
        config.levels.layout(config.levels.first_level),
    )
    motion = getattr(env, "motion", None)
    return config.schedule, config.random_changes, levels, motion, env.observation_space


@pytest.mark.parametrize("form", FORMS)
def test_spec_round_trips_json(form: str) -> None:
    env_id, arguments = FORMS[form]
    made: Any = gym.make(env_id, **arguments())
    expected = described(made.unwrapped)
    again = gym.make(EnvSpec.from_json(made.spec.to_json()))
    assert described(again.unwrapped) == expected
    assert again.spec.to_json() == made.spec.to_json()
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), gym.make(made.spec)):
        assert described(other.unwrapped) == expected


@pytest.mark.parametrize("form", ["iterator", "layouts as changes", "process"])
def test_vector_spec_round_trips_json(form: str) -> None:
    env_id, arguments = FORMS[form]
    mode = AutoresetMode.SAME_STEP
    made: Any = gym.make_vec(env_id, 3, autoreset_mode=mode, max_episode_steps=9, **arguments())
    again: Any = gym.make_vec(EnvSpec.from_json(made.spec.to_json()))
    for env in (again, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert env.get_attr("schedule") == made.get_attr("schedule")
        assert env.get_attr("maze_config")[0].random_changes == described(made._single_env)[1]
        assert env.call("get_state")[0]["environment"].startswith(env_id)
        assert (env.num_envs, env.metadata["autoreset_mode"], env.max_episode_steps) == (3, mode, 9)


def test_endless_iterator_is_refused() -> None:
    with pytest.raises(ValueError, match=r"changes=count.*; expected an iterator of at most"):
        gym.make("DynaMaze-v0", changes=itertools.count())


@pytest.mark.parametrize(
    ("env_id", "arguments"),
    [
        ("DynaMaze-v0", {"layout": range(10**12)}),
        ("DynaMaze-v0", {"changes": range(10**12)}),
        ("DynaMaze-v0", {"changes": {5: {"goal": range(10**12)}}}),
        ("DynaMaze-v0", {"changes": {"when": "every", "period": 5, "changes": range(10**12)}}),
        ("DynaMaze-v0", {"random_changes": {"probability": 0.1, "what": range(10**12)}}),
        ("DynaMazeGenerated-v0", {"size": range(3, 10**12)}),
        ("DynaMazeGenerated-v0", {"size": 63, "observation": {"kind": "rgb", "cell_size": 256}}),
    ],
)
def test_huge_argument_is_refused_at_once(env_id: str, arguments: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match="expected"):
        gym.make(env_id, **arguments)
    with pytest.raises(ValueError, match="num_envs=1000000 with observations of"):
        gym.make_vec("DynaMaze-v0", 10**6, observation={"kind": "window", "radius": 99})


def test_path_is_no_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dyna").write_text("S.G")
    made: Any = gym.make("DynaMaze-v0", layout=Path("dyna"))
    again: Any = gym.make(EnvSpec.from_json(made.spec.to_json()))
    assert again.unwrapped.layout == made.unwrapped.layout == Layout.from_text("S.G")
