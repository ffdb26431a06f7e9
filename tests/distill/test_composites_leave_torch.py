"""Students that are made of others, from their files, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.files import save_student, stored_form
from dynamaze.distill.numba_policy import load_policy, policy_of
from dynamaze.distill.parity import check_parity
from dynamaze.distill.policy_file import open_policy
from dynamaze.distill.students.actor_critic import ActorCritic
from dynamaze.distill.students.gaussian import GaussianStudent
from dynamaze.distill.students.making import make_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.weights import StudentFileError

SEEN = np.random.default_rng(0).normal(size=(10_000, 3)).astype(np.float32)
BOUNDS = ([-1.0, 0.0], [1.0, 5.0])


@pytest.mark.parametrize("squashed", [False, True])
def test_ten_thousand_gaussians_are_the_students(squashed: bool, tmp_path: Path) -> None:
    student = GaussianStudent(MLP((3,), 4, 8, seed=1), *BOUNDS, squashed=squashed)
    save_student(tmp_path / "s.safetensors", student)
    policy = load_policy(tmp_path / "s.safetensors")
    for mine, its in zip(policy.action_gaussian(SEEN), student.action_gaussian(SEEN), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-5)
    for one in SEEN[:50]:
        np.testing.assert_allclose(policy.act(one), student.act(one), atol=1e-5)
    assert policy.num_parameters == student.num_parameters
    assert policy.multiply_adds((3,)) == student.multiply_adds((3,))
    with pytest.raises(TypeError, match="no logits; ask its action_gaussian"):
        policy.action_logits(SEEN)


def test_one_that_remembers_does_so_without_torch(tmp_path: Path) -> None:
    inner = make_student("gru", observation_shape=(3,), num_actions=4, width=5)
    student = GaussianStudent(inner, *BOUNDS)
    policy = policy_of(stored_form(student))
    for moment in SEEN[:60].reshape(10, 6, 3):
        np.testing.assert_allclose(
            policy.action_gaussian(moment)[0], student.action_gaussian(moment)[0], atol=1e-5
        )
    policy.reset()
    assert policy.memory is None


def test_of_an_actor_with_a_critic_the_actor_acts(tmp_path: Path) -> None:
    student = ActorCritic(MLP((3,), 5, 8, seed=2), MLP((3,), 1))
    save_student(tmp_path / "s.safetensors", student)
    policy = open_policy(tmp_path / "s.safetensors").policy
    assert check_parity(student, policy, SEEN).same_actions == len(SEEN)
    assert policy.num_parameters == student.actor.num_parameters


def test_parts_that_need_torch_are_told(tmp_path: Path) -> None:
    student = ActorCritic(make_student("residual", channels=4, blocks=1), MLP((3, 5, 5), 1))
    with pytest.raises(
        StudentFileError, match="of kind 'actor_critic' with one of kind 'residual', which needs"
    ):
        policy_of(stored_form(student))


@pytest.mark.parametrize("part", [None, "mlp", {}, {"kind": "gaussian"}, {"kind": "mlp"}])
def test_a_damaged_description_is_refused(part: Any) -> None:
    stored = stored_form(GaussianStudent(MLP((3,), 4, 8), *BOUNDS))
    with pytest.raises(StudentFileError):
        policy_of(stored._replace(config={**stored.config, "inner": part}))
    with pytest.raises(StudentFileError, match="4 outputs; expected 2"):
        policy_of(stored._replace(config={**stored.config, "low": [0.0], "high": [1.0]}))
