"""Hardened value iteration networks: paths of any length, exactly."""

from collections import deque

import numpy as np
import pytest
import torch

from dynamaze.distill.core.maze_maps import action_maps, costs_of
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import load_student, save_student, to_stored
from dynamaze.distill.students.hardened import FLOAT32_STEPS, LONGEST_PATH, hardened
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.quantise import quantised, quantised_weights
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells

from ..exact_value_iteration import exact_value_iteration, trained_value_iteration

FORMS = (None, 8, 4, "ternary")
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def form_of(student, bits):
    return student if bits is None else quantised(student, bits, "tensor")


def distances(plane):
    """Breadth-first search from the goal in (3, rows, cols) planes; -1 where there is no path."""
    walls, goals = plane[0] > 0.5, plane[2] > 0.5
    steps = np.where(goals, 0, -1)
    queue = deque(zip(*np.nonzero(goals), strict=True))
    while queue:
        row, col = queue.popleft()
        for down, right in MOVES:
            there = row + down, col + right
            inside = all(0 <= n < size for n, size in zip(there, walls.shape, strict=True))
            if inside and not walls[there] and steps[there] < 0:
                steps[there] = steps[row, col] + 1
                queue.append(there)
    return steps


def share_of_shortest_steps(student, planes, steps=None):
    """Return the share of cells in which the student's move leads a step nearer to the goal.

    If it is 1 the student reaches the goal from every cell, by a shortest path.
    """
    right, count = 0, 0
    for plane, found in zip(planes, steps or map(distances, planes), strict=True):
        actions = build_policy(to_stored(student)).action_logits(plane[None]).argmax(axis=1)
        cells = np.argwhere(plane[1] > 0.5)
        there = cells + np.array(MOVES)[actions]
        inside = ((there >= 0) & (there < found.shape)).all(axis=1)
        nearer = found[tuple(there[inside].T)] == found[tuple(cells[inside].T)] - 1
        right, count = right + int(nearer.sum()), count + len(cells)
    return right / count


def detour(length):
    """Planes of a corridor there and back, with the goal beside its other end, behind a wall."""
    planes = np.zeros((1, 3, 3, length), dtype=np.float32)
    planes[0, 0, 1, :-1] = 1.0
    planes[0, 1] = 1.0 - planes[0, 0]
    planes[0, 1, 0, 0], planes[0, 2, 0, 0] = 0.0, 1.0
    return planes


def kinds(size):
    return (
        MazeGenerator(size),
        MazeGenerator(size, "prim", loops=0.3),
        MazeGenerator(size, "obstacles", density=0.3),
    )


@pytest.mark.parametrize("bits", FORMS)
def test_hardened_student_takes_long_detours(bits):
    trained = trained_value_iteration()
    assert share_of_shortest_steps(form_of(trained, bits), detour(1500)) < 0.9
    assert share_of_shortest_steps(form_of(hardened(trained), bits), detour(1500)) == 1.0


@pytest.mark.parametrize("size", [101, 201])
def test_hardened_student_solves_large_mazes(size):
    student = hardened(trained_value_iteration(seed=1))
    for generator in kinds(size):
        planes = query_all_cells(generator, [10**7])
        steps = [distances(planes[0])]
        for bits in FORMS:
            assert share_of_shortest_steps(form_of(student, bits), planes, steps) == 1.0


def test_hardened_student_same_in_small_mazes():
    trained = trained_value_iteration()
    for generator in kinds(11):
        planes = query_all_cells(generator, range(10))
        for student in (trained, hardened(trained)):
            assert share_of_shortest_steps(student, planes) == 1.0


def test_hardened_in_torch_equals_compiled():
    student = hardened(trained_value_iteration())
    policy = build_policy(to_stored(student))
    for generator in kinds(15):
        planes = query_all_cells(generator, range(2))
        found = policy.action_logits(planes)
        np.testing.assert_allclose(student.action_logits(planes), found, rtol=1e-6)


