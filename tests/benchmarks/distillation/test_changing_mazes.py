"""Evaluation while walls change, against steps evaluated one by one and known policies."""

import numpy as np

from dynamaze.benchmarks.distillation.changing_mazes import evaluate_in_changing_mazes, steps_lost
from dynamaze.benchmarks.distillation.mazes import GAMMA
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import (
    ShortestPathPolicy,
    distances_to_goal,
    query_all_cells,
    split_queries,
)

LOOPS = MazeGenerator(7, "prim", loops=0.3)


class Up:
    """Always moves up."""

    def action_probabilities(self, observations):
        return np.tile([1.0, 0.0, 0.0, 0.0], (len(observations), 1))


def test_exact_planner_loses_nothing():
    now = evaluate_in_changing_mazes(ShortestPathPolicy(), LOOPS, 60, seed=0)
    assert now.success.all()
    assert (now.normalised_return == 1.0).all()
    assert now.agreement == 1.0
    assert now.changes.mean() > 1
    first = evaluate_in_changing_mazes(ShortestPathPolicy(), LOOPS, 60, seed=0, sees_changes=False)
    assert first.normalised_return.mean() < 0.9
    unchanged = first.changes == 0
    assert unchanged.any()
    assert (first.normalised_return[unchanged] == 1.0).all()


def test_evaluation_is_reproducible():
    one, other = (evaluate_in_changing_mazes(Up(), LOOPS, 20, seed=3) for _ in range(2))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)
    assert not one.success.all()
    assert (one.normalised_return[~one.success] == 0).all()
    assert (one.normalised_return[one.success] <= 1.0).all()


def test_loss_equals_longer_path():
    class Detour:
        """Moves back once, after its first step, and follows shortest paths otherwise."""

        calls = 0

        def action_probabilities(self, observations):
            self.calls += 1
            probabilities = ShortestPathPolicy().action_probabilities(observations)
            return (1 - probabilities) / 3 if self.calls == 2 else probabilities

    played = evaluate_in_changing_mazes(Detour(), LOOPS, 30, seed=1, probability=1e-9)
    assert (played.changes == 0).all()
    assert played.success.all()
    losses = np.log(played.normalised_return) / np.log(GAMMA)
    np.testing.assert_allclose(losses, losses.round(), atol=1e-9)
    assert set(losses.round().tolist()) <= {0.0, 1.0, 2.0}  # some need one step only
    assert losses.max() >= 1


def test_steps_lost_match_distances():
    planes = split_queries(query_all_cells(LOOPS, range(3)))
    distances = distances_to_goal(planes)
    for action, (down, right) in enumerate([(-1, 0), (0, 1), (1, 0), (0, -1)]):
        lost = steps_lost(planes, np.full(len(planes), action))
        assert set(lost.tolist()) == {0, 1, 2}
        for maze, each in enumerate(lost):
            row, col = np.argwhere(planes[maze, 1] > 0.5)[0]
            there = row + down, col + right
            inside = all(0 <= part < 7 for part in there)
            free = inside and not planes[maze, 0][there]
            after = distances[maze][there if free else (row, col)]
            assert each == 1 + after - distances[maze, row, col]
