"""Speed of the students: the rows of the table and the measured students."""

import numpy as np
import pytest

from dynamaze.benchmarks.distillation.mazes import HeldOut, evaluate_policy, held_out_generators
from dynamaze.benchmarks.speed.students import (
    convolution,
    exact_weights,
    joint_training,
    mlp,
    value_iteration_network,
)


def test_exact_weights_solve_every_maze():
    from dynamaze.distill.export.compiled import CompiledPolicy

    policy = CompiledPolicy((exact_weights(),))
    for generator in held_out_generators(11).values():
        assert evaluate_policy(policy, HeldOut.generate(generator, 5)).success == 1.0


def test_rows_state_parameters():
    pytest.importorskip("stable_baselines3")
    rows = mlp(1)
    assert "1,247 parameters, compiled" in rows[0].measurement
    waves = value_iteration_network(1)
    assert {row.measurement.split(", ")[1] for row in waves} == {"11x11", "21x21", "31x31"}
    assert len(joint_training(1)) == 1
    assert "11x11, compiled" in convolution(1)[0].measurement
    assert all(float(row.speed.split()[0]) > 0 for row in rows)
    assert np.isfinite(float(rows[0].ratio[:-1]))
