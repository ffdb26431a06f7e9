"""Ensembles of policies."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.teachers.ensemble import Ensemble


def test_ensemble_is_mean_of_probabilities() -> None:
    members = [lambda _: np.log([[0.9, 0.1]]), lambda _: np.log([[0.2, 0.8]])]
    ensemble = Ensemble(members)
    np.testing.assert_allclose(ensemble.action_probabilities(np.zeros((1, 2))), [[0.55, 0.45]])
    assert ensemble.act(np.zeros(2)) == 0


def test_ensemble_rejects() -> None:
    with pytest.raises(ValueError, match="an ensemble of no policies"):
        Ensemble([])
    with pytest.raises(TypeError, match="continuous actions; expected Discrete"):
        Ensemble([GaussianStudent(MLP((2,), 2), [-1], [1])])
    ensemble = Ensemble([MLP((2,), 2), MLP((2,), 3)])
    with pytest.raises(ValueError, match=r"answers of shapes \[\(1, 2\), \(1, 3\)\]; expected"):
        ensemble.action_logits(np.zeros((1, 2)))
