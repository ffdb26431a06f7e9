"""States, trails and time limits of vector environments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import DynaMazeEnv, DynaMazeVectorEnv

from ..helpers import ALL_KINDS, BY_EPISODE, SEVERAL, TIMED, N, Same, actions_of, both, step_both

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("DynaMaze-v0", {"layout": SEVERAL, "random_changes": ALL_KINDS}),
    "timed": ("DynaMaze-v0", TIMED),
    "episodes": ("DynaMaze-v0", {**BY_EPISODE, "slip_probability": 0.2}),
    "generated": ("DynaMazeGenerated-v0", {"size": 5, "levels": 4, "random_changes": ALL_KINDS}),
    "adaptation": ("DynaMazeAdaptation-v0", {"size": 5, "levels": 4, "run_steps": 16}),
    "point": ("DynaMazeContinuous-v0", {"layout": SEVERAL, "slip_probability": 0.2}),
    "LoCA": ("DynaMazeLoCA-v0", {"changes": {9: {"task": "B", "starts": "T1"}}}),
    "LoCA point": ("DynaMazeLoCAContinuous-v0", {"changes": {"episode 2": {"task": "B"}}}),
}


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_state_continues_identically(mode: AutoresetMode, name: str, same: Same) -> None:
    env_id, arguments = CONFIGS[name]
    report = {"change_info": "cells", "change_info_in": "observation"}
    native, other = (
        both(mode, env_id, max_episode_steps=12, **report, **arguments)[0] for _ in range(2)
    )
    assert native.autoreset_mode is native.metadata["autoreset_mode"] is mode
    native.reset(seed=3)
    for steps in (7, 12):
        for actions in actions_of(native, steps, seed=steps):
            done = native.step(actions)[2:4]
            if mode == AutoresetMode.DISABLED and np.logical_or(*done).any():
                native.reset(options={"reset_mask": np.logical_or(*done)})
        if name not in ("LoCA", "LoCA point"):
            native.call("change", {"goal_reward": 3})
        state = json.loads(json.dumps(native.unwrapped.get_state()))
        assert state == native.unwrapped.get_state()
        other.unwrapped.set_state(state)
        assert state == other.unwrapped.get_state()
        if mode == AutoresetMode.DISABLED:  # the others' reports of changes stay as they are
            mask = (np.arange(N) == 1) | np.array(state["done"])
            same(*(env.reset(options={"reset_mask": mask}) for env in (native, other)))
        for actions in actions_of(native, 16, seed=8):
            step_both(native, other, actions, mode, same)


def test_state_round_trips_before_reset() -> None:
    native, other = DynaMazeVectorEnv(2), DynaMazeVectorEnv(2)
    other.reset(seed=0)
    other.set_state(native.get_state())
    with pytest.raises(gym.error.ResetNeeded):
        other.step([0, 0])


def test_step_needs_reset_of_each() -> None:
    native = DynaMazeVectorEnv(2)
    native.reset(seed=0, options={"reset_mask": np.array([True, False])})
    with pytest.raises(gym.error.ResetNeeded):
        native.step([0, 0])
    native.reset(options={"reset_mask": np.array([False, True])})
    native.step([0, 0])


def forge(*place: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that writes a value into a state."""

    def change(state: Any) -> None:
        for name in place[:-1]:
            state = state[name]
        state[place[-1]] = value

    return change


FORGED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda state: state["envs"].pop(), "2 environments; expected 3"),
    (lambda state: state.pop("done"), "'done'"),
    (forge("configuration", value="0" * 64), "configuration 000000000000; expected one of"),
    (forge("autoreset_mode", value="SameStep"), r"'SameStep'; expected 'NextStep'"),
    (forge("episode_steps", value=[0, 1]), "expected 3"),
    (forge("episode_steps", value=3), "expected a list"),
    (forge("episode_steps", 0, value=-1), "episode step=-1"),
    (forge("episode_steps", 0, value=2**70), "episode step="),
    (forge("done", 0, value=1), "expected True or False"),
    (forge("changed_cells", value=[[3, 0, 0]]), "changed cell=3"),
    (forge("envs", 2, "state", value=99), "state=99; expected a whole number in"),
    (forge("envs", 2, "world", "episode", value=2**63), "episode=9223372036854775808"),
    (forge("envs", 1, value=None), "not a state that get_state"),
]


@pytest.mark.parametrize(("change", "message"), FORGED)
def test_forged_state_changes_nothing(change: Callable[[Any], Any], message: str) -> None:
    native = DynaMazeVectorEnv(3, layout=SEVERAL, change_info="cells")
    native.reset(seed=0)
    native.step([0, 1, 2])
    before = native.get_state()
    state = json.loads(json.dumps(before))
    change(state)
    with pytest.raises(ValueError, match=message):
        native.set_state(state)
    assert native.get_state() == before


def test_single_state_is_refused() -> None:
    native, single = DynaMazeVectorEnv(1), DynaMazeEnv()
    single.reset(seed=0)
    with pytest.raises(ValueError, match="not a state that get_state"):
        native.set_state(single.get_state())
    native.call("set_state", single.get_state())
    assert native.call("get_state")[0] == single.get_state()


# -- trails and time limits --------------------------------------------------------------------


@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeContinuous-v0"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_frames_show_trails(mode: AutoresetMode, env_id: str, same: Same) -> None:
    native, sync = both(
        mode, env_id, layout="S..\n..G", render_mode="rgb_array", max_episode_steps=6
    )
    same(*(env.reset(seed=0) for env in (native, sync)))
    native.call("step", actions_of(native, 1)[0][0])
    sync.call("step", actions_of(native, 1)[0][0])
    trails = set()
    for actions in actions_of(native, 9):
        step_both(native, sync, actions, mode, same)
        same(native.render(), sync.render())
        trails.update(len(scene.trail + scene.path) for scene in native.call("scene"))
    assert {0, 3} <= trails


@pytest.mark.parametrize("limit", [3, -1])
def test_called_steps_count(limit: int, same: Same) -> None:
    native, sync = both(AutoresetMode.NEXT_STEP, max_episode_steps=limit)
    same(*(env.reset(seed=0) for env in (native, sync)))
    for _ in range(4):
        same(*(env.call("step", 0) for env in (native, sync)))
    same(*(env.step([0] * N) for env in (native, sync)))
    same(*(env.call("reset") for env in (native, sync)))
    same(*(env.step([0] * N) for env in (native, sync)))
