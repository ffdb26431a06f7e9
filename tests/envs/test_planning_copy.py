"""Frozen copies of mazes for planners."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs.planning_copy import separate_generator

from .helpers import Same, wander


def test_copy_never_changes(changing_env: tuple[str, dict[str, Any]], same: Same) -> None:
    env_id, arguments = changing_env
    env: Any = gym.make(env_id, max_episode_steps=-1, **arguments).unwrapped
    env.reset(seed=3)
    wander(env, 90)
    state, layout, phase = env.get_state(), env.layout, env.phase
    frozen = env.planning_copy()
    assert frozen.agent == env.agent
    results = wander(frozen, 300)
    assert frozen.layout == layout
    assert {each[-1]["phase"] for each in results} == {phase}
    assert results[89][-1].keys() == {"world_step", "phase"}
    frozen.reset(seed=0)
    assert frozen.layout == layout
    same(env.get_state(), state)
    same(tuple(wander(env, 100)), tuple(restored(env, state)))


def restored(env: Any, state: Any) -> list[Any]:
    env.set_state(state)
    return wander(env, 100)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_maze_has_planning_copies(env_id: str) -> None:
    env: Any = gym.make(env_id).unwrapped
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(30)]
    runs = []
    for seed in (1, 1, 2):
        frozen = env.planning_copy(seed)
        runs.append([frozen.step(action)[0] for action in actions])
    np.testing.assert_equal(runs[0], runs[1])
    assert env.world_step == 0


def test_random_numbers_are_separate() -> None:
    env: Any = gym.make("DynaMaze-v0", slip_probability=0.5).unwrapped
    env.reset(seed=0)
    copies = [env.planning_copy(), env.planning_copy(), env.planning_copy(7)]
    runs = [[each[0] for each in wander(one, 60)] for one in (*copies, env)]
    assert runs[0] == runs[1]
    assert len({tuple(run) for run in runs}) == 3


def test_separate_generator_leaves_the_original() -> None:
    rng = np.random.default_rng(0)
    drawn = separate_generator(rng).random(3).tolist()
    assert separate_generator(rng).random(3).tolist() == drawn
    assert rng.random() == np.random.default_rng(0).random()
    assert separate_generator(rng).random(3).tolist() != drawn
    assert separate_generator(None, 5).random() == np.random.default_rng(5).random()
