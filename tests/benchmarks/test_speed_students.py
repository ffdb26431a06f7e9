"""What the speeds of students are measured on is what it says."""

import numpy as np
import pytest

from dynamaze.benchmarks.distillation.judging import judge
from dynamaze.benchmarks.distillation.mazes import Held, held_out_recipes
from dynamaze.benchmarks.speed.students import (
    convolution,
    exact_weights,
    perceptron,
    planner,
    several,
)


def test_the_planner_that_is_timed_solves_every_maze():
    from dynamaze.distill.export.compiled.value_iteration import PlannerPolicy
    from dynamaze.distill.export.compiled.value_iteration_kernel import PlannerWeights

    policy = PlannerPolicy(exact_weights(PlannerWeights), num_parameters=113)
    for recipe in held_out_recipes(11).values():
        assert judge(policy, Held.of(recipe, 5)).success == 1.0


def test_the_student_has_as_many_parameters_as_its_row_says():
    pytest.importorskip("stable_baselines3")
    rows = perceptron(1)
    assert "1,247 parameters, compiled" in rows[0].what
    assert len(planner(1)) == len(several(1)) == 1
    assert "11x11, compiled" in convolution(1)[0].what
    assert all(float(row.ours.split()[0]) > 0 for row in rows)
    assert np.isfinite(float(rows[0].ratio[:-1]))
