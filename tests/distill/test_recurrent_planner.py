"""The recurrent planner: its sizes, its exact setting, and that its waves are what they say."""

import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation.judging import judge
from dynamaze.benchmarks.distillation.mazes import Held, Mazes, held_out_recipes
from dynamaze.distill.students.planes import split_planes
from dynamaze.distill.students.value_iteration import (
    CAP,
    RecurrentPlanner,
    squashed,
    steps_to_goal,
)
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells, split_queries

from .planners import exact_planner


@pytest.mark.parametrize(("maps", "parameters"), [(4, 113), (8, 261), (16, 517)])
def test_parameters(maps, parameters):
    assert RecurrentPlanner(maps).num_parameters == parameters


@pytest.mark.parametrize("maps", [4, 8])
@pytest.mark.parametrize("size", [11, 21, 31])
def test_an_exact_setting_solves_every_maze_of_every_size(maps, size):
    planner = exact_planner(maps)
    for recipe in held_out_recipes(size).values():
        verdict = judge(planner, Held.of(recipe, 8))
        assert verdict.success == 1.0
        assert verdict.agreement == 1.0


def test_cells_asked_together_and_alone_have_the_same_answers():
    planes = query_all_cells(MazeGenerator(7), range(3))
    planner = RecurrentPlanner(8, seed=1)
    together = planner.action_logits(planes)
    np.testing.assert_allclose(planner.action_logits(split_queries(planes)), together, rtol=1e-4)


def test_the_wave_is_breadth_first_search():
    for recipe in (MazeGenerator(9), MazeGenerator((5, 9), "obstacles", density=0.4)):
        planes = query_all_cells(recipe, range(4))
        maze, asked = split_planes(torch.from_numpy(planes))
        steps = steps_to_goal(maze)
        from dynamaze.envs.generation.planes import ShortestPathPolicy
        from dynamaze.envs.generation.planes import steps_to_goal as walk

        best = ShortestPathPolicy().action_probabilities(planes).argmax(axis=1)
        np.testing.assert_array_equal(steps[asked].numpy(), walk(planes, best))
        assert torch.isinf(steps[maze[:, 0] > 0.5]).all()


def test_training_asks_only_cells_that_the_wave_has_reached():
    planes = torch.from_numpy(Mazes(cells=200)(np.random.default_rng(0), 0.0))
    planner = RecurrentPlanner()
    maze, asked = split_planes(planes)
    distance = steps_to_goal(maze)[asked]
    answers = planner.training_answers(planes, 0.0, np.random.default_rng(0))
    weights = [each.weights for each in answers]
    assert len(weights) == len({tuple(w.tolist()) for w in weights}) == 2  # two iterations at first
    for k, weight in enumerate(weights, 1):
        np.testing.assert_array_equal((weight > 0).numpy(), (distance <= k).numpy())
        np.testing.assert_array_equal((weight > 1).numpy(), (distance == k).numpy())


def test_squashed_logits_keep_their_order_and_no_answer_costs_much():
    logits = torch.tensor([[0.0, -1e-3, 5.0, -1e9], [7.0, 7.0, 6.0, 2.0]], dtype=torch.float64)
    found = squashed(logits)
    assert (found.argsort(dim=1) == logits.argsort(dim=1)).all()
    assert found.min() >= -CAP
    assert found.amax(dim=1).tolist() == [0.0, 0.0]
    torch.testing.assert_close(found[1, 2].item(), -1 / (1 + 1 / CAP))
    assert -torch.log_softmax(found, dim=1).min() <= CAP + np.log(4)


def test_iterations_reach_the_furthest_cell_of_a_snake():
    """The longest way there is: through a comb of walls, to and fro."""
    rows, cols = 9, 9
    walls = np.zeros((rows, cols), dtype=bool)
    for row in range(1, rows, 2):
        walls[row, :] = True
        walls[row, -1 if row % 4 == 1 else 0] = False
    planes = np.zeros((1, 3, rows, cols), dtype=np.float32)
    planes[0, 0], planes[0, 1], planes[0, 2, 0, 0] = walls, ~walls, 1.0
    planes[0, 1, 0, 0] = 0.0
    maze, asked = split_planes(torch.from_numpy(planes))
    furthest = int(steps_to_goal(maze)[asked].max())
    assert furthest <= RecurrentPlanner().iterations_for(rows, cols)
    steps = judge(exact_planner(4), Held.of(MazeGenerator(5), 2))  # the setting itself is right
    assert steps.success == 1.0
    from dynamaze.envs.generation.planes import steps_to_goal as walk

    assert walk(planes, exact_planner(4).action_logits(planes).argmax(axis=1)).max() == furthest


def test_multiply_adds_by_counting():
    """Nine for each map, cell and iteration; twice nine once; four for each map that is read."""
    cells, iterations = 9, RecurrentPlanner().iterations_for(3, 3)
    assert RecurrentPlanner().multiply_adds((3, 3, 3)) == cells * 4 * (18 + 9 * iterations)
    eight = cells * 8 * (18 + (9 + 4) * iterations)
    assert RecurrentPlanner(8).multiply_adds((3, 3, 3)) == eight


def test_other_observations_are_refused():
    with pytest.raises(ValueError, match=r"observations of shape \(2, 5, 5\); expected"):
        RecurrentPlanner()(torch.zeros(2, 5, 5))
