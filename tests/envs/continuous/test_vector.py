"""Native vector environment of points compared with SyncVectorEnv of the single one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.envs import DynaMazeContinuousVectorEnv

from .. import helpers
from ..helpers import (
    ALL_KINDS,
    BY_EPISODE,
    COPIES,
    EVENTS,
    NUMBERS,
    SEVERAL,
    N,
    Same,
    actions_of,
    change_both,
    check_copy,
    check_results_stay,
    run_events,
    step_both,
    walk_both,
)

both = partial(helpers.both, env_id="DynaMazeContinuous-v0", max_episode_steps=30)

CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "exact": {"noise": 0, "layout": SEVERAL, "changes": {}},
    "fast": {"step_size": 3.0, "noise": 1.0, "layout": SEVERAL},
    "inert": {"inertia": 0.8, "step_size": 0.2, "wall_reward": -1.0, "layout": "blocking"},
    "all": {"layout": SEVERAL, "slip_probability": 0.2, "inertia": 0.5, "step_reward": -0.1},
    "slippery": {"slip_probability": 0.3, "noise": 0.0},
    "by episode": BY_EPISODE,
    "numbers": NUMBERS,
    "generated": {
        "layout": {"size": 7, "algorithm": "obstacles", "levels": 9},
        "random_changes": {"when": "poisson", "rate": 0.3, "what": ["walls", "goal"]},
    },
    "random": {
        "layout": "S..#\n.#.S\n...G",
        "slip_probability": 0.2,
        "random_changes": ALL_KINDS,
    },
}
OBSERVATIONS = ["position", "position_velocity", "rays", "goal", "rgb"]


@pytest.mark.parametrize("action", ["continuous", "discrete"])
@pytest.mark.parametrize("config", sorted(CONFIGS))
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_equals_sync(mode: AutoresetMode, config: str, action: str, same: Same) -> None:
    native, sync = both(
        mode, action=action, observation="position_velocity", change_info="cells", **CONFIGS[config]
    )
    assert native.metadata["autoreset_mode"] is mode
    assert native.action_space == sync.action_space
    walk_both(native, sync, 200, mode, same)
    assert native.get_attr("layout") == sync.get_attr("layout")


@pytest.mark.parametrize("change_info_in", ["info", "observation"])
@pytest.mark.parametrize("change_info", ["none", "change"])
@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("config", ["generated", "all"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_observations_follow_changes(
    mode: AutoresetMode,
    config: str,
    observation: str,
    change_info: str,
    change_info_in: str,
    same: Same,
) -> None:
    report = {"change_info": change_info, "change_info_in": change_info_in}
    arguments = dict(CONFIGS[config])
    if observation == "goal":  # a goal must not move
        arguments.pop("random_changes", None)
        arguments["wall_reward"] = arguments.get("step_reward")
    native, sync = both(mode, observation=observation, **report, **arguments)
    walk_both(native, sync, 60, mode, same)


def test_call_changes_one_env(same: Same) -> None:
    native, sync = both(AutoresetMode.NEXT_STEP, observation="rays", change_info="cells")
    change_both(native, sync, 50, same)


def test_call_keeps_mazes_apart(same: Same) -> None:
    native, sync = both(AutoresetMode.NEXT_STEP, **CONFIGS["generated"])
    same(*(env.reset(seed=1) for env in (native, sync)))
    for actions in actions_of(native, 30):
        one = [env.call("step", np.array([0.5, 0.5])) for env in (native, sync)]
        for left, right in zip(*one, strict=True):
            same(left, right)
        if any(result[2] for result in one[0]):
            same(*(env.reset() for env in (native, sync)))
        else:
            step_both(native, sync, actions, AutoresetMode.NEXT_STEP, same)
        same(*(env.get_attr("position") for env in (native, sync)))


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_uniforms_are_refilled(mode: AutoresetMode, same: Same) -> None:
    native, sync = both(mode, **CONFIGS["all"])
    walk_both(native, sync, 900, mode, same, seed=[9, 8, 7, 6, 5])


@given(st.lists(st.sampled_from(EVENTS), max_size=20), st.sampled_from(list(AutoresetMode)))
def test_event_sequences_equal_sync(events: list[str], mode: AutoresetMode) -> None:
    native, sync = both(mode, **CONFIGS["all"])
    run_events(native, sync, events, mode, [("position",), ("velocity",)])


def test_agent_is_none_before_reset() -> None:
    native = DynaMazeContinuousVectorEnv(2)
    assert native.get_attr("agent") == native.get_attr("position") == (None, None)
    with pytest.raises(gym.error.ResetNeeded, match="first reset"):
        native.step(np.zeros((2, 2)))


@pytest.mark.parametrize("make_copy", COPIES)
def test_copy_continues_identically(make_copy: Callable[[Any], Any], same: Same) -> None:
    native = DynaMazeContinuousVectorEnv(N, 60, observation="rays", **CONFIGS["random"])
    check_copy(native, make_copy, 300, same)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_results_are_not_modified(observation: str) -> None:
    check_results_stay(DynaMazeContinuousVectorEnv(N, observation=observation))


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        (np.full((N, 2), np.nan), ValueError, r"environment 0; expected two finite numbers"),
        ([[0, 0]] * (N - 1) + [[0, np.inf]], ValueError, r"environment 4; expected two finite"),
        ([[0, 0], [0, -np.inf]] + [[0, np.inf]] * 3, ValueError, "environment 1"),
        (np.zeros((N, 3)), ValueError, r"shape \(5, 3\); expected \(5, 2\)"),
        (np.zeros(N), ValueError, r"shape \(5,\); expected \(5, 2\)"),
        ([["a", "b"]] * N, TypeError, "expected real numbers"),
        (np.zeros((N, 2), dtype=bool), TypeError, "dtype bool"),
        (np.zeros((N, 2), dtype=complex), TypeError, "dtype complex128"),
    ],
)
def test_actions_are_checked(actions: Any, error: type[Exception], message: str) -> None:
    native = DynaMazeContinuousVectorEnv(N)
    native.reset(seed=0)
    before = native.call("get_state")
    with pytest.raises(error, match=message):
        native.step(actions)
    assert native.call("get_state") == before


def test_actions_are_clipped() -> None:
    native = DynaMazeContinuousVectorEnv(2, noise=0.0)
    native.reset(seed=0)
    largest = np.finfo(np.float64).max
    observations, *_ = native.step(np.array([[largest, 0.0], [largest, largest]]))
    np.testing.assert_array_equal(observations, [[3.0, 0.5], [3.0, 1.0]])


def test_discrete_actions_are_checked() -> None:
    native = DynaMazeContinuousVectorEnv(2, action="discrete")
    native.reset(seed=0)
    with pytest.raises(ValueError, match="action 4 of environment 1"):
        native.step([0, 4])
    with pytest.raises(TypeError, match="expected integers"):
        native.step([0.0, 1.0])


def test_wrappers_accept_vector_env() -> None:
    native = gym.wrappers.vector.NormalizeObservation(
        gym.wrappers.vector.RecordEpisodeStatistics(
            gym.make_vec("DynaMazeContinuous-v0", num_envs=2, layout="SG", noise=0.0)
        )
    )
    native.reset(seed=0)
    *_, infos = native.step(np.array([[0, 1], [0, 0]], dtype=np.float32))
    assert infos["episode"]["r"].tolist() == [1.0, 0.0]
    assert infos["episode"]["l"].tolist() == [1, 0]
