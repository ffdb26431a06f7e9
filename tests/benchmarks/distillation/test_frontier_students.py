"""Students and baselines of the frontier."""

import numpy as np

from dynamaze.benchmarks.distillation.frontier_students import (
    STUDENTS,
    PerCellPolicy,
    PerCellStudent,
)
from dynamaze.benchmarks.distillation.mazes import HeldOut
from dynamaze.distill.students.mlp import MLP
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import split_queries


def test_per_cell_wrappers_query_every_cell():
    planes = HeldOut.generate(MazeGenerator(5), 2).planes
    inner = MLP((3, 5, 5), 4, 3)
    alone = inner.action_logits(split_queries(planes))
    np.testing.assert_allclose(PerCellStudent(inner).action_logits(planes), alone, rtol=1e-5)
    np.testing.assert_allclose(PerCellPolicy(inner).action_logits(planes), alone, rtol=1e-5)


def test_students_accept_any_size_or_one():
    assert {entry.any_size for entry in STUDENTS.values()} == {True, False}
