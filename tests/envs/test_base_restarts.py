"""Warning that every seeded reset restarts the clock, so that no change is ever reached.

Warnings are errors here, so a test without `pytest.warns` requires silence.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.restarts import CHECKERS_STEPS

UP = 0


def seed_every_reset(env: DynaMazeEnv, episodes: int, steps: int) -> None:
    for seed in range(episodes):
        env.reset(seed=seed)
        for _ in range(steps):
            env.step(UP)


def changing(step: int) -> DynaMazeEnv:
    return DynaMazeEnv("S..G", {step: "S.G."})


@pytest.mark.parametrize(("change", "warned_after"), [(10, CHECKERS_STEPS), (33, 33), (60, 60)])
def test_warning_comes_at_missed_change(change: int, warned_after: int) -> None:
    env = changing(change)
    seed_every_reset(env, (warned_after - 1) // 3, 3)
    env.reset(seed=1)
    env.step(UP)
    for _ in range(3):
        env.step(UP)
    with pytest.warns(UserWarning, match=f"never reached its first change at world step {change},"):
        env.reset(seed=2)
    seed_every_reset(env, 50, 3)  # warns once


@pytest.mark.parametrize("change", [1, 2, 3, 4, 5, 6, 8, 13])
def test_checker_triggers_no_warning(change: int) -> None:
    spec = EnvSpec(
        "EarlyChange-v0",
        entry_point="dynamaze.envs:DynaMazeEnv",
        kwargs={"layout": ["S..G"], "changes": [[change, ["S.G."]]]},
    )
    check_env(gym.make(spec).unwrapped)


def test_single_seed_triggers_no_warning() -> None:
    env = changing(30)
    env.reset(seed=0)
    for _ in range(100):
        env.step(UP)
        env.reset()
    assert env.phase == 1


def test_reached_change_stops_warning() -> None:
    env = changing(30)
    seed_every_reset(env, 1, 31)
    seed_every_reset(env, 100, 3)


def set_by_option(env: DynaMazeEnv) -> None:
    env.reset(options={"world_step": 0})


def set_by_attribute(env: DynaMazeEnv) -> None:
    env.world_step = 0


@pytest.mark.parametrize("set_clock", [set_by_option, set_by_attribute])
def test_set_clock_stops_warning(set_clock: Any) -> None:
    env = changing(30)
    set_clock(env)
    seed_every_reset(env, 100, 3)


def test_static_maze_triggers_no_warning() -> None:
    seed_every_reset(DynaMazeEnv("S..G"), 100, 3)
