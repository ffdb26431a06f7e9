"""Values that spread from the goals: those to which the iterations converge, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.core.maze_maps import CENTRE, SIDES
from dynamaze.distill.export.common.operations import ValueIteration
from dynamaze.distill.export.common.students import operations_of
from dynamaze.distill.export.compiled import CompiledPolicy
from dynamaze.distill.students.hardened import hardened
from dynamaze.distill.students.quantise import quantised
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells

from ...exact_value_iteration import trained_value_iteration

MAZES = (
    MazeGenerator(13),
    MazeGenerator((7, 12), "prim", loops=0.4),
    MazeGenerator((12, 9), "obstacles", density=0.4),
)


def random_weights(rng: np.random.Generator) -> ValueIteration:
    """Weights with which values spread from the goals; no weight is 0, and no two are equal."""
    reward = 0.01 * rng.normal(size=(4, 2, 9))
    for action, side in enumerate(SIDES):
        reward[action, 0, side] = -rng.uniform(1, 10)
        reward[action, 0, CENTRE] = -rng.uniform(9, 20)
        reward[action, 1, side] = rng.uniform(2, 30)
    bias = -rng.uniform(0.3, 0.4, size=4)
    top, moves = float(rng.uniform(1, 5)), np.eye(9)[SIDES]
    return ValueIteration(reward.reshape(4, 18), moves, bias, top=top, sharpness=2.0)


def mazes(rng: np.random.Generator) -> Any:
    """Yield planes of mazes with one to three goals, all of whose free cells are queried."""
    for generator in MAZES:
        planes = query_all_cells(generator, range(4))
        for plane in planes:
            free = np.argwhere(plane[1] > 0.5)
            for row, col in free[rng.integers(len(free), size=rng.integers(3))]:
                plane[2, row, col] = 1.0
        planes[:, 1] = 1.0 - planes[:, 0]
        yield planes


def hard_student(bits: Any) -> ValueIteration:
    student = hardened(trained_value_iteration())
    (operation,) = operations_of(student if bits is None else quantised(student, bits, "tensor"))
    return operation


WEIGHTS: dict[str, Any] = {
    "random": random_weights,
    "trained": lambda rng: hard_student(None),
    "8 bits": lambda rng: hard_student(8),
    "ternary": lambda rng: hard_student("ternary"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_spread_values_equal_converged_iterations(name: str) -> None:
    rng = np.random.default_rng(0)
    for planes in (planes for _ in range(5) for planes in mazes(rng)):
        weights = WEIGHTS[name](rng)
        assert weights.crossing is not None
        iterated = replace(weights, iterations=10**6)
        assert iterated.crossing is None
        found, wanted = (CompiledPolicy((each,)) for each in (weights, iterated))
        np.testing.assert_array_equal(found.action_logits(planes), wanted.action_logits(planes))


def test_spread_values_ignore_unreachable_cells() -> None:
    """Iterations do not converge in a closed room; the cells outside have the same values."""
    planes = np.zeros((1, 3, 9, 9), dtype=np.float32)
    planes[0, 0, 5:, 4], planes[0, 0, 5, 4:] = 1.0, 1.0  # around 3x4 cells
    planes[0, 1] = 1.0 - planes[0, 0]
    planes[0, 2, 8, 0] = 1.0
    weights = hard_student(None)
    found, wanted = (
        CompiledPolicy((each,)).action_logits(planes)
        for each in (weights, replace(weights, iterations=200))
    )
    cells = np.argwhere(planes[0, 1] > 0.5)
    # The logits of moves into the room's walls follow from what is behind these.
    outside = ((cells < 4).any(axis=1)) & ~((cells == 4).any(axis=1))
    np.testing.assert_array_equal(found[outside], wanted[outside])
    assert np.isfinite(found).all()


@pytest.mark.parametrize("enclosed", [False, True])
def test_values_are_zero_without_reachable_goal(enclosed: bool) -> None:
    planes = np.zeros((1, 3, 5, 5), dtype=np.float32)
    planes[0, 1] = 1.0
    if enclosed:
        planes[0, 2, 2, 2] = 1.0
        planes[0, :2, [1, 2, 2, 3], [2, 1, 3, 2]] = 1.0, 0.0
        planes[0, 1, 2, 2] = 0.0
    weights = hard_student(None)
    logits = CompiledPolicy((weights,)).action_logits(planes)
    step = np.float32(weights.sharpness) * weights.bias
    np.testing.assert_allclose(logits.max(axis=1), step.max(), rtol=1e-6)


def test_other_weights_are_iterated() -> None:
    (soft,) = operations_of(trained_value_iteration())
    assert soft.crossing is None
    assert replace(hard_student(None), iterations=7).crossing is None
