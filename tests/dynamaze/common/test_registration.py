"""Registered ids, and repeated registration."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec

from dynamaze.common.registration import ENVIRONMENTS, register_environments


def test_registered_ids() -> None:
    assert list(ENVIRONMENTS) == [
        "DynaMaze-v0",
        "DynaMazeBlocking-v0",
        "DynaMazeShortcut-v0",
        "DynaMazeGenerated-v0",
        "DynaMazeAdaptation-v0",
        "DynaMazeDrifting-v0",
        "DynaMazeContinuous-v0",
        "DynaMazeLoCA-v0",
        "DynaMazeLoCAContinuous-v0",
    ]


def test_register_again_is_harmless() -> None:
    before = {name: gym.spec(name) for name in ENVIRONMENTS}
    register_environments()  # warnings are errors
    assert all(gym.spec(name) is spec for name, spec in before.items())


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_spec_round_trips_as_json(name: str) -> None:
    made = gym.make(name)
    spec = made.spec
    assert spec is not None
    assert json.loads(json.dumps(spec.kwargs)) == spec.kwargs
    assert spec.entry_point == f"dynamaze.envs:{ENVIRONMENTS[name].name}Env"
    vector = f"dynamaze.envs:{ENVIRONMENTS[name].name}VectorEnv"
    assert spec.vector_entry_point == vector
    again: Any = gym.make(EnvSpec.from_json(spec.to_json()))
    assert str(again) == str(made)
    assert again.unwrapped.schedule == made.unwrapped.schedule  # type: ignore[attr-defined]


def test_make_leaves_spec_unchanged() -> None:
    gym.make("DynaMaze-v0", slip_probability=0.5, changes=[[3, "blocking"]])
    plain: Any = gym.make("DynaMaze-v0").unwrapped
    assert (plain.slip_probability, plain.schedule.steps) == (0.0, (0,))


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_module_prefixed_id_needs_no_import(name: str) -> None:
    code = f"import gymnasium; print(gymnasium.make('dynamaze:{name}').reset(seed=0)[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("{'world_step': 0, 'phase': 0")
