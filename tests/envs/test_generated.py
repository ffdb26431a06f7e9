"""Generated mazes as an environment: levels, and what is kept apart by them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import DynaMazeGeneratedEnv, MazeRecipe, Rewards
from dynamaze.envs.generation.levels import KEPT_CELLS, Levels


def levels_seen(env: Any, episodes: int) -> list[int]:
    seen = [env.reset(seed=0)[1]["level"]]
    return seen + [env.reset()[1]["level"] for _ in range(episodes - 1)]


def test_training_and_test_levels_are_kept_apart_and_all_of_them_come() -> None:
    train = DynaMazeGeneratedEnv(5, levels=10)
    test = DynaMazeGeneratedEnv(5, first_level=10, levels=5)
    assert set(levels_seen(train, 300)) == set(range(10))
    assert set(levels_seen(test, 300)) == set(range(10, 15))


def test_a_level_is_the_maze_of_its_recipe_whoever_makes_it() -> None:
    env = DynaMazeGeneratedEnv((5, 7), "prim", slip_probability=0.1, goal_reward=2.0)
    for level in (0, 3, 2**31 - 1):
        _, info = env.reset(options={"level": level})
        walls, start, goal = MazeRecipe((5, 7), "prim").make(level)
        assert info["level"] == level == env.level
        np.testing.assert_array_equal(env.layout.walls, walls)
        assert (env.layout.starts, env.layout.goals) == ((start,), (goal,))
        assert (env.layout.rewards.goal, env.layout.slip_probability) == (2.0, 0.1)
        assert env.agent == start


def test_an_episodes_maze_stays_and_the_next_one_is_another() -> None:
    env = DynaMazeGeneratedEnv(7)
    env.reset(seed=0)
    first = env.layout
    for _ in range(20):
        env.step(0)
        assert env.layout is first
    env.reset()
    assert env.layout != first
    assert env.phase == 0  # a new maze is no change


def test_a_maze_may_change_within_an_episode_and_is_whole_in_the_next() -> None:
    changes = {"when": "periodic", "period": 5}
    env = DynaMazeGeneratedEnv(7, levels=1, loops=0.5, random_changes=changes)
    env.reset(seed=0)
    first = env.layout
    for _ in range(20):
        env.step(0)
    assert env.phase + env._world.skipped == 4
    assert env.phase > 0
    assert env.layout != first
    env.reset()
    assert env.layout == first


def test_a_small_set_of_levels_is_made_once_and_a_large_one_is_not_kept() -> None:
    made: list[int] = []
    recipe = MazeRecipe(101, "empty")

    def make(level: int) -> Any:
        made.append(level)
        return recipe.make(level)

    levels = Levels(make, levels=None, first_level=0, rewards=Rewards(), slip_probability=0.0)
    room = KEPT_CELLS // 101**2
    for _ in range(2):
        for level in range(room):
            levels.layout(level)
    assert made == list(range(room))
    for level in range(3 * room):
        levels.layout(level)
    assert len(levels._kept) <= room + 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"levels": 0}, ValueError, "levels=0; expected a whole number in"),
        ({"levels": 2.5}, ValueError, "levels=2.5"),
        ({"first_level": -1}, ValueError, "first_level=-1"),
        ({"first_level": 2**53}, ValueError, "first_level="),
        ({"first_level": "2"}, TypeError, "first_level='2'"),
        ({"size": 2}, ValueError, "size=2; expected a whole number of at least 3"),
        ({"size": 3000}, ValueError, "9,000,000 cells; expected at most 4,000,000"),
        ({"algorithm": "wilsons"}, ValueError, "did you mean 'wilson'"),
        ({"density": 0.2}, ValueError, "density=0.2 with algorithm 'backtracking'"),
        ({"algorithm": "obstacles", "density": 1}, ValueError, "density=1"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DynaMazeGeneratedEnv(**arguments)


def test_a_level_that_is_not_there_is_refused_and_changes_nothing() -> None:
    env = DynaMazeGeneratedEnv(5, first_level=10, levels=5)
    env.reset(seed=0)
    before = env.get_state()
    for level in (9, 15, -1, 10.5):
        with pytest.raises(ValueError, match=r"level=.*; expected a whole number in \[10, 14\]"):
            env.reset(options={"level": level})
    with pytest.raises(ValueError, match=r"unknown reset option 'lvl'.*did you mean 'level'"):
        env.reset(options={"lvl": 10})
    assert env.get_state() == before


def test_all_worlds_may_be_put_on_one_level() -> None:
    env = gym.make_vec("DynaMazeGenerated-v0", 3, size=5, levels=100)
    _, infos = env.reset(seed=0, options={"level": 42})
    assert infos["level"].tolist() == [42, 42, 42]
