"""Vector environment of generated mazes for Stable-Baselines3."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from dynamaze.benchmarks.distillation.ppo_vec_env import STARTS_PER_MAZE, time_limit
from dynamaze.distill.core.levels import LevelRange
from dynamaze.envs.generation.planes import (
    ShortestPathPolicy,
    steps_to_goal,
)

from .maze_envs import GENERATOR, make_envs


def best(planes: np.ndarray) -> np.ndarray:
    return ShortestPathPolicy().action_probabilities(planes).argmax(axis=1)


def steps_left(seen: np.ndarray) -> np.ndarray:
    """Return the steps from each agent to the goal."""
    whole = seen.copy()
    whole[:, 1] = (seen[:, 0] == 0) & (seen[:, 2] == 0)
    left = np.full(seen[:, 1].shape, 0)
    left[whole[:, 1] > 0.5] = steps_to_goal(whole, best(whole))
    return left[seen[:, 1] > 0.5]


def test_episodes_begin_near_goal() -> None:
    many = make_envs(3, num_envs=400, num_open=400)
    left = steps_left(many.reset())
    assert set(left) == {1, 2, 3}
    few = make_envs(9, num_open=2)
    mazes = np.unique(few.reset()[:, [0, 2]].reshape(40, -1), axis=0)
    assert len(mazes) <= 2


def test_mazes_come_from_levels() -> None:
    one = make_envs(20, LevelRange(17, 1))
    maze = GENERATOR.make(17)
    seen = one.reset()
    assert (seen[:, 0] == maze.walls).all()
    assert (seen[:, 2].argmax(axis=(1)).max(axis=1) == maze.goal[0]).all()
    assert one.env.single_action_space.n == 4
    assert STARTS_PER_MAZE >= 15 * 15


def test_optimal_actions_are_rewarded() -> None:
    """A step costs 0.01, the last one has the reward 1, and then a new episode begins."""
    few = make_envs(2)
    seen = few.reset()
    left = steps_left(seen)
    after, rewards, over, infos = few.step(best(seen))
    np.testing.assert_array_equal(over, left == 1)
    np.testing.assert_allclose(rewards, np.where(left == 1, 1, -0.01), rtol=1e-6)
    assert set(steps_left(after[over])) <= {1, 2}
    np.testing.assert_array_equal(steps_left(after[~over]), 1)
    for i, info in enumerate(infos):
        assert ("terminal_observation" in info) == over[i]
        if over[i]:
            assert not info["TimeLimit.truncated"]
            assert (info["terminal_observation"][1] == info["terminal_observation"][2]).all()


def test_blocked_agents_are_truncated() -> None:
    """Agents that walk into walls are truncated; first episodes are not counted."""
    far = make_envs(8)
    seen = far.reset()
    limit = time_limit(8)
    for step in range(1, 2 * limit + 1):
        row, col = np.argwhere(seen[:, 1] > 0.5)[:, 1:].T
        walls = np.pad(seen[:, 0], ((0, 0), (1, 1), (1, 1)), constant_values=1)
        near = [(row, col + 1), (row + 1, col + 2), (row + 2, col + 1), (row + 1, col)]
        stopped = np.array([walls[np.arange(40), r, c] for r, c in near])
        can = stopped.any(axis=0)
        seen, _, over, infos = far.step(stopped.argmax(axis=0))
        if step == limit:
            assert over[can].all()
            assert all(infos[i]["TimeLimit.truncated"] for i in np.flatnonzero(over & can))
            assert far.episodes == 0
    assert far.episodes >= 40
    assert far.successes == 0 or not can.all()
