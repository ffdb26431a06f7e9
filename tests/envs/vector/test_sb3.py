"""The `VecEnv` of Stable-Baselines3, against `DummyVecEnv` of the single environments."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251  # of a copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401

pytest.importorskip("stable_baselines3")
from stable_baselines3 import DQN, PPO, HerReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecNormalize

from dynamaze.envs import sb3_vec_env
from dynamaze.envs.vector.sb3 import SB3VecEnv

N = 4
RANDOM = {"when": "poisson", "rate": 0.2, "what": ["walls"]}
SMALL = "S.#.\n....\n#..G"
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "index": ("DynaMaze-v0", {"layout": SMALL, "slip_probability": 0.2}),
    "changes": ("DynaMaze-v0", {"layout": f"{SMALL}\n@ 30\nS...\n##.#\n...G"}),
    "dict": (
        "DynaMaze-v0",
        {"layout": SMALL, "change_info": "cells", "change_info_in": "observation"},
    ),
    "info": ("DynaMazeDrifting-v0", {"change_info": "cells", "random_changes": RANDOM}),
    "goal": ("DynaMaze-v0", {"layout": SMALL, "observation": "goal"}),
    "generated": ("DynaMazeGenerated-v0", {"size": 5, "observation": "planes"}),
    "adaptation": ("DynaMazeAdaptation-v0", {"size": 5, "run_steps": 20}),
    "continuous": ("DynaMazeContinuous-v0", {"layout": SMALL}),
    "another's": ("CartPole-v1", {}),
    "loca": ("DynaMazeLoCA-v0", {}),
}


def same(one: Any, other: Any) -> None:
    """Check that nested results are equal, with their types; times of episodes are not compared."""
    assert type(one) is type(other) or isinstance(one, dict), (one, other)
    if isinstance(one, dict):
        assert sorted(one) == sorted(other)
        for name in one:
            if name != "t":
                same(one[name], other[name])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            same(first, second)
    else:
        np.testing.assert_array_equal(one, other, strict=isinstance(one, np.ndarray))


def walk(envs: tuple[Any, Any], steps: int = 60, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    space = envs[0].action_space
    for _ in range(steps):
        if isinstance(space, gym.spaces.Discrete):
            actions = rng.integers(space.n, size=N)
        else:
            actions = rng.uniform(-1, 1, size=(N, 2)).astype(np.float32)
        same(*(env.step(actions) for env in envs))
        same(*(env.reset_infos for env in envs))


def pair(case: str, **more: Any) -> tuple[Any, Any]:
    env_id, arguments = CASES[case]
    made = {"max_episode_steps": 12, **arguments, **more}
    return sb3_vec_env(env_id, N, seed=5, **made), make_vec_env(env_id, N, 5, env_kwargs=made)


@pytest.mark.parametrize("case", CASES)
def test_transitions_equal_dummy_vec_env(case: str) -> None:
    native, dummy = pair(case)
    assert native.observation_space == dummy.observation_space
    assert native.action_space == dummy.action_space
    for _ in range(2):  # the second reset is not seeded
        same(native.reset(), dummy.reset())
        same(native.reset_infos, dummy.reset_infos)
        walk((native, dummy))


def test_seeds_and_options_are_used_once() -> None:
    envs = pair("generated")
    for options in ({"level": 3}, [{"level": 3}, {}, {"level": 3}, {"level": 9}]):
        for env in envs:
            env.seed(7)
            env.set_options(options)
        same(envs[0].reset(), envs[1].reset())
        same(envs[0].reset_infos, envs[1].reset_infos)
        walk(envs, 15)
        same(envs[0].reset(), envs[1].reset())


def test_single_environments_are_reached() -> None:
    native, dummy = envs = pair("index")
    for env in envs:
        env.reset()
        env.step(np.zeros(N, dtype=np.int64))
        env.env_method("change", {"slip_probability": 0.5}, indices=[1, 2])
        env.set_attr("nickname", "maze", indices=3)
        assert env.get_attr("nickname", 3) == ["maze"]
        assert env.get_attr("slip_probability") == [0.2, 0.5, 0.5, 0.2]
        assert env.get_attr("slip_probability", indices=np.array([2])) == [0.5]
        assert env.has_attr("action_masks")
        assert not env.has_attr("nothing_of_that_name")
        assert env.env_is_wrapped(Monitor) == [True] * N
        assert env.env_is_wrapped(gym.wrappers.ClipReward, 0) == [False]
        with pytest.raises(AttributeError):
            env.env_method("nothing_of_that_name")
    same(native.env_method("action_masks"), dummy.env_method("action_masks"))
    walk(envs)


def test_monitor_can_be_left_out() -> None:
    env = sb3_vec_env("DynaMaze-v0", 2, layout="SG", monitor=False)
    env.reset()
    *_, infos = env.step(np.array([1, 0]))
    assert "episode" not in infos[0]
    assert "terminal_observation" in infos[0]
    assert env.env_is_wrapped(Monitor) == [False, False]


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copy_continues_identically(make_copy: Any) -> None:
    env = sb3_vec_env("DynaMaze-v0", N, seed=1, layout=SMALL, slip_probability=0.2)
    env.reset()
    env.step(np.ones(N, dtype=np.int64))
    walk((env, make_copy(env)), 30)


def test_frames_are_tiled() -> None:
    native, dummy = pair("index", render_mode="rgb_array")
    for env in (native, dummy):
        env.reset()
    assert native.render_mode == "rgb_array"
    assert native.metadata["render_fps"] == dummy.metadata["render_fps"]
    assert native.render().shape == dummy.render().shape
    same(native.render()[:50], dummy.render()[:50])
    native.close()
    assert sb3_vec_env("DynaMaze-v0", 2).get_images() == [None, None]


def test_existing_vector_environments_are_taken() -> None:
    made = {"layout": SMALL, "max_episode_steps": 12}
    for mode in ("Disabled", "NextStep"):
        native = sb3_vec_env(gym.make_vec("DynaMaze-v0", N, autoreset_mode=mode, **made))
        dummy = make_vec_env("DynaMaze-v0", N, 5, env_kwargs=made)
        native.seed(5)
        same(native.reset(), dummy.reset())
        walk((native, dummy), 40)
    wrapped = gym.wrappers.vector.FlattenObservation(
        gym.make_vec("DynaMaze-v0", 2, observation="planes")
    )
    assert sb3_vec_env(wrapped).reset().shape == (2, 3 * 54)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3,), TypeError, "env of type int; expected an id or a vector"),
        ((gym.make("DynaMaze-v0"),), TypeError, "expected an id or a vector environment"),
        (
            (gym.make_vec("DynaMaze-v0", 2), 3),
            ValueError,
            "num_envs=3 for a vector environment of 2",
        ),
        (
            (gym.make_vec("DynaMaze-v0", 2, autoreset_mode="SameStep"),),
            ValueError,
            'expected "Disabled" or "NextStep"',
        ),
        (("DynaMaze-v0", 0), ValueError, "num_envs=0"),
        (("DynaMaze-v7", 2), gym.error.Error, "DynaMaze"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        sb3_vec_env(*arguments)
    with pytest.raises(TypeError, match=r"\['size'\] for a vector environment that exists"):
        sb3_vec_env(gym.make_vec("DynaMaze-v0", 2), size=3)
    for seed in (-1, 0.5, "0"):
        with pytest.raises((TypeError, ValueError), match=f"seed={seed!r}; expected"):
            sb3_vec_env("DynaMaze-v0", 2, seed=seed)


def logged(model: Any, name: str) -> Any:
    return model.logger.name_to_value.get(name)


def test_ppo_trains_and_logs_episodes() -> None:
    env = VecNormalize(
        sb3_vec_env("DynaMaze-v0", N, layout=SMALL, max_episode_steps=9, observation="one_hot")
    )
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=16, n_epochs=1, seed=0, device="cpu")
    model.learn(64)
    assert len(model.ep_info_buffer) > 0
    assert {"r", "l", "t"} == set(model.ep_info_buffer[0])
    evaluate_policy(model, env, n_eval_episodes=2, deterministic=False)


def test_dqn_trains_as_in_dummy_vec_env() -> None:
    weights = []
    for env in pair("goal", observation="one_hot"):
        model = DQN(
            "MlpPolicy",
            env,
            learning_starts=8,
            train_freq=(2, "step"),
            buffer_size=100,
            batch_size=8,
            seed=0,
            device="cpu",
            policy_kwargs={"net_arch": [8]},
        )
        model.learn(80)
        weights.append([each.detach().numpy() for each in model.policy.parameters()])
    same(*weights)


def test_her_computes_rewards_as_in_dummy_vec_env() -> None:
    weights = []
    for env in pair("goal"):
        model = DQN(
            "MultiInputPolicy",
            env,
            replay_buffer_class=HerReplayBuffer,
            learning_starts=48,
            train_freq=(2, "step"),
            buffer_size=200,
            batch_size=8,
            seed=0,
            device="cpu",
            policy_kwargs={"net_arch": [8]},
        )
        model.learn(100)
        assert isinstance(env, SB3VecEnv) or weights
        weights.append([each.detach().numpy() for each in model.policy.parameters()])
    same(*weights)