@pytest.mark.parametrize("bits", FORMS[1:])
def test_hardening_keeps_integers(bits):
    trained = trained_value_iteration()
    one = quantised_weights(quantised(hardened(trained), bits, "tensor"))
    other = quantised_weights(hardened(quantised(trained, bits, "tensor")))
    for name, weight in one.items():
        np.testing.assert_array_equal(weight.integers, other[name].integers)
        # Rounding may change the costs: walls that stand beside goals may need another power.
        ratio = float((other[name].scales / weight.scales).item())
        assert ratio == (2 if (name, bits) == ("reward", "ternary") else 1)


@pytest.mark.parametrize("longest_path", [1, 10_000, LONGEST_PATH, FLOAT32_STEPS])
def test_hardened_wall_costs_more_than_longest_path(longest_path):
    trained = trained_value_iteration()
    weights = to_stored(hardened(trained, longest_path)).weights
    names = ("scale", "move", "reward", "bias")
    costs = costs_of(action_maps(*(weights[name] for name in names)))
    needed, step = longest_path * costs.step.max(), float(trained.bias.detach().abs().mean())
    np.testing.assert_allclose(costs.step, step, rtol=1e-6)
    np.testing.assert_array_equal(costs.least_step, costs.step)
    most = max(2 * needed, 1.01 * (4.0 + 18.7 - 6.2))  # the smallest power of two
    assert needed <= costs.barrier <= most


@pytest.mark.parametrize("bits", FORMS)
@pytest.mark.parametrize("length", [600, 3000])
def test_hardened_goes_around_wall_beside_goal(bits, length):
    """The wall is at the end of a corridor of 2 * length + 1 steps, and beside the goal."""
    student = hardened(form_of(trained_value_iteration(), bits), 2 * length + 1)
    assert share_of_shortest_steps(student, detour(length)) == 1.0


@pytest.mark.parametrize("step", [0.013, 0.0078125, 0.0156249])
def test_float32_values_differ_for_all_steps(step):
    """`top` minus a cost for each step, rounded each time; beyond 2^24 steps the cost is lost."""
    costs = np.full(FLOAT32_STEPS, -step, dtype=np.float32)
    costs[0] = 7.0
    values = np.add.accumulate(costs)
    assert (np.diff(values) < 0).all()
    lost = np.float32(-step * 2**25)
    assert lost - np.float32(step) == lost


def test_hardened_leaves_student_unchanged_and_is_stored(tmp_path):
    trained = trained_value_iteration()
    before = {name: weight.clone() for name, weight in trained.state_dict().items()}
    student = hardened(trained)
    assert all(torch.equal(weight, before[name]) for name, weight in trained.state_dict().items())
    assert student.num_parameters == 113
    save_student(tmp_path / "s.safetensors", student)
    loaded = load_student(tmp_path / "s.safetensors")
    assert all(
        torch.equal(a, b)
        for a, b in zip(loaded.state_dict().values(), student.state_dict().values(), strict=True)
    )


def test_hardened_takes_maps_with_readout():
    student = hardened(exact_value_iteration(8))
    assert build_policy(to_stored(student)).operations()[0].crossing is not None
    assert share_of_shortest_steps(student, detour(30)) == 1.0


def test_hardened_refuses_untrained_students():
    with pytest.raises(ValueError, match="does not move to its own side; expected a trained"):
        hardened(ValueIterationNetwork())
    gaining = trained_value_iteration()
    gaining.bias.data.neg_()
    with pytest.raises(ValueError, match=r"a step costs -0\.013.*expected a trained student, in"):
        hardened(gaining)
    with pytest.raises(TypeError, match="type MLP; expected a ValueIterationNetwork"):
        hardened(MLP([3], 4, 2))
    for longest_path in (0, FLOAT32_STEPS + 1):
        with pytest.raises(ValueError, match="longest_path"):
            hardened(trained_value_iteration(), longest_path)
