"""Vector environment compared with single environments, one for each of its own."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import DynaMazeEnv, DynaMazeVectorEnv
from dynamaze.envs.vector.base import MazeVectorEnv

from ..helpers import SEVERAL, Same

N = 4
ARGUMENTS = {"layout": SEVERAL, "slip_probability": 0.2}


NATIVE = sorted(ENVIRONMENTS)


@pytest.mark.parametrize("env_id", NATIVE)
def test_ids_have_vector_envs(env_id: str) -> None:
    native, single = gym.make_vec(env_id, 3), gym.make(env_id)
    assert isinstance(native.unwrapped, MazeVectorEnv)
    assert native.single_observation_space == single.observation_space
    assert native.single_action_space == single.action_space
    assert native.unwrapped.max_episode_steps == ENVIRONMENTS[env_id].max_episode_steps  # type: ignore[attr-defined]
    observations, infos = native.reset(seed=0)
    assert native.observation_space.contains(observations)
    assert infos["world_step"].tolist() == [0, 0, 0]
    native.action_space.seed(0)
    for _ in range(20):
        observations, *_ = native.step(native.action_space.sample())
        assert native.observation_space.contains(observations)


def test_env_i_equals_single(same: Same) -> None:
    native = DynaMazeVectorEnv(N, autoreset_mode=AutoresetMode.SAME_STEP, **ARGUMENTS)
    singles = [DynaMazeEnv(**ARGUMENTS) for _ in range(N)]
    first = [env.reset(seed=5 + i)[0] for i, env in enumerate(singles)]
    assert native.reset(seed=5)[0].tolist() == first
    for actions in np.random.default_rng(0).integers(4, size=(400, N)):
        observations, rewards, terminated, truncated, infos = native.step(actions)
        assert not truncated.any()
        for i, env in enumerate(singles):
            observation, reward, end, _, info = env.step(int(actions[i]))
            assert (rewards[i], terminated[i]) == (reward, end)
            if end:
                same(infos["final_obs"][i], observation)
                observation, info = env.reset()
            assert observations[i] == observation
            assert {name: int(infos[name][i]) for name in info} == info


@pytest.mark.parametrize("limit", [1, 3, -1])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_time_limits_equal_sync(mode: AutoresetMode, limit: int) -> None:
    native = gym.make_vec("DynaMaze-v0", N, max_episode_steps=limit, autoreset_mode=mode)
    sync = gym.make_vec(
        "DynaMaze-v0",
        N,
        max_episode_steps=limit,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
    )
    np.testing.assert_equal(native.reset(seed=0), sync.reset(seed=0))
    steps = min(30, limit) if mode == AutoresetMode.DISABLED and limit > 0 else 30
    actions = np.random.default_rng(1).integers(4, size=(steps, N))
    results = [[env.step(each) for each in actions] for env in (native, sync)]
    np.testing.assert_equal(*results)
    assert any(result[3].any() for result in results[0]) == (limit > 0)
