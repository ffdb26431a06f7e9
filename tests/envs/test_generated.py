"""Environment of generated mazes: levels, their ranges and their cache."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import DynaMazeGeneratedEnv, MazeGenerator, Rewards
from dynamaze.envs.generation.levels import CACHED_CELLS, LevelSet


def levels_seen(env: Any, episodes: int) -> list[int]:
    seen = [env.reset(seed=0)[1]["level"]]
    return seen + [env.reset()[1]["level"] for _ in range(episodes - 1)]


def test_level_ranges_are_disjoint() -> None:
    train = DynaMazeGeneratedEnv(5, levels=10)
    test = DynaMazeGeneratedEnv(5, first_level=10, levels=5)
    assert set(levels_seen(train, 300)) == set(range(10))
    assert set(levels_seen(test, 300)) == set(range(10, 15))


def test_levels_may_be_equal_mazes() -> None:
    mazes = [DynaMazeGeneratedEnv(5, first_level=level).layout for level in (354, 1005)]
    assert mazes[0] == mazes[1]  # as the docstring says
    halves = {DynaMazeGeneratedEnv(5, split=half, levels=1).layout for half in ("train", "test")}
    assert len(halves) == 2


def test_level_equals_generator() -> None:
    env = DynaMazeGeneratedEnv((5, 7), "prim", slip_probability=0.1, goal_reward=2.0)
    for level in (0, 3, 2**31 - 1):
        _, info = env.reset(options={"level": level})
        walls, start, goal = MazeGenerator((5, 7), "prim").make(level)
        assert info["level"] == level == env.level
        np.testing.assert_array_equal(env.layout.walls, walls)
        assert (env.layout.starts, env.layout.goals) == ((start,), (goal,))
        assert (env.layout.rewards.goal, env.layout.slip_probability) == (2.0, 0.1)
        assert env.agent == start


def test_maze_changes_between_episodes() -> None:
    env = DynaMazeGeneratedEnv(7)
    env.reset(seed=0)
    first = env.layout
    for _ in range(20):
        env.step(0)
        assert env.layout is first
    env.reset()
    assert env.layout != first
    assert env.phase == 0  # a new maze is no change


def test_random_changes_end_with_episode() -> None:
    changes = {"when": "periodic", "period": 5}
    env = DynaMazeGeneratedEnv(7, levels=1, loops=0.5, random_changes=changes)
    env.reset(seed=0)
    first = env.layout
    for _ in range(20):
        env.step(0)
    assert env.phase + env.maze.skipped == 4
    assert env.phase > 0
    assert env.layout != first
    env.reset()
    assert env.layout == first


def test_level_cache_is_bounded() -> None:
    made: list[int] = []
    generator = MazeGenerator(101, "empty")

    def make(level: int) -> Any:
        made.append(level)
        return generator.make(level)

    levels = LevelSet(make, levels=None, first_level=0, rewards=Rewards(), slip_probability=0.0)
    capacity = CACHED_CELLS // 101**2
    for _ in range(2):
        for level in range(capacity):
            levels.layout(level)
    assert made == list(range(capacity))
    for level in range(3 * capacity):
        levels.layout(level)
    assert len(levels._cache) <= capacity + 1


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
def test_arguments_are_checked(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DynaMazeGeneratedEnv(**arguments)


def test_level_option_is_checked() -> None:
    env = DynaMazeGeneratedEnv(5, first_level=10, levels=5)
    env.reset(seed=0)
    before = env.get_state()
    for level in (9, 15, -1, 10.5):
        with pytest.raises(ValueError, match=r"level=.*; expected a whole number in \[10, 14\]"):
            env.reset(options={"level": level})
    with pytest.raises(ValueError, match=r"reset option='lvl'; .*did you mean 'level'"):
        env.reset(options={"lvl": 10})
    assert env.get_state() == before


def test_level_option_applies_to_all() -> None:
    env = gym.make_vec("DynaMazeGenerated-v0", 3, size=5, levels=100)
    _, infos = env.reset(seed=0, options={"level": 42})
    assert infos["level"].tolist() == [42, 42, 42]
