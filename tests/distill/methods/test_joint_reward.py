"""Teacher that learns from rewards while students follow it: exact terms, bits, resume, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

pytest.importorskip("torch")
import torch

from dynamaze.distill.data.on_policy import OnPolicy
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.methods.checks import STEPS, MethodSetting, make_loop, method_report
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import Method, make_method
from tests.distill.small_envs import BoxClock, clocks

QUICK = {"epochs": 2, "minibatches": 2, "critic_width": 4}
SEEN = np.float32([[0, 4], [2, 5]])


def source_of(teacher: Student, steps: int = 12, **env: Any) -> OnPolicy:
    return OnPolicy(clocks(AutoresetMode.NEXT_STEP, **env), teacher, steps=steps)


def loop_of(steps: int = 4, students: int = 1, **settings: Any) -> Distiller:
    own = {f"s{number}": MLP((2,), 2, 3 + number, seed=number) for number in range(students)}
    teacher = MLP((2,), 2, 8, seed=9)
    method = make_method("joint_reward", **{**QUICK, "teacher_rate": 1e-2, **settings})
    source = source_of(teacher)
    return Distiller(
        own, source, method, teacher=teacher, total_steps=steps, learning_rate=1e-2, device="cpu"
    )


def weights_of(loop: Distiller, name: str) -> Any:
    weights = loop.parts[name].module.parameters()
    return torch.cat([weight.detach().ravel() for weight in weights])


def test_teacher_and_students_learn_rewarded_action() -> None:
    loop = loop_of(20, students=2, critic_warm_up=1)
    loop.distil()
    for network in (loop.parts["teacher"].module, *loop.students.values()):
        assert network.action_probabilities(SEEN)[:, 1].min() > 0.8  # type: ignore[union-attr, operator]


def test_teacher_learns_as_by_ppo() -> None:
    joint = loop_of(students=2)
    alone = MLP((2,), 2, 8, seed=9)
    settings: Any = {"total_steps": 4, "learning_rate": 1e-2}
    ppo = Distiller(alone, source_of(alone), make_method("ppo", **QUICK), **settings)
    critic = joint.parts["critic/teacher"].module.state_dict()
    ppo.restart("critic/student", critic)
    joint.distil()
    ppo.distil()
    assert torch.equal(weights_of(joint, "teacher"), weights_of(ppo, "student"))


def test_fixed_teacher_keeps_its_bits_and_is_soft() -> None:
    loop = loop_of(teacher_rate=0.0, epochs=1, minibatches=1)
    before = weights_of(loop, "teacher").clone()
    loop.distil()
    assert torch.equal(weights_of(loop, "teacher"), before)
    teacher, student = MLP((2,), 2, 8, seed=9), MLP((2,), 2, 3, seed=0)
    source = OnPolicy(clocks(AutoresetMode.NEXT_STEP), teacher, teacher=teacher, steps=12)
    soft = Distiller({"s0": student}, source, total_steps=4, learning_rate=1e-2).distil()
    # The rows are those of `soft` in another order.
    torch.testing.assert_close(weights_of(loop, "s0"), weights_of(soft, "s0"))


def test_weight_takes_the_divergence_from_rewards_and_adds_it_to_the_loss() -> None:
    loop = loop_of(students=2, weight=0.5, epochs=1, minibatches=1)
    method: Any = loop.method
    batch = loop.draw_unlabelled()
    teacher, *students = (
        torch.log_softmax(loop.parts[name].module(batch.observations), dim=1)
        for name in ("teacher", "s0", "s1")
    )
    divergences = [(teacher.exp() * (teacher - each)).sum(dim=1) for each in students]
    mean = (0.5 * (divergences[0] + divergences[1])).detach()
    found = method.rewards(loop, "teacher", batch).detach()
    torch.testing.assert_close(found, batch.extra["reward"] - 0.5 * mean)
    first = next(iter(loop_of(students=2, weight=0.5, epochs=1, minibatches=1).steps()))
    assert first.terms["teacher/students"] == pytest.approx(0.5 * float(mean.mean()), rel=1e-4)


def test_joint_reward_resumes_bit_identically(tmp_path: Path) -> None:
    whole, other = (loop_of(4, students=2, weight=0.5) for _ in range(2))
    whole.distil(2)
    whole.save(tmp_path / "run")
    whole.distil()
    other.resume(tmp_path / "run").distil()
    for name in whole.parts:
        assert torch.equal(weights_of(whole, name), weights_of(other, name))


def test_joint_reward_rejects_what_it_cannot_train() -> None:
    student, teacher = MLP((2,), 2), MLP((2,), 2, 8, seed=9)
    settings: Any = {"total_steps": 1}
    with pytest.raises(TypeError, match="expected a network"):
        Distiller(student, source_of(student), "joint_reward", **settings)
    with pytest.raises(ValueError, match="the source of the teacher acts with another"):
        Distiller(student, source_of(student), "joint_reward", teacher=teacher, **settings)
    without = FunctionSource(teacher, lambda rng, progress: SEEN)
    with pytest.raises(TypeError, match="expected one with rewards"):
        Distiller(student, without, "joint_reward", **settings)
    with pytest.raises(ValueError, match="share"):
        Distiller(teacher, source_of(teacher), "joint_reward", teacher=teacher, **settings)
    acting = source_of(teacher)
    for other in (GaussianStudent(MLP((2,), 4, 3), [-1, -2], [1, 4]), MLP((2,), 3, 4)):
        with pytest.raises(TypeError, match="the same of teacher and students"):
            Distiller(other, acting, "joint_reward", teacher=teacher, **settings)
    with pytest.raises(ValueError, match="weight=-1"):
        loop_of(weight=-1)
    with pytest.raises(ValueError, match="learning_rate of teacher=-1"):
        loop_of(teacher_rate=-1)


def test_joint_reward_trains_quantised_and_gaussian_students() -> None:
    def gaussian(seed: int) -> Student:
        return GaussianStudent(MLP((2,), 4, 3, seed=seed), [-1, -2], [1, 4])

    cases: Any = (
        ({"a": gaussian(1)}, gaussian(2), {"kind": BoxClock}, "gaussian_kl"),
        ({"a": quantised(MLP((2,), 2, 3), 8)}, MLP((2,), 2, 8, seed=9), {}, "kl"),
    )
    for students, teacher, env, loss in cases:
        method = make_method("joint_reward", weight=0.1, **QUICK)
        source = source_of(teacher, **env)
        loop = Distiller(students, source, method, teacher=teacher, loss=loss, total_steps=2)
        before = weights_of(loop, "a").clone()
        loop.distil()
        assert not torch.equal(weights_of(loop, "a"), before)


def acting_loop(method: Method, setting: MethodSetting) -> Distiller:
    """Return a loop whose teacher acts in clocks; other settings as they are."""
    if setting.kind != "clock":
        return make_loop(method, setting)
    source = source_of(setting.teacher, steps=4)
    return Distiller(
        setting.students, source, method, teacher=setting.teacher, total_steps=STEPS, device="cpu"
    )


def clock_setting() -> MethodSetting:
    students: dict[str, Student] = {"a": MLP((2,), 2, 3, seed=1), "b": MLP((2,), 2, 4, seed=2)}
    teacher = MLP((2,), 2, 8, seed=3)
    return MethodSetting("clock", students, teacher, FunctionSource(teacher, lambda rng, p: SEEN))


def test_promises_of_joint_reward() -> None:
    report = method_report(
        lambda: make_method("joint_reward", **QUICK),
        setting=clock_setting,
        loop=acting_loop,
        expected_failures={
            "weight_zero_is_the_default": "the students follow a teacher that is trained"
        },
    )
    assert not report.failures, report
