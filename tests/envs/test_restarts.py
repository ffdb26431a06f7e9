"""Seeding every reset stops the world's clock from getting anywhere: who is told so, and who not.

Warnings are errors here, so a test without `pytest.warns` promises silence.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.base import CHECKERS_STEPS

UP = 0


def seed_every_reset(env: DynaMazeEnv, episodes: int, steps: int) -> None:
    for seed in range(episodes):
        env.reset(seed=seed)
        for _ in range(steps):
            env.step(UP)


def changing(step: int) -> DynaMazeEnv:
    return DynaMazeEnv("S..G", {step: "S.G."})


@pytest.mark.parametrize(("change", "told_after"), [(10, CHECKERS_STEPS), (33, 33), (60, 60)])
def test_the_warning_comes_when_the_change_would_have_come(change: int, told_after: int) -> None:
    env = changing(change)
    seed_every_reset(env, (told_after - 1) // 3, 3)
    env.reset(seed=1)
    env.step(UP)
    for _ in range(3):
        env.step(UP)
    with pytest.warns(UserWarning, match=f"never reached its first change at world step {change},"):
        env.reset(seed=2)
    seed_every_reset(env, 50, 3)  # told once


@pytest.mark.parametrize("change", [1, 2, 3, 4, 5, 6, 8, 13])
def test_gymnasiums_checker_does_not_call_for_the_warning(change: int) -> None:
    spec = EnvSpec(
        "EarlyChange-v0",
        entry_point="dynamaze.envs:DynaMazeEnv",
        kwargs={"layout": ["S..G"], "changes": [[change, ["S.G."]]]},
    )
    check_env(gym.make(spec).unwrapped)


def test_who_seeds_the_first_reset_only_is_not_told() -> None:
    env = changing(30)
    env.reset(seed=0)
    for _ in range(100):
        env.step(UP)
        env.reset()
    assert env.phase == 1


def test_who_meets_the_change_in_a_life_is_not_told_later() -> None:
    env = changing(30)
    seed_every_reset(env, 1, 31)
    seed_every_reset(env, 100, 3)


def set_by_option(env: DynaMazeEnv) -> None:
    env.reset(options={"world_step": 0})


def set_by_attribute(env: DynaMazeEnv) -> None:
    env.world_step = 0


@pytest.mark.parametrize("knows", [set_by_option, set_by_attribute])
def test_who_knows_the_clock_is_not_told(knows: Any) -> None:
    env = changing(30)
    knows(env)
    seed_every_reset(env, 100, 3)


def test_nobody_is_told_where_nothing_changes() -> None:
    seed_every_reset(DynaMazeEnv("S..G"), 100, 3)
