"""The value iteration network: sizes, its exact setting and its training weights."""

import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation.mazes import (
    HeldOut,
    MazeSampler,
    evaluate_policy,
    held_out_generators,
)
from dynamaze.distill.students.conv import split_planes
from dynamaze.distill.students.value_iteration import (
    LOGIT_CAP,
    ValueIterationNetwork,
    squashed,
    steps_to_goal,
)
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, query_all_cells, split_queries
from dynamaze.envs.generation.planes import steps_to_goal as steps_of_policy

from ..exact_value_iteration import exact_value_iteration


@pytest.mark.parametrize(("maps", "parameters"), [(4, 113), (8, 261), (16, 517)])
def test_num_parameters(maps, parameters):
    assert ValueIterationNetwork(maps).num_parameters == parameters


@pytest.mark.parametrize("maps", [4, 8])
@pytest.mark.parametrize("size", [11, 21, 31])
def test_exact_setting_solves_mazes_of_any_size(maps, size):
    vin = exact_value_iteration(maps)
    for generator in held_out_generators(size).values():
        result = evaluate_policy(vin, HeldOut.generate(generator, 8))
        assert result.success == 1.0
        assert result.agreement == 1.0


def test_queried_cells_independent():
    planes = query_all_cells(MazeGenerator(7), range(3))
    vin = ValueIterationNetwork(8, seed=1)
    together = vin.action_logits(planes)
    np.testing.assert_allclose(vin.action_logits(split_queries(planes)), together, rtol=1e-4)


def test_steps_to_goal_equals_breadth_first_search():
    for generator in (MazeGenerator(9), MazeGenerator((5, 9), "obstacles", density=0.4)):
        planes = query_all_cells(generator, range(4))
        maze, queried = split_planes(torch.from_numpy(planes))
        steps = steps_to_goal(maze)
        best = ShortestPathPolicy().action_probabilities(planes).argmax(axis=1)
        np.testing.assert_array_equal(steps[queried].numpy(), steps_of_policy(planes, best))
        assert torch.isinf(steps[maze[:, 0] > 0.5]).all()


def test_training_weights_only_reached_cells():
    planes = torch.from_numpy(MazeSampler(cells=200)(np.random.default_rng(0), 0.0))
    vin = ValueIterationNetwork()
    maze, queried = split_planes(planes)
    distance = steps_to_goal(maze)[queried]
    outputs = vin.training_outputs(planes, 0.0, np.random.default_rng(0))
    weights = [each.weights for each in outputs]
    assert len(weights) == len({tuple(w.tolist()) for w in weights}) == 2  # two iterations at first
    for k, weight in enumerate(weights, 1):
        np.testing.assert_array_equal((weight > 0).numpy(), (distance <= k).numpy())
        np.testing.assert_array_equal((weight > 1).numpy(), (distance == k).numpy())


def test_squashed_keeps_order_and_limits_loss():
    logits = torch.tensor([[0.0, -1e-3, 5.0, -1e9], [7.0, 7.0, 6.0, 2.0]], dtype=torch.float64)
    found = squashed(logits)
    assert (found.argsort(dim=1) == logits.argsort(dim=1)).all()
    assert found.min() >= -LOGIT_CAP
    assert found.amax(dim=1).tolist() == [0.0, 0.0]
    torch.testing.assert_close(found[1, 2].item(), -1 / (1 + 1 / LOGIT_CAP))
    assert -torch.log_softmax(found, dim=1).min() <= LOGIT_CAP + np.log(4)


def test_iterations_cover_longest_path():
    """The longest shortest path is one through a comb of walls."""
    rows, cols = 9, 9
    walls = np.zeros((rows, cols), dtype=bool)
    for row in range(1, rows, 2):
        walls[row, :] = True
        walls[row, -1 if row % 4 == 1 else 0] = False
    planes = np.zeros((1, 3, rows, cols), dtype=np.float32)
    planes[0, 0], planes[0, 1], planes[0, 2, 0, 0] = walls, ~walls, 1.0
    planes[0, 1, 0, 0] = 0.0
    maze, queried = split_planes(torch.from_numpy(planes))
    furthest = int(steps_to_goal(maze)[queried].max())
    assert furthest <= ValueIterationNetwork().iterations_for(rows, cols)
    vin = exact_value_iteration(4)
    assert evaluate_policy(vin, HeldOut.generate(MazeGenerator(5), 2)).success == 1.0
    assert steps_of_policy(planes, vin.action_logits(planes).argmax(axis=1)).max() == furthest


def test_multiply_adds_match_count():
    """9 for each map, cell and iteration; 2 * 9 once; 4 for each map of the readout."""
    cells, iterations = 9, ValueIterationNetwork().iterations_for(3, 3)
    assert ValueIterationNetwork().multiply_adds((3, 3, 3)) == cells * 4 * (18 + 9 * iterations)
    eight = cells * 8 * (18 + (9 + 4) * iterations)
    assert ValueIterationNetwork(8).multiply_adds((3, 3, 3)) == eight


def test_refuses_other_observations():
    with pytest.raises(ValueError, match=r"observations of shape \(2, 5, 5\); expected"):
        ValueIterationNetwork()(torch.zeros(2, 5, 5))


def test_curriculum_says_what_is_privileged() -> None:
    assert "breadth-first search" in ValueIterationNetwork().privileged
    for curriculum in (False, lambda observations: observations[:, 2]):
        assert ValueIterationNetwork(curriculum=curriculum).privileged == ""
    with pytest.raises(TypeError, match="curriculum=3; expected True, False or a function"):
        ValueIterationNetwork(curriculum=3)
