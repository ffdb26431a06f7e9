"""The recurrent student."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP


def sequences(batch: int = 4, time: int = 6) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, time, 2, 2)).astype(np.float32)


def test_gru_steps_equal_sequence() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    with torch.no_grad():
        whole = student(torch.tensor(seen)).numpy().reshape(4, 6, 3)
    steps = np.stack([student.action_logits(seen[:, time]) for time in range(6)], axis=1)
    np.testing.assert_allclose(steps, whole, atol=1e-6)
    assert not np.allclose(steps[:, 1], student_alone(student, seen[:, 1]))


def student_alone(student: GRU, observed: np.ndarray) -> np.ndarray:
    """Return the logits from a zero state."""
    with torch.no_grad():
        return student(torch.tensor(observed)).numpy()


def test_gru_reset_only_at_episode_start() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    student.action_logits(seen[:, 0])
    before = student.memory
    student.reset(np.array([True, False, False, True]))
    assert before is not None
    assert before[0].any()  # returned arrays are not changed later
    logits = student.action_logits(seen[:, 1])
    fresh = student_alone(student, seen[:, 1])
    is_fresh = np.isclose(logits, fresh, atol=1e-6).all(axis=1)
    np.testing.assert_array_equal(is_fresh, [True, False, False, True])
    student.reset()
    np.testing.assert_allclose(student.action_logits(seen[:, 1]), fresh, atol=1e-6)


def test_gru_training_keeps_policy_state() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    student.action_logits(seen[:, 0])
    before = student.memory
    student(torch.tensor(seen)).sum().backward()
    assert student.memory is before
    assert "memory" not in student.state_dict()


def test_gru_refuses_other_batch_size() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    student.action_logits(seen[:, 0])
    with pytest.raises(ValueError, match="2 observations, and a state of 4"):
        student.action_logits(seen[:2, 1])
    student.reset()
    student.action_logits(seen[:2, 1])


def cued(rng: np.random.Generator, batch: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences that start with a cue, which is the label of the last step."""
    cue = rng.integers(2, size=batch)
    seen = np.zeros((batch, 4, 1), dtype=np.float32)
    seen[:, 0, 0] = 2.0 * cue - 1.0
    return torch.tensor(seen), torch.tensor(cue)


def test_gru_solves_memory_task() -> None:
    rng = np.random.default_rng(0)
    student, memoryless = GRU((1,), 2, 4), MLP((1,), 2, 4)
    for learner in (student, memoryless):
        optimizer = torch.optim.Adam(learner.parameters(), lr=0.03)
        for _ in range(150):
            seen, cue = cued(rng)
            flat = seen if learner is student else seen.flatten(0, 1)
            last = learner(flat).reshape(64, 4, 2)[:, -1]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(last, cue).backward()
            optimizer.step()
    seen, cue = cued(rng, 200)
    found, guessed = (
        [policy.action_logits(seen[:, time].numpy()) for time in range(4)][-1].argmax(axis=1)
        for policy in (student, memoryless)
    )
    np.testing.assert_array_equal(found, cue)
    assert len(set(guessed)) == 1
