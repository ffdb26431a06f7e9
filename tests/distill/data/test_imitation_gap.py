"""Imitation gap: closed forms on small tables, and the policy of the mean labels."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.distributions import GAUSSIAN
from dynamaze.distill.data.imitation_gap import imitation_gap

LEFT, RIGHT = np.log([0.9, 0.1]), np.log([0.1, 0.9])


def dataset(observations: list[int], labels: list[np.ndarray]) -> Dataset:
    rows = np.float32(observations)[:, None]
    return Dataset(make_batch(rows, np.stack(labels)))


def test_gap_of_consistent_labels_is_zero() -> None:
    gap = imitation_gap(dataset([0, 1, 0, 1], [LEFT, RIGHT, LEFT, RIGHT]))
    assert gap.observations == 2
    assert gap.contradiction == 0
    assert gap.divergence == pytest.approx(0, abs=1e-7)
    found = gap.policy.action_probabilities(np.float32([[1], [0], [7]]))
    np.testing.assert_allclose(found, [[0.1, 0.9], [0.9, 0.1], [0.5, 0.5]], rtol=1e-6)


def test_gap_of_contradicting_labels_has_closed_form() -> None:
    gap = imitation_gap(dataset([0, 0, 1, 1], [LEFT, RIGHT, LEFT, LEFT]))
    assert gap.contradiction == pytest.approx(1 / 4)
    # Half of the rows are at the mean (0.5, 0.5) of their labels.
    aliased = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)
    assert gap.divergence == pytest.approx(aliased / 2, rel=1e-5)
    found = gap.policy.action_probabilities(np.float32([[0]]))
    np.testing.assert_allclose(found, [[0.5, 0.5]], rtol=1e-6)


def test_gap_counts_weights() -> None:
    rows = make_batch(np.zeros((2, 1), np.float32), np.stack([LEFT, RIGHT]), weights=[3, 1])
    gap = imitation_gap(Dataset(rows))
    assert gap.contradiction == pytest.approx(1 / 4)
    found = gap.policy.action_probabilities(np.zeros((1, 1), np.float32))
    np.testing.assert_allclose(found, [[0.7, 0.3]], rtol=1e-6)


def test_gap_rejects_unlabelled_and_continuous_rows() -> None:
    with pytest.raises(ValueError, match="without labels"):
        imitation_gap(Dataset(make_batch(np.zeros((2, 1)), None)))
    with pytest.raises(TypeError, match="gaussian"):
        imitation_gap(Dataset(make_batch(np.zeros((2, 1)), np.zeros((2, 2))), (), 1, GAUSSIAN))
