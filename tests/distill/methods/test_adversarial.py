"""Adversarial distillation, and imitation of sampled actions."""

import numpy as np
import pytest
import torch

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.policy import softmax
from dynamaze.distill.methods.adversarial import Adversarial, expected_score, sample_one_hot
from dynamaze.distill.methods.checks import check_method
from dynamaze.distill.methods.critics import accuracy, fake_term, real_term
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method

OBSERVATIONS = np.random.default_rng(0).normal(size=(64, 2)).astype("f4")
LABELS = OBSERVATIONS @ np.array([[2.0, -2.0, 0.0], [0.0, 2.0, -2.0]])
DATA = Dataset(make_batch(OBSERVATIONS, LABELS), batch_size=64)


def _distiller(method="adversarial", students=None, steps=6, **config):
    students = (
        {"a": MLP((2,), 3, 4), "b": MLP((2,), 3, 9, seed=1)} if students is None else students
    )
    made = make_method(method, **config)
    return Distiller(students, DATA, made, total_steps=steps, learning_rate=0.02)


def test_terms_are_log_2_where_critic_is_undecided():
    undecided = torch.zeros(5)
    assert real_term(undecided) == fake_term(undecided) == pytest.approx(np.log(2))
    assert accuracy(torch.tensor([1.0, -1.0]), torch.tensor([-1.0, -1.0])) == 0.75


def test_expected_score_equals_sum_over_actions():
    def critic(observations, answers):
        return answers @ torch.tensor([0.0, 1.0, 2.0]) + observations[:, 0]

    seen = torch.tensor([[0.5], [-1.0]])
    policy = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]], requires_grad=True)
    expected_score(critic, seen, policy).backward()
    costs = np.log1p(np.exp(-(np.arange(3.0) + seen.numpy())))  # -log D of each action
    np.testing.assert_allclose(policy.grad, costs / 2, rtol=1e-6)


def test_sampled_actions_follow_probabilities():
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
    uniforms = np.array([0.0, 0.1999, 0.2001, 0.6999, 0.7001, 0.9999])
    drawn = sample_one_hot(logits.expand(6, 3), uniforms).argmax(dim=1)
    assert drawn.tolist() == [0, 0, 1, 1, 2, 2]


def test_promises_of_methods():
    check_method(Adversarial)
    reason = "hides the soft targets"
    check_method(
        lambda: Adversarial(actions_only=True),
        expected_failures={"weight_zero_is_the_default": reason},
    )


def test_actions_alone_teach_the_policy():
    student = MLP((2,), 3, 16)
    distiller = _distiller(students=student, steps=400, actions_only=True, weight=1.0)
    before = np.abs(student.action_probabilities(OBSERVATIONS) - softmax(LABELS)).mean()
    terms = set()
    distiller.distil(callback=lambda step: terms.update(step.terms))
    after = np.abs(student.action_probabilities(OBSERVATIONS) - softmax(LABELS)).mean()
    assert after < 0.5 * before
    assert terms == {"student/adversarial", "student.critic/real", "student.critic/fake"}


@pytest.mark.parametrize(
    ("students", "config", "error", "message"),
    [
        (None, {"weight": -1}, ValueError, "weight"),
        (None, {"learning_rate": 0}, ValueError, "learning_rate"),
        (GaussianStudent(MLP((2,), 2), [-1], [1]), {}, TypeError, "continuous"),
    ],
)
def test_refusals(students, config, error, message):
    labels = LABELS if students is None else np.zeros((64, 2))
    source = Dataset(make_batch(OBSERVATIONS, labels))
    if students is not None:
        source = Dataset(source.rows, distribution="gaussian")
    with pytest.raises(error, match=message):
        Distiller(
            students or MLP((2,), 3), source, make_method("adversarial", **config), total_steps=1
        )
