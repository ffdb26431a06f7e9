"""Plane observations of whole mazes, compared with exact layouts and single steps."""

import re

import numpy as np
import pytest

from dynamaze.envs import Layout
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import (
    ShortestPathPolicy,
    distances_to_goal,
    query_all_cells,
    split_queries,
    steps_to_goal,
)
from dynamaze.envs.mazes.optimal_values import optimal_policy

GENERATORS = [
    MazeGenerator(11),
    MazeGenerator((5, 8), "obstacles", density=0.4),
    MazeGenerator(7, "prim", loops=0.5),
    MazeGenerator((3, 9), "empty"),
]


@pytest.mark.parametrize("generator", GENERATORS, ids=str)
def test_policy_equals_optimal_policy(generator):
    planes = query_all_cells(generator, range(5))
    expected = []
    for level in range(5):
        maze = generator.make(level)
        policy = optimal_policy(Layout(maze.walls, (maze.start,), (maze.goal,)))
        queried = ~maze.walls
        queried[maze.goal] = False
        expected.append(policy[queried.ravel()])
    np.testing.assert_allclose(
        ShortestPathPolicy().action_probabilities(planes), np.concatenate(expected), atol=1e-15
    )


@pytest.mark.parametrize("generator", GENERATORS, ids=str)
def test_distances_equal_layout(generator):
    planes = query_all_cells(generator, range(3))
    mazes = [generator.make(level) for level in range(3)]
    layouts = [Layout(maze.walls, (maze.start,), (maze.goal,)) for maze in mazes]
    expected = [layout.distances for layout in layouts]
    np.testing.assert_array_equal(distances_to_goal(planes), expected)


@pytest.mark.parametrize("generator", GENERATORS, ids=str)
def test_steps_equal_walk(generator):
    planes = query_all_cells(generator, range(3))
    rng = np.random.default_rng(0)
    best = ShortestPathPolicy().action_probabilities(planes).argmax(axis=1)
    wrong = rng.random(best.shape) < 0.1
    actions = np.where(wrong, rng.integers(4, size=best.shape), best)
    steps = steps_to_goal(planes, actions)
    assert (steps_to_goal(planes, best) > 0).all()
    assert (steps == -1).any()
    assert (steps > 0).any()
    number = np.full(planes[:, 1].shape, -1)
    number[planes[:, 1] > 0.5] = np.arange(len(actions))
    for maze, row, col in np.argwhere(planes[:, 1] > 0.5):
        assert steps[number[maze, row, col]] == _walk(planes[maze], actions, number[maze], row, col)


def _walk(planes, actions, number, row, col):
    for step in range(planes[0].size + 1):
        if planes[2, row, col]:
            return step
        action = actions[number[row, col]]
        below, beside = row + (-1, 0, 1, 0)[action], col + (0, 1, 0, -1)[action]
        inside = 0 <= below < planes.shape[1] and 0 <= beside < planes.shape[2]
        if inside and not planes[0, below, beside]:
            row, col = below, beside
    return -1


def test_split_queries_keeps_results():
    planes = query_all_cells(GENERATORS[0], range(3))
    alone = split_queries(planes)
    assert (alone[:, 1].sum(axis=(1, 2)) == 1).all()
    np.testing.assert_array_equal(
        ShortestPathPolicy().action_probabilities(alone),
        ShortestPathPolicy().action_probabilities(planes),
    )


def test_policy_is_uniform_without_path():
    planes = np.zeros((1, 3, 1, 3), dtype=np.float32)
    planes[0, 0, 0, 1] = planes[0, 1, 0, 0] = planes[0, 2, 0, 2] = 1.0
    np.testing.assert_array_equal(ShortestPathPolicy().action_probabilities(planes), [[0.25] * 4])
    np.testing.assert_array_equal(steps_to_goal(planes, [1]), [-1])


def test_path_ends_at_cell_without_action():
    planes = np.zeros((1, 3, 1, 3), dtype=np.float32)
    planes[0, 1, 0, 0] = planes[0, 2, 0, 2] = 1.0
    np.testing.assert_array_equal(steps_to_goal(planes, [1]), [-1])
    planes[0, 1, 0, 1] = 1.0
    np.testing.assert_array_equal(steps_to_goal(planes, [1, 1]), [2, 1])


def test_marks_are_above_half():
    planes = np.zeros((1, 3, 1, 3), dtype=np.float32)
    planes[0, 1, 0, 0] = 1.0
    planes[0, 0, 0, 1] = planes[0, 1, 0, 1] = planes[0, 2, 0, 1] = 0.5
    planes[0, 2, 0, 2] = 0.75
    np.testing.assert_array_equal(distances_to_goal(planes), [[[2, 1, 0]]])
    np.testing.assert_array_equal(ShortestPathPolicy().action_probabilities(planes), [[0, 1, 0, 0]])
    np.testing.assert_array_equal(steps_to_goal(planes, [1]), [-1])


def test_shapes_are_checked():
    for shape in ((2, 5, 5), (2, 3, 5), (2, 4, 5, 5)):
        expected = re.escape(f"planes of shape {shape}; expected (mazes, 3")
        with pytest.raises(ValueError, match=expected):
            ShortestPathPolicy().action_probabilities(np.zeros(shape))
    planes = query_all_cells(GENERATORS[0], range(1))
    with pytest.raises(ValueError, match=r"actions of shape \(3,\); expected \(\d+,\)"):
        steps_to_goal(planes, [0, 1, 2])


def test_goal_is_no_step_away_from_itself() -> None:
    planes = np.zeros((1, 3, 1, 2), dtype=np.float32)
    planes[0, 1] = planes[0, 2, 0, 1] = 1  # both cells are queried, the second is the goal
    np.testing.assert_array_equal(steps_to_goal(planes, [1, 3]), [1, 0])
