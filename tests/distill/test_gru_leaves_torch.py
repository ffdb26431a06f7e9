"""A student with a memory, as a policy without torch, as ONNX and as C: moment by moment alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.distill import evaluate
from dynamaze.distill.export.compiled import load_policy, policy_of
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.files.safetensors import StudentFileError
from dynamaze.distill.files.students import save_student, stored_form
from dynamaze.distill.students.gru import GRU

from .forms import Form, every_form

SHAPE, EPISODES, MOMENTS = (7, 7, 3), 1000, 10


def network(seed: int = 2, shape: tuple[int, ...] = SHAPE) -> GRU:
    return GRU(shape, 4, 8, seed=seed)


@every_form
def test_ten_thousand_answers_are_the_students(form: Form, tmp_path: Path) -> None:
    asked = np.random.default_rng(0).random((MOMENTS * EPISODES, *SHAPE), dtype=np.float32)
    student = network()
    policy = form(student, tmp_path, asked[0])
    parity = check_parity(student, policy, asked)  # a thousand episodes of ten moments
    assert parity.answers == len(asked)
    assert parity.same_actions == len(asked)
    np.testing.assert_allclose(policy.memory, student.memory, atol=1e-5)


@every_form
def test_an_episode_is_acted_in_as_the_student_does(form: Form, tmp_path: Path) -> None:
    asked = np.random.default_rng(1).random((40, *SHAPE), dtype=np.float32)
    student = network()
    policy = form(student, tmp_path, asked[0])
    assert [policy.act(one) for one in asked] == [student.act(one) for one in asked]
    policy.reset()
    assert policy.memory is None
    student.reset()
    alone = student.action_logits(asked[:1])
    np.testing.assert_allclose(policy.action_logits(asked[:1]), alone, atol=1e-5)


@every_form
def test_episodes_begin_with_nothing_remembered(form: Form, tmp_path: Path) -> None:
    asked = np.random.default_rng(2).random((6, *SHAPE), dtype=np.float32)
    policy = form(network(), tmp_path, asked[0])
    fresh = policy.action_logits(asked)
    later = policy.action_logits(asked)
    began = np.array([True, False] * 3)
    assert np.abs(later - fresh).max() > 1e-3
    policy.reset(began)
    mixed = policy.action_logits(asked)
    np.testing.assert_allclose(mixed[began], fresh[began], atol=1e-6)
    assert (np.abs(mixed - fresh).max(axis=1)[~began] > 1e-4).all()
    with pytest.raises(ValueError, match="2 observations, and a memory of 6"):
        policy.action_logits(asked[:2])


@every_form
def test_pictures_go_in_as_they_are(form: Form, tmp_path: Path) -> None:
    asked = np.random.default_rng(3).integers(0, 256, (1000, *SHAPE), dtype=np.uint8)
    student = network()
    policy = form(student, tmp_path, asked[0])
    check_parity(student, policy, asked)


@every_form
def test_it_plays_the_same_episodes(form: Form, tmp_path: Path) -> None:
    def played(policy: Any) -> Any:
        worlds = gym.make_vec(
            "DynaMazeGenerated-v0",
            num_envs=8,
            vectorization_mode="vector_entry_point",
            size=5,
            observation={"kind": "window", "radius": 1},
            max_episode_steps=20,
        )
        return evaluate(policy, worlds, 24, gamma=0.95, seed=0, deterministic=False).lengths

    shape = gym.make(
        "DynaMazeGenerated-v0", size=5, observation={"kind": "window", "radius": 1}
    ).observation_space.shape
    assert shape is not None
    student = network(shape=shape)
    policy = form(student, tmp_path, np.zeros(shape, dtype=np.float32))
    np.testing.assert_array_equal(played(policy), played(student))


def test_a_file_opens_without_torch_and_one_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_student(tmp_path / "s.safetensors", network())
    asked = np.random.default_rng(4).random((5, *SHAPE), dtype=np.float32)
    policy = load_policy(tmp_path / "s.safetensors")
    np.testing.assert_allclose(
        policy.action_logits(asked), network().action_logits(asked), atol=1e-5
    )
    assert policy.num_parameters == network().num_parameters
    assert policy.multiply_adds(SHAPE) == network().multiply_adds(SHAPE)
    stored = stored_form(network())
    weights = {**stored.weights, "last.weight": stored.weights["last.weight"][:, :7]}
    with pytest.raises(StudentFileError, match=r"cell.weight_ih_l0 \(24, 147\); expected \(21"):
        policy_of(stored._replace(weights=weights))
    with pytest.raises(StudentFileError, match="4 actions and 8 numbers remembered; expected 3"):
        policy_of(stored._replace(config={**stored.config, "num_actions": 3}))
