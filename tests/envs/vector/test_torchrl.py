"""The native vector environment in TorchRL; skipped where that is not installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401

pytest.importorskip("torchrl", reason="TorchRL is not installed")

ARGUMENTS: dict[str, Any] = {"layout": "S.#\n..G", "observation": "one_hot"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])  # TorchRL refuses NextStep
def test_gym_wrapper_passes_checks_and_rolls_out(mode: str) -> None:
    envs: Any = import_module("torchrl.envs")

    def make() -> Any:
        return gym.make_vec("DynaMaze-v0", 3, autoreset_mode=mode, max_episode_steps=5, **ARGUMENTS)

    envs.check_env_specs(envs.GymWrapper(make()))
    wrapped = envs.GymWrapper(make())
    wrapped.set_seed(0)
    found = wrapped.rollout(30, break_when_any_done=False)
    assert found.shape == (3, 30)
    native = gym.make_vec(
        "DynaMaze-v0", 3, autoreset_mode="Disabled", max_episode_steps=5, **ARGUMENTS
    )
    seen, _ = native.reset(seed=0)
    for step in range(30):  # the layout is not random, so that the resets draw nothing
        np.testing.assert_array_equal(found["observation"][:, step], seen)
        action = found["action"][:, step].argmax(dim=-1).numpy()
        seen, reward, terminated, truncated, _ = native.step(action)
        np.testing.assert_array_equal(found["next", "observation"][:, step], seen)
        np.testing.assert_allclose(found["next", "reward"][:, step, 0], reward)
        np.testing.assert_array_equal(found["next", "terminated"][:, step, 0], terminated)
        done = terminated | truncated
        np.testing.assert_array_equal(found["next", "done"][:, step, 0], done)
        if done.any():
            seen, _ = native.reset(options={"reset_mask": done})


@pytest.mark.filterwarnings("ignore")
def test_gym_env_makes_ids() -> None:
    envs: Any = import_module("torchrl.envs")
    assert envs.GymEnv("DynaMaze-v0", **ARGUMENTS).rollout(4).shape == (4,)
