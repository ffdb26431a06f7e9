"""Runs of the recurrent learner: labels of the expert, features, lengths and resumed training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dynamaze.benchmarks.distillation.learner_runs import (
    RUN_STEPS,
    MapExpert,
    RunStepper,
    adaptation_envs,
    mixed_steps,
    run_generator,
)
from dynamaze.benchmarks.distillation.learner_sequences import (
    LABELS,
    SHORTEST,
    LearnerSequences,
    labelled_runs,
)
from dynamaze.distill.students.experience_gru import ExperienceGRU, experience_features
from dynamaze.distill.training.distiller import Distiller

SMALL: dict[str, Any] = {"rounds": 2, "runs": 3, "sizes": (5,)}


def test_expert_alone_follows_its_labels() -> None:
    student, expert = ExperienceGRU(4), MapExpert()
    student.grid = expert.grid = (5, 5)
    stepper = RunStepper(adaptation_envs(run_generator(5), 3), seed=0)
    episodes = 0
    for best in mixed_steps(student, expert, stepper, 1.0, np.random.default_rng(0)):
        assert best.any(axis=1).all()
        episodes += int(stepper.episode_start.sum())
    # 2% of the actions are random
    assert (stepper.rewards.reward > 20).all()
    assert episodes >= stepper.rewards.reward.sum()
    assert student.memory is not None
    assert expert.memory is not None
    np.testing.assert_array_equal(student.memory[:, -1], expert.memory[:, -1])


def test_labels_are_of_the_steps_that_act() -> None:
    seen = np.array([[[0, 3, 0], [1, 1, 0], [2, 1, 1], [0, 2, 0]]], dtype=np.float32)
    start = np.array([[True, False, False, True]])
    best = np.packbits(np.eye(4, dtype=bool)[[1, 1, 0, 2]], axis=1).reshape(1, 4)
    best[0, 2] = 0  # the goal: the next step only resets
    batch = labelled_runs({"seen": seen, "start": start, "best": best}, 3)
    assert batch.logits is not None
    assert batch.weights is not None
    assert batch.weights.tolist() == [1, 1, 0, 1]
    assert batch.logits.argmax(axis=1).tolist() == [1, 1, 0, 2]
    expected = experience_features(seen, np.array([[-1, 0, 1, -1]]), (3, 3))
    np.testing.assert_array_equal(batch.observations, expected)


def test_runs_grow_in_batches_of_equal_size() -> None:
    source, rng = LearnerSequences(ExperienceGRU(4), **SMALL), np.random.default_rng(0)
    shapes = [source.batch(rng, progress).observations.shape[:2] for progress in (0, 0.25, 0.9)]
    assert shapes == [
        (LABELS // SHORTEST, SHORTEST),
        (2 * LABELS // RUN_STEPS, RUN_STEPS // 2),
        (LABELS // RUN_STEPS, RUN_STEPS),
    ]


def test_training_resumes_bit_identically(tmp_path: Path) -> None:
    def distiller() -> Distiller:
        student = ExperienceGRU(4, seed=1)
        source = LearnerSequences(student, **SMALL)
        return Distiller(student, source, total_steps=4, loss="set_nll", learning_rate=3e-3)

    whole, first, second = distiller(), distiller(), distiller()
    whole.distil()
    first.distil(2)
    first.save(tmp_path / "c.npz")
    second.resume(tmp_path / "c.npz").distil()
    for one, other in zip(whole.student.parameters(), second.student.parameters(), strict=True):
        assert one.equal(other)
