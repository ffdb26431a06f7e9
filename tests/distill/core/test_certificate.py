"""Certificates: mazes below the bound are solved, and mazes beyond it are found that are not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.core.certificate import LIMITS, Certificate, NotCertifiedError
from dynamaze.distill.export.certify import certify
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.builtin_students import PREFIX
from dynamaze.distill.files.students import save_student, to_stored
from dynamaze.distill.students.hardened import hardened
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells

from ..certified import count_cells, random_network, wrong_cells
from ..exact_value_iteration import trained_value_iteration


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.05])
def test_random_networks_are_right_below_bound(spread: float) -> None:
    draw = np.random.default_rng(int(1000 * spread))
    checked = beyond = networks = 0
    while networks < 12:
        network = random_network(draw, spread=spread)
        with suppress(NotCertifiedError):
            cells, failed = count_cells(network, certify(network), draw)
            checked, beyond, networks = checked + cells, beyond + failed, networks + 1
    assert checked > 8_000  # in 1,728 mazes
    assert beyond > 3  # settings with a maze beyond the bound that is not solved


@pytest.mark.parametrize("bits", [None, 8, 4, "ternary"])
def test_hardened_students_are_certified_for_their_paths(bits: Any) -> None:
    trained = trained_value_iteration()
    student = trained if bits is None else quantised(trained, bits, "tensor")
    for longest in (1, 3000, 2**20):
        found = certify(hardened(student, longest))
        assert found.steps >= longest
        assert found.limit == "walls"
    assert found.delay == 0
    rounded = quantised(hardened(trained, 2**20), "ternary", "tensor")
    assert certify(rounded).steps < 2**20  # rounded after it


def detour(length: int) -> Any:
    """Planes of a corridor there and back; its beginning is beside a wall beside the goal."""
    planes = np.zeros((1, 3, 3, length), dtype=np.float32)
    planes[0, 0, 1, :-1] = 1.0
    planes[0, 1] = 1.0 - planes[0, 0]
    planes[0, 1, 0, 0], planes[0, 2, 0, 0] = 0.0, 1.0
    return planes


def turned_corners(bits: Any) -> ValueIterationNetwork:
    trained = trained_value_iteration(seed=2)
    return hardened(trained if bits is None else quantised(trained, bits, "tensor"), 200)


@pytest.mark.parametrize("bits", [None, "ternary"])
def test_certificate_ends_where_mazes_fail(bits: Any) -> None:
    """The bound is that of the worst maze, up to the differences between the actions."""
    student = turned_corners(bits)
    found = certify(student)
    policy = build_policy(to_stored(student))
    for share, fails in ((0.995, False), (1.12, True)):
        length = round(found.steps * share) // 2  # the beginning is 2 * length steps away
        for turns in range(4):
            planes = np.rot90(detour(length), turns, axes=(2, 3)).copy()
            distance, wrong = wrong_cells(policy, planes)
            assert distance.max() == 2 * length
            assert not wrong[distance <= found.steps].any()
            if not fails:
                assert not wrong.any()
        if fails:
            assert wrong.any()


def test_certified_student_solves_many_mazes() -> None:
    student = turned_corners("ternary")
    steps = certify(student).steps
    policy, cells = build_policy(to_stored(student)), 0
    for size, count in ((9, 700), (21, 50), (41, 5)):
        for generator in (
            MazeGenerator(size),
            MazeGenerator(size, "prim", loops=0.3),
            MazeGenerator(size, "obstacles", density=0.3),
        ):
            planes = query_all_cells(generator, range(10**8, 10**8 + count))
            distance, wrong = wrong_cells(policy, planes)
            assert not wrong[distance <= steps].any()
            cells += int((distance <= steps).sum())
    assert cells > 90_000


def test_builtin_students_are_certified() -> None:
    for name in ("value_iteration", "value_iteration_ternary"):
        found = certify(PREFIX + name)
        assert found.steps >= 2**20
        assert found.delay == 0


def test_given_iterations_bound_steps(tmp_path: Any) -> None:
    network = turned_corners(None)
    limited = ValueIterationNetwork(iterations=30)
    limited.load_state_dict(network.state_dict())
    assert certify(limited) == Certificate(28, 28, 2, "iterations")
    assert certify(network).steps > 200
    save_student(tmp_path / "s.safetensors", limited)
    assert certify(tmp_path / "s.safetensors") == Certificate(28, 28, 2, "iterations")
    assert {*LIMITS} == {"walls", "steps", "iterations"}


def with_change(change: Any) -> ValueIterationNetwork:
    network = turned_corners(None)
    with torch.no_grad():
        change(network)
    return network


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (
            ValueIterationNetwork,
            r"expected at most 0\.02, or exact moves",
        ),
        (lambda: MLP((3,), 2), "a student of kind mlp; expected a value iteration network"),
        (lambda: with_change(lambda n: n.bias.fill_(0.01)), "expected a step that costs"),
        (lambda: with_change(lambda n: n.top.fill_(-1.0)), "values up to -1"),
        (
            lambda: with_change(lambda n: n.reward[:, 0].zero_()[:, 1, 1].fill_(1.0)),
            "expected walls that cost more than a step",
        ),
        (lambda: with_change(lambda n: n.reward[:, 1].zero_()), "a goal whose reward is only"),
    ],
)
def test_certify_refuses(student: Any, message: str) -> None:
    with pytest.raises(NotCertifiedError, match=message) as caught:
        certify(student())
    assert "\n" not in str(caught.value)
