"""Native vector environment compared with SyncVectorEnv of the single one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.envs import DynaMazeVectorEnv
from dynamaze.envs.vector.base import num_bytes

from ..helpers import (
    COPIES,
    EVENTS,
    SEVERAL,
    N,
    Same,
    both,
    change_both,
    check_copy,
    check_results_stay,
    run_events,
    walk_both,
)

CONFIGS = {
    "static": {},
    "slippery": {"slip_probability": 0.3},
    "starts": {"layout": SEVERAL},
    "all": {"layout": SEVERAL, "slip_probability": 0.2, "goal_reward": 3.5, "step_reward": -0.1},
    "blocking": {"layout": "blocking", "changes": {90: "shortcut"}, "wall_reward": -1.0},
}


@pytest.mark.parametrize("observation", ["index", "coordinates", "one_hot", "planes"])
@pytest.mark.parametrize("config", sorted(CONFIGS))
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_equals_sync(mode: AutoresetMode, config: str, observation: str, same: Same) -> None:
    native, sync = both(mode, observation=observation, **CONFIGS[config])
    assert native.metadata["autoreset_mode"] is mode
    assert native.action_space == sync.action_space
    walk_both(native, sync, 500, mode, same)


@pytest.mark.parametrize("change_info", ["none", "change", "cells"])
@pytest.mark.parametrize("change_info_in", ["info", "observation"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_changing_mazes_equal_sync(
    mode: AutoresetMode,
    changing_env: tuple[str, dict[str, Any]],
    change_info_in: str,
    change_info: str,
    same: Same,
) -> None:
    env_id, arguments = changing_env
    limits = {"max_episode_steps": 25, "change_info": change_info, "change_info_in": change_info_in}
    native, sync = both(mode, env_id, **arguments, **limits)
    walk_both(native, sync, 200, mode, same)
    assert native.get_attr("layout") == sync.get_attr("layout")
    same(*(env.reset() for env in (native, sync)))


@pytest.mark.parametrize(
    "observation",
    ["window", "rays", "rgb", "goal", {"kind": "action_mask", "of": "planes"}],
)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_observations_follow_changes(mode: AutoresetMode, observation: Any, same: Same) -> None:
    what = ["walls"] if observation == "goal" else ["walls", "goal"]
    changes = {"when": "poisson", "rate": 0.3, "what": what}
    native, sync = both(
        mode,
        "DynaMazeGenerated-v0",
        size=7,
        random_changes=changes,
        observation=observation,
        max_episode_steps=25,
    )
    walk_both(native, sync, 80, mode, same)


def test_call_changes_one_env(same: Same) -> None:
    native, sync = both(AutoresetMode.NEXT_STEP, observation="planes", change_info="cells")
    change_both(native, sync, 70, same)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_uniforms_are_refilled(mode: AutoresetMode, same: Same) -> None:
    native, sync = both(mode, **CONFIGS["all"])
    walk_both(native, sync, 1500, mode, same, seed=[9, 8, 7, 6, 5])


@given(st.lists(st.sampled_from(EVENTS), max_size=25), st.sampled_from(list(AutoresetMode)))
def test_event_sequences_equal_sync(events: list[str], mode: AutoresetMode) -> None:
    native, sync = both(mode, **CONFIGS["all"])
    run_events(native, sync, events, mode, [("world_step",), ("optimal_values", 0.9)])


def test_attributes_equal_single() -> None:
    native, sync = both(AutoresetMode.NEXT_STEP, **CONFIGS["all"])
    for env in (native, sync):
        env.reset(seed=1)
        env.set_attr("nickname", "maze")
        env.set_attr("world_step", (5, 6, 7, 8, 50))
    for name in ("nickname", "world_step", "phase", "shortest_path", "slip_probability", "agent"):
        assert native.get_attr(name) == sync.get_attr(name)
    assert native.np_random_seed == sync.np_random_seed == (1, 2, 3, 4, 5)
    with pytest.raises(AttributeError):
        native.get_attr("nothing_of_that_name")
    with pytest.raises(AttributeError):
        native.set_attr("slip_probability", 0.5)
    with pytest.raises(ValueError, match="2 values of 'world_step'; expected 5"):
        native.set_attr("world_step", [1, 2])


def test_states_round_trip(same: Same) -> None:
    native = DynaMazeVectorEnv(N, slip_probability=0.3)
    native.reset(seed=1)
    actions = np.random.default_rng(0).integers(4, size=(25, N))  # no episode ends
    for each in actions[:10]:
        native.step(each)
    (first, *_) = native.call("get_state")
    native.call("set_state", first)
    together = [native.step(np.full(N, each[0])) for each in actions[10:]]
    alone = DynaMazeVectorEnv(1, slip_probability=0.3)
    alone.reset(seed=9)
    alone.call("set_state", first)
    for each, expected in zip(actions[10:], together, strict=True):
        found = alone.step(each[:1])
        for one, many in zip(found[:4], expected[:4], strict=True):
            same(np.repeat(one, N), many)


@pytest.mark.parametrize("make_copy", COPIES)
def test_copy_continues_identically(make_copy: Callable[[Any], Any], same: Same) -> None:
    check_copy(DynaMazeVectorEnv(N, 60, **CONFIGS["all"]), make_copy, 700, same)


def test_results_are_not_modified() -> None:
    check_results_stay(DynaMazeVectorEnv(N, slip_probability=0.5, observation="planes"))


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        ([0, 1, 2, 3, 4], ValueError, "action 4 of environment 4"),
        ([0, -1, 2, 3, 0], ValueError, "action -1 of environment 1"),
        ([0, 1], ValueError, r"shape \(2,\); expected \(5,\)"),
        ([[0] * 5], ValueError, r"shape \(1, 5\)"),
        ([0.0] * 5, TypeError, "dtype float64"),
        (["up"] * 5, TypeError, "expected integers"),
    ],
)
def test_actions_are_checked(actions: Any, error: type[Exception], message: str) -> None:
    native = DynaMazeVectorEnv(N)
    native.reset(seed=0)
    before = native.get_attr("world_step"), native.get_attr("agent")
    with pytest.raises(error, match=message):
        native.step(actions)
    assert (native.get_attr("world_step"), native.get_attr("agent")) == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"seed": [1, 2]}, ValueError),
        ({"seed": [1, 2, 3, 4, -5]}, Exception),
        ({"options": {"worldstep": 1}}, ValueError),
        ({"options": {"reset_mask": [True] * 5}}, TypeError),
        ({"options": {"reset_mask": np.ones(5)}}, TypeError),
        ({"options": {"reset_mask": np.zeros(5, dtype=bool)}}, ValueError),
        ({"options": {"reset_mask": np.ones(4, dtype=bool)}}, ValueError),
    ],
)
def test_reset_is_checked(arguments: dict[str, Any], error: type[Exception]) -> None:
    native = DynaMazeVectorEnv(N, **CONFIGS["all"])
    native.reset(seed=0)
    native.step([0] * N)
    before = native.call("get_state")
    with pytest.raises(error):
        native.reset(**arguments)
    np.testing.assert_equal(native.call("get_state"), before)


def test_step_needs_reset() -> None:
    native = DynaMazeVectorEnv(2, layout="S.G", autoreset_mode="Disabled")
    with pytest.raises(gym.error.ResetNeeded, match="first reset"):
        native.step([0, 0])
    native.reset(seed=0)
    native.step([1, 0])
    native.step([1, 0])
    with pytest.raises(gym.error.ResetNeeded, match=r"\[0\] have ended"):
        native.step([1, 0])


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="num_envs=0"):
        DynaMazeVectorEnv(0)
    with pytest.raises(ValueError, match="render_mode='human'"):
        DynaMazeVectorEnv(2, render_mode="human")
    with pytest.raises(ValueError, match="AutoresetMode"):
        DynaMazeVectorEnv(2, autoreset_mode="sometimes")


def test_render_returns_all_frames() -> None:
    native = DynaMazeVectorEnv(3, layout="S.G", render_mode="ansi")
    native.reset(seed=0)
    native.step([1, 0, 0])
    assert native.render() == ("SAG", "A.G", "A.G")


def test_wrappers_accept_vector_env() -> None:
    native = gym.wrappers.vector.RecordEpisodeStatistics(
        gym.make_vec("DynaMaze-v0", num_envs=2, layout="S.G")
    )
    native.reset(seed=0)
    native.step(np.array([1, 0]))
    *_, infos = native.step(np.array([1, 0]))
    assert infos["episode"]["r"].tolist() == [1.0, 0.0]
    assert infos["episode"]["l"].tolist() == [2, 0]


def test_num_bytes_of_observations() -> None:
    box = gym.spaces.Box(0, 1, (3, 5), np.float32)
    number, flag = gym.spaces.Discrete(9), gym.spaces.Box(0, 1, (), np.uint8)
    for space in (box, number, flag):
        assert num_bytes(space) == np.asarray(space.sample()).nbytes
    assert num_bytes(gym.spaces.Dict({"a": box, "b": number})) == 3 * 5 * 4 + 8
