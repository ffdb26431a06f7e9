"""Mazes for training and held out, and the exact evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from dynamaze.benchmarks.distillation.mazes import (
    GAMMA,
    HELD_OUT,
    TRAINING,
    HeldOut,
    MazeSampler,
    evaluate_policy,
    held_out_generators,
    percent_text,
    return_estimate,
)
from dynamaze.distill import check_disjoint
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy


class Constant:
    """Always moves up."""

    def action_probabilities(self, observations):
        answers = int((np.asarray(observations)[:, 1] > 0.5).sum())
        return np.tile([1.0, 0.0, 0.0, 0.0], (answers, 1))


def test_evaluation_of_known_policies():
    held = HeldOut.generate(MazeGenerator(5, "empty"), 3)
    best = evaluate_policy(ShortestPathPolicy(), held, chunk=2)
    assert (best.success, best.normalised_return, best.agreement) == (1.0, 1.0, 1.0)
    assert [(each.name, each.cells, each.success) for each in best.by_distance] == [("1-10", 1, 1)]
    up = evaluate_policy(Constant(), held)
    fractions = []
    for planes in held.planes:
        row, _ = np.argwhere(planes[2] > 0.5)[0]
        below = GAMMA ** np.arange(4 - row)
        distances = np.abs(np.indices((5, 5)) - np.argwhere(planes[2] > 0.5)[0][:, None, None])
        best_returns = GAMMA ** (distances.sum(axis=0) - 1.0)
        best_returns[planes[2] > 0.5] = 0.0
        fractions.append(below.sum() / best_returns.sum())
    np.testing.assert_allclose(up.by_maze, fractions, rtol=1e-12)
    assert up.normalised_return == pytest.approx(np.mean(fractions))
    assert return_estimate(up).low <= up.normalised_return <= return_estimate(up).high


def test_training_and_held_out_disjoint():
    check_disjoint((TRAINING,), (HELD_OUT,))
    mazes = replace(MazeSampler(), cells=300)
    rng = np.random.default_rng(0)
    for progress in (0.0, 0.5, 1.0):
        planes = mazes(rng, progress)
        assert planes.shape[0] == max(2, 300 // planes[0, 0].size)
    growing = replace(mazes, growing=True)
    assert {growing(rng, 0.0).shape[2] for _ in range(20)} == {5}
    assert {growing(rng, 1.0).shape[2] for _ in range(60)} == {5, 7, 9, 11, 13, 15}


def test_held_out_generators_by_kind():
    assert {generator.shape for generator in held_out_generators(9).values()} == {(9, 9)}
    assert [*held_out_generators(9)] == ["perfect", "loops", "obstacles"]


def test_return_estimate_without_failures_is_no_point() -> None:
    # By Student's interval it would be from 1 to 1.
    held_out = HeldOut.generate(MazeGenerator(5), 100)
    best = evaluate_policy(ShortestPathPolicy(), held_out)
    assert return_estimate(best)[1:] == (pytest.approx(0.963, abs=1e-3), 1.0, 100, 0.95)
    assert percent_text(best.success_by_maze) == "100.00% [96.30, 100.00] n=100"
