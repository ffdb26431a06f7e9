"""One learner for each action."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents.learners.linear import RecursiveLeastSquares
from dynamaze.agents.learners.per_action import PerAction

from .test_linear import data


def test_per_action_learners_independent() -> None:
    x, y = data(60)
    learner = PerAction(lambda i, o: RecursiveLeastSquares(i, o), 3, 2, 2)
    learner.update(x, y)
    for action in range(2):
        mine = x[:, 3 + action] == 1
        alone = RecursiveLeastSquares(3, 2)
        alone.update(x[mine, :3], y[mine])
        np.testing.assert_array_equal(
            learner.predict(x[mine]).mean, alone.predict(x[mine, :3]).mean
        )
        np.testing.assert_array_equal(
            learner.predict_mean(x[mine]), alone.predict_mean(x[mine, :3])
        )
    with pytest.raises(ValueError, match="not an action"):
        learner.update(np.ones((1, 5)), np.ones((1, 2)))


def test_rejected_batch_changes_no_learner() -> None:
    x, y = data(20)
    learner = PerAction(lambda i, o: DivergingLearner(i, o), 3, 2, 2)
    before = learner.get_state()
    with pytest.raises(ValueError, match="diverge"):
        learner.update(x, y)
    np.testing.assert_equal(learner.get_state(), before)


class DivergingLearner(RecursiveLeastSquares):
    """Learner that learns a batch, and then refuses it."""

    def _learn(self, rows: np.ndarray, targets: np.ndarray) -> None:
        super()._learn(rows, targets)
        if rows[0, 0] > 0:
            raise ValueError("the weights diverge")
