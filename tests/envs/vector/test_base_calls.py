"""Calls of the vector environment beside step and reset, and checks of their arguments."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import DynaMazeEnv, DynaMazeVectorEnv

from ..helpers import SEVERAL, Same

N = 4
ARGUMENTS = {"layout": SEVERAL, "slip_probability": 0.2}


def both(**arguments: Any) -> tuple[Any, Any]:
    """Return the native and the synchronous environment, seven steps after the same seed."""
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


def go_on(env: Any, steps: int = 400) -> list[Any]:
    return [env.step(each) for each in np.random.default_rng(1).integers(4, size=(steps, N))]


# -- single environments -----------------------------------------------------------------------


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
        lambda env: env.reset(options={"world_step": 40}),
        lambda env: env.reset(options={"world_step": 39}),
        lambda env: [env.reset(options={"world_step": 45}), env.step([1] * N), env.reset(seed=3)],
        lambda env: env.reset(seed=(4, None, 5, None)),
        lambda env: env.reset(
            seed=[4, None, 5, 6], options={"reset_mask": np.array([True, False, False, True])}
        ),
        lambda env: env.reset(
            options={"world_step": 39, "reset_mask": np.array([True, False, True, False])}
        ),
    ],
)
def test_calls_equal_sync(call: Callable[[Any], Any]) -> None:
    native, sync = both(**ARGUMENTS)
    np.testing.assert_equal(call(native), call(sync))
    np.testing.assert_equal(go_on(native), go_on(sync))
    assert native.np_random_seed == sync.np_random_seed


def test_call_of_reset_leaves_goal() -> None:
    env: Any = DynaMazeVectorEnv(2, layout="SG", observation="goal")
    env.reset(seed=0)
    env.call("step", 1)
    with pytest.raises(gym.error.ResetNeeded, match="an agent on a goal"):
        env.step([1, 1])
    env.call("reset")
    assert env.step([1, 1])[2].all()


def test_np_random_can_be_set() -> None:
    native, sync = both(**ARGUMENTS)
    generators = [np.random.default_rng(i) for i in range(N)]
    native.set_attr("np_random", generators)
    sync.set_attr("np_random", [np.random.default_rng(i) for i in range(N)])
    assert native.np_random_seed == sync.np_random_seed == (-1,) * N  # unknown, says Gymnasium
    # Both use up first what they drew before: the single environment 256 numbers, the native 512.
    np.testing.assert_equal(go_on(native, 100), go_on(sync, 100))
    go_on(native, 600)
    for i, generator in enumerate(generators):
        state = generator.bit_generator.state
        assert state != np.random.default_rng(i).bit_generator.state


def test_set_state_equals_single() -> None:
    config: dict[str, Any] = {"changes": {40: "blocking"}, "slip_probability": 0.3}
    native, single = DynaMazeVectorEnv(N, **config), DynaMazeEnv(**config)
    native.reset(seed=1)
    single.reset(seed=8, options={"world_step": 30})
    edges = [0.7, 0.7 + 0.3 / 2]  # the numbers from which on a step slips to either side
    state = {**single.get_state(), "uniforms": edges * 5}
    single.set_state(state)
    native.call("set_state", state)
    for action in np.random.default_rng(3).integers(4, size=30):
        observations, *_ = native.step(np.full(N, action))
        observation, _, terminated, *_ = single.step(action)
        assert not terminated
        assert observations.tolist() == [observation] * N
    assert native.get_attr("phase") == (1,) * N


def test_render_mode_is_reported() -> None:
    for env in both(render_mode="ansi"):
        assert env.render_mode == "ansi"
        assert env.get_attr("render_mode") == ("ansi",) * N


def test_queries_change_nothing(same: Same) -> None:
    queried, quiet = (both(**ARGUMENTS, render_mode="ansi")[0] for _ in range(2))
    for actions in np.random.default_rng(2).integers(4, size=(100, N)):
        same(queried.step(actions), quiet.step(actions))
        queried.render()
        queried.get_attr("world_step")
        queried.call("optimal_values")
        assert len(queried.np_random) == len(queried.np_random_seed) == N


def test_set_attr_wrong_value_changes_nothing() -> None:
    native, _ = both()
    before = native.get_state()
    with pytest.raises(ValueError, match="world_step=-1"):
        native.set_attr("world_step", [1, 2, 3, -1])
    assert native.get_state() == before


def test_set_attr_is_per_env() -> None:
    native, sync = both()
    for env in (native, sync):
        env.set_attr("nickname", ["a", "b", "c", "d"])
        env.set_attr("colour", "red")
        env.step(np.zeros(N, dtype=int))
        assert env.get_attr("nickname") == ("a", "b", "c", "d")
        assert env.get_attr("colour") == ("red",) * N


def fresh_run(seed: int) -> tuple[Any, ...]:
    native = DynaMazeVectorEnv(N, 20, **ARGUMENTS)
    native.reset(seed=seed)
    return tuple(go_on(native))


def test_copy_before_reset_is_independent(same: Same) -> None:
    native = DynaMazeVectorEnv(N, 20, **ARGUMENTS)
    other = copy.deepcopy(native)
    same(native.reset(seed=2), other.reset(seed=2))
    go_on(native, 50)
    same(tuple(go_on(other)), fresh_run(2))


def test_reset_after_close_works(same: Same) -> None:
    native = DynaMazeVectorEnv(N, 20, **ARGUMENTS)
    native.reset(seed=2)
    native.close()
    native.reset(seed=2)
    same(tuple(go_on(native)), fresh_run(2))


def test_first_reset_of_some_reports_no_change() -> None:
    report = {"change_info": "change", "change_info_in": "observation"}
    env: Any = DynaMazeVectorEnv(2, layout="S.G", **report)
    observations, _ = env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    assert observations["changed"].tolist() == [0, 0]


def test_first_reset_needs_no_seed() -> None:
    native = DynaMazeVectorEnv(64, **ARGUMENTS)
    starts, _ = native.reset()
    assert sorted(set(starts.tolist())) == [0, 7]
    seeds = native.np_random_seed
    assert len(set(seeds)) == 64
    again = DynaMazeVectorEnv(64, **ARGUMENTS)
    np.testing.assert_array_equal(again.reset(seed=list(seeds))[0], starts)


def test_mask_and_infos_are_copies() -> None:
    native, _ = both(**ARGUMENTS)
    mask = np.array([True, False, True, False])
    _, infos = native.reset(options={"reset_mask": mask})
    kept = copy.deepcopy(infos)
    mask[:] = False
    np.testing.assert_equal(infos, kept)


# -- checks of arguments -----------------------------------------------------------------------


@pytest.mark.parametrize("form", [list, tuple, np.int32, np.uint8, np.uint64])
def test_actions_accept_any_integers(form: Any, same: Same) -> None:
    one, other = (both(**ARGUMENTS)[0] for _ in range(2))
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
def test_rejected_reset_changes_nothing(arguments: dict[str, Any]) -> None:
    native, _ = both(**ARGUMENTS)
    quiet, _ = both(**ARGUMENTS)
    with pytest.raises((ValueError, TypeError, gym.error.Error)):
        native.reset(**arguments)
    np.testing.assert_equal(go_on(native), go_on(quiet))


@pytest.mark.parametrize(
    "actions", [None, [0, 1, 2, 2**63], [[0], [1], [2], [3]], [True] * N, ["0"] * N, [0, 1, 2, 4]]
)
def test_rejected_actions_change_nothing(actions: Any) -> None:
    native, _ = both(**ARGUMENTS)
    quiet, _ = both(**ARGUMENTS)
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
        ({"render_mode": "human"}, ValueError, "render_mode='human'; expected one of .* or None"),
        ({"layout": "S#G"}, ValueError, "no goal can be reached"),
    ],
)
def test_arguments_are_checked(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DynaMazeVectorEnv(**arguments)
