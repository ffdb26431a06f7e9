"""The student with a memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP


def sequences(batch: int = 4, time: int = 6) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, time, 2, 2)).astype(np.float32)


def test_one_moment_after_the_other_is_the_whole_sequence() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    with torch.no_grad():
        whole = student(torch.tensor(seen)).numpy().reshape(4, 6, 3)
    steps = np.stack([student.action_logits(seen[:, time]) for time in range(6)], axis=1)
    np.testing.assert_allclose(steps, whole, atol=1e-6)
    assert not np.allclose(steps[:, 1], student_alone(student, seen[:, 1]))


def student_alone(student: GRU, moment: np.ndarray) -> np.ndarray:
    """What it answers if it remembers nothing."""
    with torch.no_grad():
        return student(torch.tensor(moment)).numpy()


def test_it_forgets_where_an_episode_begins_and_only_there() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    student.action_logits(seen[:, 0])
    kept = student.memory
    student.reset(np.array([True, False, False, True]))
    assert kept is not None
    assert kept[0].any()  # what was handed out stays as it was
    answers = student.action_logits(seen[:, 1])
    fresh = student_alone(student, seen[:, 1])
    is_fresh = np.isclose(answers, fresh, atol=1e-6).all(axis=1)
    np.testing.assert_array_equal(is_fresh, [True, False, False, True])
    student.reset()
    np.testing.assert_allclose(student.action_logits(seen[:, 1]), fresh, atol=1e-6)


def test_training_does_not_touch_what_it_remembers() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    student.action_logits(seen[:, 0])
    before = student.memory
    student(torch.tensor(seen)).sum().backward()
    assert student.memory is before
    assert "memory" not in student.state_dict()


def test_another_number_of_observations_is_refused() -> None:
    student, seen = GRU((2, 2), 3, 5), sequences()
    student.action_logits(seen[:, 0])
    with pytest.raises(ValueError, match="2 observations, and a memory of 4"):
        student.action_logits(seen[:2, 1])
    student.reset()
    student.action_logits(seen[:2, 1])


def cued(rng: np.random.Generator, batch: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """A cue at first, then nothing; at the end it must be told what the cue was."""
    cue = rng.integers(2, size=batch)
    seen = np.zeros((batch, 4, 1), dtype=np.float32)
    seen[:, 0, 0] = 2.0 * cue - 1.0
    return torch.tensor(seen), torch.tensor(cue)


def test_with_a_memory_it_solves_what_none_without_can() -> None:
    rng = np.random.default_rng(0)
    student, blind = GRU((1,), 2, 4), MLP((1,), 2, 4)
    for learner in (student, blind):
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
        for policy in (student, blind)
    )
    np.testing.assert_array_equal(found, cue)
    assert len(set(guessed)) == 1
