"""The vector environment's calls beside step and reset, its limits, and what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import DynaMazeEnv, DynaMazeVectorEnv
from dynamaze.registration import ENVIRONMENTS

Same = Callable[[Any, Any], None]

N = 4
SEVERAL = "S..#\n.#.S\n...G\n@ 40\nS#..\n...S\n.#.G"
WORLD = {"layout": SEVERAL, "slip_probability": 0.2}


def both(**arguments: Any) -> tuple[Any, Any]:
    """The native and the synchronous environment, seven steps after the same seed."""
    envs = tuple(
        gym.make_vec(
            "DynaMaze-v0", N, vectorization_mode=mode, **{"max_episode_steps": 20, **arguments}
        )
        for mode in (None, "sync")
    )
    actions = np.random.default_rng(0).integers(4, size=(7, N))
    for env in envs:
        env.reset(seed=1)
        for each in actions:
            env.step(each)
    return envs  # type: ignore[return-value]


def go_on(env: Any, steps: int = 150) -> list[Any]:
    return [env.step(each) for each in np.random.default_rng(1).integers(4, size=(steps, N))]


# -- against the single environment ------------------------------------------------------------


@pytest.mark.parametrize("env_id", sorted(ENVIRONMENTS))
def test_every_id_has_a_native_vector_environment_of_the_same_spaces(env_id: str) -> None:
    native, single = gym.make_vec(env_id, 3), gym.make(env_id)
    assert isinstance(native.unwrapped, DynaMazeVectorEnv)
    assert native.single_observation_space == single.observation_space
    assert native.single_action_space == single.action_space
    assert native.unwrapped.max_episode_steps == 10_000  # type: ignore[attr-defined]
    observations, infos = native.reset(seed=0)
    assert native.observation_space.contains(observations)
    assert infos["world_step"].tolist() == [0, 0, 0]
    native.action_space.seed(0)
    for _ in range(20):
        observations, *_ = native.step(native.action_space.sample())
        assert native.observation_space.contains(observations)


def test_world_i_is_the_single_environment_of_seed_plus_i(same: Same) -> None:
    native = DynaMazeVectorEnv(N, autoreset_mode=AutoresetMode.SAME_STEP, **WORLD)
    singles = [DynaMazeEnv(**WORLD) for _ in range(N)]
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
def test_time_limits_are_those_of_the_synchronous_one(mode: AutoresetMode, limit: int) -> None:
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
    results = [go_on(env, steps) for env in (native, sync)]
    np.testing.assert_equal(*results)
    assert any(result[3].any() for result in results[0]) == (limit > 0)


# -- one world at a time -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda env: env.call("reset"),
        lambda env: env.call("reset", seed=3),
        lambda env: env.call("reset", options={"world_step": 39}),
        lambda env: env.call("optimal_action_values", gamma=0.5),
        lambda env: env.get_attr("P"),
        lambda env: env.set_attr("world_step", 39),
        lambda env: env.set_attr("world_step", [38, 39, 40, 0]),
        lambda env: env.set_attr("np_random", [np.random.default_rng(i) for i in range(N)]),
        lambda env: env.reset(seed=(4, None, 5, None)),
        lambda env: env.reset(
            seed=[4, None, 5, 6], options={"reset_mask": np.array([True, False, False, True])}
        ),
        lambda env: env.reset(
            options={"world_step": 39, "reset_mask": np.array([True, False, True, False])}
        ),
    ],
)
def test_after_a_call_both_go_on_alike(call: Callable[[Any], Any]) -> None:
    native, sync = both(**WORLD)
    np.testing.assert_equal(call(native), call(sync))
    np.testing.assert_equal(go_on(native), go_on(sync))
    assert native.np_random_seed == sync.np_random_seed


def test_questions_change_nothing(same: Same) -> None:
    asked, quiet = (both(**WORLD, render_mode="ansi")[0] for _ in range(2))
    for actions in np.random.default_rng(2).integers(4, size=(100, N)):
        same(asked.step(actions), quiet.step(actions))
        asked.render()
        asked.get_attr("world_step")
        asked.call("optimal_values")
        assert len(asked.np_random) == len(asked.np_random_seed) == N


def test_a_new_attribute_is_each_worlds_own() -> None:
    native, sync = both()
    for env in (native, sync):
        env.set_attr("nickname", ["a", "b", "c", "d"])
        env.set_attr("colour", "red")
        env.step(np.zeros(N, dtype=int))
        assert env.get_attr("nickname") == ("a", "b", "c", "d")
        assert env.get_attr("colour") == ("red",) * N


def fresh_life(seed: int) -> tuple[Any, ...]:
    native = DynaMazeVectorEnv(N, 20, **WORLD)
    native.reset(seed=seed)
    return tuple(go_on(native))


def test_a_copy_may_be_made_before_the_first_reset_and_shares_nothing(same: Same) -> None:
    native = DynaMazeVectorEnv(N, 20, **WORLD)
    other = copy.deepcopy(native)
    same(native.reset(seed=2), other.reset(seed=2))
    go_on(native, 50)
    same(tuple(go_on(other)), fresh_life(2))


def test_close_then_reset_begins_again(same: Same) -> None:
    native = DynaMazeVectorEnv(N, 20, **WORLD)
    native.reset(seed=2)
    native.close()
    native.reset(seed=2)
    same(tuple(go_on(native)), fresh_life(2))


# -- what is taken and what is refused ---------------------------------------------------------


@pytest.mark.parametrize("form", [list, tuple, np.int32, np.uint8, np.uint64])
def test_actions_may_be_any_integers(form: Any, same: Same) -> None:
    one, other = (both(**WORLD)[0] for _ in range(2))
    actions = [3, 0, 1, 2]
    given_form = form(actions) if form in (list, tuple) else np.array(actions, dtype=form)
    same(one.step(given_form), other.step(np.array(actions)))


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": 3, "options": {"world_step": -1}},
        {"seed": 3, "options": {"world_step": 2**63}},
        {"seed": [1, 2, 3, -4]},
        {"seed": [1, 2, 3, "4"]},
        {"seed": [1, 2, 3]},
        {"seed": 1.5},
        {"seed": 3, "options": {"reset_mask": np.ones((N, 1), dtype=bool)}},
        {"seed": 3, "options": {"reset_mask": np.ones(N, dtype=bool), "clock": 3}},
    ],
)
def test_a_refused_reset_leaves_every_world_as_it_was(arguments: dict[str, Any]) -> None:
    native, _ = both(**WORLD)
    quiet, _ = both(**WORLD)
    with pytest.raises((ValueError, TypeError, gym.error.Error)):
        native.reset(**arguments)
    np.testing.assert_equal(go_on(native), go_on(quiet))


@pytest.mark.parametrize(
    "actions", [None, [0, 1, 2, 2**63], [[0], [1], [2], [3]], [True] * N, ["0"] * N, [0, 1, 2, 4]]
)
def test_refused_actions_leave_every_world_as_it_was(actions: Any) -> None:
    native, _ = both(**WORLD)
    quiet, _ = both(**WORLD)
    with pytest.raises((ValueError, TypeError), match="expected"):
        native.step(actions)
    np.testing.assert_equal(go_on(native), go_on(quiet))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_envs": 0}, ValueError, "num_envs=0; expected a whole number of at least 1"),
        ({"num_envs": 2.5}, ValueError, "num_envs=2.5"),
        ({"num_envs": "2"}, TypeError, "num_envs='2'"),
        ({"max_episode_steps": 0}, ValueError, "max_episode_steps=0; expected a whole number"),
        ({"max_episode_steps": -5}, ValueError, "max_episode_steps=-5"),
        ({"max_episode_steps": 2.5}, ValueError, "max_episode_steps=2.5"),
        ({"observation": "plane"}, ValueError, "did you mean 'planes'"),
        ({"render_mode": "human"}, ValueError, "render_mode='human'; expected None or one of"),
        ({"layout": "S#G"}, ValueError, "no goal can be reached"),
    ],
)
def test_a_bad_argument_is_refused_by_name(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DynaMazeVectorEnv(**arguments)
