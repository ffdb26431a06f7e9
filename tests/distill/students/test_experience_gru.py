"""The recurrent learner: its features, and its state, which outlives episodes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dynamaze.distill.core.observations import EXPERIENCE_FEATURES
from dynamaze.distill.students.experience_gru import ExperienceGRU, experience_features

GRID = (5, 7)
RUN = [[8, 2, 0], [9, 1, 0], [9, 1, 0], [16, 2, 1]]
"""Cell, last action and last reward: to the right, into a wall, and down to the goal."""


def features(before: list[int]) -> np.ndarray:
    return experience_features(np.array(RUN), np.array(before), GRID)


def test_features_of_steps() -> None:
    found = features([-1, 8, 9, 9])
    assert found.shape == (4, EXPERIENCE_FEATURES)
    assert found.dtype == np.float32
    # last action up, right, down, left; last reward; stayed
    assert found[:, -6:].tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 1],
        [0, 0, 1, 0, 1, 0],
    ]
    np.testing.assert_allclose(found[:, 16:18], np.tile([5 / 32, 7 / 32], (4, 1)))


def test_features_tell_cells_apart() -> None:
    cells = np.arange(31 * 31)
    seen = np.stack([cells, 0 * cells, 0 * cells], axis=1)
    waves = experience_features(seen, cells - 1, (31, 31))[:, :16]
    np.testing.assert_allclose(waves[1][:4], 0, atol=1e-6)  # row 0: sines are 0
    np.testing.assert_allclose(waves[2 * 31, :4], np.sin(np.pi * 2 / np.array([2, 4, 8, 16])))
    assert len(np.unique(waves.round(4), axis=0)) == len(cells)


def test_policy_equals_network_on_whole_run() -> None:
    student = ExperienceGRU(6, seed=1)
    student.grid = GRID
    found = []
    for number, row in enumerate(RUN):
        if number == 2:
            student.reset(np.array([True]))
        found.append(student.action_logits([row])[0])
    with torch.no_grad():
        expected = student(torch.from_numpy(features([-1, 8, -1, 9]))[None])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_state_outlives_episodes() -> None:
    student = ExperienceGRU(6)
    student.grid = GRID
    first = student.action_logits([RUN[0], RUN[1]])
    student.reset(np.array([True, False]))
    assert student.memory is not None
    assert student.memory[:, -1].tolist() == [0, 10]
    second = student.action_logits([RUN[0], RUN[1]])
    assert (abs(second - first) > 1e-6).all()
    student.forget()
    np.testing.assert_array_equal(student.action_logits([RUN[0], RUN[1]]), first)


def test_wrong_input_changes_nothing() -> None:
    student = ExperienceGRU(6)
    with pytest.raises(ValueError, match=r"expected policy.grid = \(rows, cols\)"):
        student.action_logits([RUN[0]])
    student.grid = GRID
    student.action_logits([RUN[0]])
    before = student.memory
    for wrong, message in (
        ([[35, 0, 0]], "cell 35 of a maze of 35"),
        ([RUN[0], RUN[1]], r"memory of shape \(1, 7\); expected \(2, 7\)"),
    ):
        with pytest.raises(ValueError, match=message):
            student.action_logits(wrong)
        assert student.memory is before
    with pytest.raises(ValueError, match="width=0"):
        ExperienceGRU(0)
