"""Students and baselines of the frontier."""

import numpy as np

from dynamaze.benchmarks.distillation.frontier_students import (
    STUDENTS,
    PerCellPolicy,
    PerCellStudent,
)
from dynamaze.benchmarks.distillation.mazes import HeldOut
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.distill.students.mlp import MLP
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import split_queries


def test_per_cell_wrappers_query_every_cell():
    planes = HeldOut.generate(MazeGenerator(5), 2).planes
    inner = MLP((3, 5, 5), 4, 3)
    alone = inner.action_logits(split_queries(planes))
    np.testing.assert_allclose(PerCellStudent(inner).action_logits(planes), alone, rtol=1e-5)
    np.testing.assert_allclose(PerCellPolicy(inner).action_logits(planes), alone, rtol=1e-5)


def test_seeds_differ_by_run_and_restart():
    seeds = {seed_of(run, restart) for run in range(20) for restart in range(5)}
    assert len(seeds) == 100
    assert {entry.any_size for entry in STUDENTS.values()} == {True, False}
