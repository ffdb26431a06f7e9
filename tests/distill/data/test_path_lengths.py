"""Path lengths along a teacher's actions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.data.path_lengths import steps_by_actions, teacher_path_lengths
from dynamaze.distill.students.value_iteration import steps_to_goal as shortest_lengths
from dynamaze.envs.generation.planes import ShortestPathPolicy, steps_to_goal

SHAPES = [(1, 1, 1), (3, 1, 9), (20, 6, 4), (5, 9, 9)]


def random_planes(shape: tuple[int, int, int]) -> Any:
    """Return mazes with several goals, some also walls or queried, and cells without a query."""
    draws = np.random.default_rng(0).random((*shape[:1], 3, *shape[1:]))
    return (draws < np.array([0.3, 0.9, 0.1])[:, None, None]).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_by_actions_match_paths(shape: tuple[int, int, int]) -> None:
    planes = random_planes(shape)
    planes[:, 1] *= 1 - planes[:, 0]  # no queries in walls
    queried = planes[:, 1] > 0.5
    actions = np.random.default_rng(1).integers(4, size=int(queried.sum()))
    found = steps_by_actions(torch.tensor(planes), torch.tensor(actions)).numpy()
    expected = steps_to_goal(planes, actions)
    np.testing.assert_array_equal(found[queried], np.where(expected < 0, np.inf, expected))
    goals = planes[:, 2] > 0.5
    np.testing.assert_array_equal(found[goals], 0)
    assert np.isinf(found[~queried & ~goals]).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_exact_teacher_gives_shortest_lengths(shape: tuple[int, int, int]) -> None:
    planes = random_planes(shape)
    planes[:, 0] *= 1 - planes[:, 2]
    planes[:, 1] = (1 - planes[:, 0]) * (1 - planes[:, 2])
    seen = torch.tensor(planes)
    found = teacher_path_lengths(ShortestPathPolicy())(seen)
    assert torch.equal(found, shortest_lengths(seen[:, [0, 2]]))


def test_teacher_is_asked_once_for_each_batch() -> None:
    class Counted(ShortestPathPolicy):
        passes = 0

        def action_probabilities(self, observations: Any) -> Any:
            self.passes += 1
            return super().action_probabilities(observations)

    policy = Counted()
    path_lengths = teacher_path_lengths(policy)
    one, other = (torch.tensor(random_planes(shape)) for shape in SHAPES[-2:])
    for seen, passes in ((one, 1), (one, 1), (other, 2), (one, 3)):
        path_lengths(seen)
        assert policy.passes == passes
    with pytest.raises(TypeError, match="expected"):
        teacher_path_lengths(5)
