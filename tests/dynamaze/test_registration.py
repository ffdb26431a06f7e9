"""The ids, and that registering twice does no harm."""

from __future__ import annotations

import subprocess
import sys

import gymnasium as gym
import pytest

from dynamaze.registration import ENVIRONMENTS, register_environments


def test_three_environments_are_registered() -> None:
    assert sorted(ENVIRONMENTS) == ["DynaMaze-v0", "DynaMazeBlocking-v0", "DynaMazeShortcut-v0"]
    for name in ENVIRONMENTS:
        assert gym.spec(name).max_episode_steps == 10_000


def test_registering_again_does_not_warn() -> None:
    register_environments()  # warnings are errors


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_an_id_with_the_module_needs_no_import(name: str) -> None:
    code = f"import gymnasium; print(gymnasium.make('dynamaze:{name}').reset(seed=0)[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'world_step': 0, 'phase': 0}"
