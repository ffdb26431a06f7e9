"""Hardened value iteration networks as C that is written for size."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from dynamaze.distill.export.c_source.object_code import object_code
from dynamaze.distill.export.c_source.policy import CPolicy, find_compiler
from dynamaze.distill.export.c_source.small_source import packed_signs
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.hardened import hardened
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import make_student
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import query_all_cells

from ...exact_value_iteration import trained_value_iteration

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler")


def ternary_student(longest_path: int = 2**20) -> Student:
    return quantised(hardened(trained_value_iteration(), longest_path), "ternary", "tensor")


def reaching_cells(planes: Any) -> Any:
    """Return (cells, 3, rows, cols): each cell, but goals, from which a goal can be reached."""
    queries = []
    for plane in planes:
        parts, _ = ndimage.label(plane[0] == 0)
        goals = np.unique(parts[plane[2] > 0])
        for row, col in np.argwhere(np.isin(parts, goals[goals > 0]) & (plane[2] == 0)):
            query = plane.copy()
            query[1] = 0.0
            query[1, row, col] = 1.0
            queries.append(query)
    return np.array(queries)


def random_planes(sides: tuple[int, int]) -> Any:
    """Return mazes of random walls, with several goals, walls around some, and cut-off cells."""
    rng = np.random.default_rng(0)
    planes = (rng.random((20, 3, *sides)) < [[[0.35]], [[0.0]], [[0.05]]]).astype(np.float32)
    planes[:, 2] *= 1.0 - planes[:, 0]
    return planes


@needs_compiler
@pytest.mark.parametrize("sides", [(11, 11), (9, 4), (1, 30), (12, 15)])
def test_small_c_acts_as_the_network(sides: tuple[int, int], tmp_path: Path) -> None:
    network = ternary_student()
    queried = reaching_cells(random_planes(sides))
    assert len(queried) > 40
    export_c(tmp_path / "student.h", network, queried[0], small=True)
    policy = CPolicy(tmp_path / "student.h", "-O2", "-std=c99", "-pedantic")
    wanted = build_policy(to_stored(network)).action_logits(queried)
    np.testing.assert_array_equal(
        policy.action_logits(queried).argmax(axis=1), wanted.argmax(axis=1)
    )
    assert policy.act(np.zeros((3, *sides), np.float32)) == -1


@needs_compiler
@pytest.mark.parametrize(
    "generator", [MazeGenerator(31), MazeGenerator(21, "prim", loops=0.3)], ids=["perfect", "loops"]
)
def test_small_c_acts_as_the_network_in_mazes(generator: MazeGenerator, tmp_path: Path) -> None:
    network = ternary_student()
    queried = reaching_cells(query_all_cells(generator, [0]))
    export_c(tmp_path / "student.h", network, queried[0], small=True)
    logits = CPolicy(tmp_path / "student.h").action_logits(queried)
    wanted = build_policy(to_stored(network)).action_logits(queried)
    np.testing.assert_array_equal(logits.argmax(axis=1), wanted.argmax(axis=1))


@pytest.mark.skipif(
    find_compiler() is None or shutil.which("size") is None, reason="no C compiler, or no size"
)
def test_small_code_is_smaller() -> None:
    network, observation = ternary_student(), np.zeros((3, 11, 11), np.float32)
    usual, small = (object_code(network, observation, small=each) for each in (False, True))
    assert usual is not None
    assert small is not None
    assert small.bytes < usual.bytes / 2


def test_signs_have_two_bits() -> None:
    weights = np.array([[-0.5, 0], [0, 2], [1, 1], [-1, -1]], np.float32)
    packed = packed_signs(weights)
    assert packed.dtype == np.uint8
    digits = [[int(byte) >> 2 * row & 3 for byte in packed] for row in range(4)]
    np.testing.assert_array_equal(np.array(digits) - 1, np.sign(weights))


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (quantised(trained_value_iteration(), "ternary", "tensor"), "more than 10,201 steps"),
        (ternary_student(longest_path=100), "more than 10,201 steps"),
        (hardened(trained_value_iteration()), "of several sizes"),
        (
            make_student("linear", observation_shape=(3, 101, 101), num_actions=4),
            "another student; expected a value iteration network",
        ),
    ],
)
def test_small_c_rejects_other_students(student: Student, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        export_c(tmp_path / "s.h", student, np.zeros((3, 101, 101), np.float32), small=True)
    assert not (tmp_path / "s.h").exists()
