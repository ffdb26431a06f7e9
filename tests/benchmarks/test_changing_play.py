"""Play while walls change, against steps judged one by one and against policies that are known."""

import numpy as np

from dynamaze.benchmarks.distillation.changing_mazes import play_while_changing, steps_lost
from dynamaze.benchmarks.distillation.judging import GAMMA
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import (
    ShortestPathPolicy,
    distances_to_goal,
    query_all_cells,
    split_queries,
)

LOOPS = MazeGenerator(7, "prim", loops=0.3)


class Up:
    """Goes up, always."""

    def action_probabilities(self, observations):
        return np.tile([1.0, 0.0, 0.0, 0.0], (len(observations), 1))


def test_the_exact_planner_loses_nothing_and_by_the_first_map_it_does():
    now = play_while_changing(ShortestPathPolicy(), LOOPS, 60, seed=0)
    assert now.success.all()
    assert (now.kept == 1.0).all()
    assert now.agreement == 1.0
    assert now.changes.mean() > 1
    first = play_while_changing(ShortestPathPolicy(), LOOPS, 60, seed=0, sees_changes=False)
    assert first.kept.mean() < 0.9
    unchanged = first.changes == 0
    assert unchanged.any()
    assert (first.kept[unchanged] == 1.0).all()


def test_the_same_seed_plays_the_same_episodes():
    one, other = (play_while_changing(Up(), LOOPS, 20, seed=3) for _ in range(2))
    for mine, its in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, its)
    assert not one.success.all()
    assert (one.kept[~one.success] == 0).all()
    assert (one.kept[one.success] <= 1.0).all()


def test_without_changes_what_is_lost_is_what_the_way_is_longer():
    class Detour:
        """Goes back after its first step, once, and is shortest otherwise."""

        moment = 0

        def action_probabilities(self, observations):
            self.moment += 1
            likely = ShortestPathPolicy().action_probabilities(observations)
            return -likely if self.moment == 2 else likely

    played = play_while_changing(Detour(), LOOPS, 30, seed=1, probability=1e-9)
    assert (played.changes == 0).all()
    assert played.success.all()
    losses = np.log(played.kept) / np.log(GAMMA)
    np.testing.assert_allclose(losses, losses.round(), atol=1e-9)
    assert set(losses.round().tolist()) <= {0.0, 1.0, 2.0}  # some were there in a step
    assert losses.max() >= 1


def test_a_step_loses_what_the_shortest_way_does():
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
