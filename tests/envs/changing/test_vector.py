"""The wrapper of native vector environments that change, each sub-environment by its own clock."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.envs import ChangingEnv, ChangingVectorEnv, cycle, every, poisson
from dynamaze.envs.timing.times import LAST_STEP

CHANGES = [
    (15, {"gravity": 12.0, "masspole": 0.4}),
    every(40, cycle({"length": 1.0}, {"length": 0.5})),
    poisson(0.05, cycle({"force_mag": 8.0}, {"force_mag": 10.0})),
]


def native(num_envs: int = 3, **arguments: Any) -> Any:
    return gym.make_vec(
        "CartPole-v1", num_envs, vectorization_mode="vector_entry_point", **arguments
    )


def test_rows_step_as_single_environments() -> None:
    envs = ChangingVectorEnv(native(), CHANGES, change_info="change")
    singles: list[Any] = [
        ChangingEnv(gym.make("CartPole-v1"), CHANGES, change_info="change") for _ in range(3)
    ]
    states, _ = envs.reset(seed=4)
    for i, single in enumerate(singles):
        single.reset(seed=4 + i)
        single.unwrapped.state = envs.unwrapped.state[:, i]  # type: ignore[attr-defined]  # CartPole's
    rng, done, resets = np.random.default_rng(0), np.zeros(3, dtype=bool), 0
    for _ in range(150):
        actions = rng.integers(0, 2, 3)
        states, rewards, terminated, truncated, info = envs.step(actions)
        for i, single in enumerate(singles):
            if done[i]:
                own = single.reset()
                single.unwrapped.state = envs.unwrapped.state[:, i]  # type: ignore[attr-defined]
                resets += 1
            else:
                own = single.step(int(actions[i]))
                np.testing.assert_allclose(own[0], states[i], rtol=1e-6)
                assert own[1:3] == (rewards[i], terminated[i])
            row = {name: info[name][i] for name in own[-1]}
            assert row == own[-1]
            assert info["_world_step"][i]
        done = terminated | truncated
    assert resets > 5
    assert len(set(envs.world_step.tolist())) > 1
    assert envs.phase.min() >= 4


def test_clocks_are_set_and_restarted() -> None:
    envs: Any = ChangingVectorEnv(native(2), CHANGES[:2])
    inner = envs.unwrapped
    _, info = envs.reset(seed=0, options={"world_step": 45})
    assert info["world_step"].tolist() == [45, 45]
    assert info["phase"].tolist() == [2, 2]
    assert [inner.gravity.tolist(), inner.length.tolist()] == [[12.0] * 2, [1.0] * 2]
    assert inner.total_mass.tolist() == [1.4, 1.4]
    envs.reset(seed=1)
    assert (envs.world_step.tolist(), envs.phase.tolist()) == ([0, 0], [0, 0])
    assert inner.gravity.tolist() == [9.8, 9.8]
    assert inner.total_mass.tolist() == [1.1, 1.1]
    envs.reset(options={"world_step": LAST_STEP})
    with pytest.raises(RuntimeError, match="of environment 0, the end of the clock"):
        envs.step(np.zeros(2, dtype=np.int64))


def test_copy_continues_identically() -> None:
    envs = ChangingVectorEnv(native(), CHANGES)
    envs.reset(seed=0)
    actions = np.random.default_rng(1).integers(0, 2, (120, 3))
    for each in actions[:40]:
        envs.step(each)
    other = copy.deepcopy(envs)
    for each in actions[40:]:
        np.testing.assert_array_equal(envs.step(each)[0], other.step(each)[0])
    assert envs.phase.tolist() == other.phase.tolist()


def test_unchanged_attributes_stay_numbers() -> None:
    envs: Any = ChangingVectorEnv(native(), CHANGES)
    assert envs.unwrapped.gravity == 9.8
    assert isinstance(envs.unwrapped.gravity, float)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChangingVectorEnv(native(), {3: {"kinematics_integrator": "x"}}), "is a number"),
        (lambda: ChangingVectorEnv(native(), {3: {"steps_": 1}}), "'steps_', which CartPoleVector"),
        (lambda: ChangingVectorEnv(native(), {3: {"num_envs": 4}}), "must not change"),
        (lambda: ChangingVectorEnv(native(), {0: {"gravity": 4}}), "changes: .*step 0"),
        (lambda: ChangingVectorEnv(native(), {}, change_info="all"), "change_info='all'"),
        (
            lambda: ChangingVectorEnv(gym.make_vec("FrozenLake-v1", 2), {}),
            "expected a native vector environment: wrap each",
        ),
        (lambda: ChangingVectorEnv(gym.make_vec("DynaMaze-v0", 2), {}), "DynaMazeVectorEnv"),
        (lambda: ChangingVectorEnv(native(), {}).reset(options={"world_step": -1}), "world_step"),
    ],
)
def test_bad_argument_is_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
