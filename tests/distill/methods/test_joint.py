"""Joint training: a fixed teacher keeps its bits, one that learns, student-informed, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.methods.checks import check_method
from dynamaze.distill.methods.joint import Joint
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method


def observations(rng: np.random.Generator, progress: float) -> Any:
    return rng.random((32, 3), dtype=np.float32)


def labels(seen: Any) -> Any:
    """Prefer the largest of the observed numbers."""
    return 10 * np.asarray(seen)


def loop_of(steps: int = 60, students: int = 1, **settings: Any) -> Distiller:
    own = {f"s{number}": MLP((3,), 3, 4 + number, seed=number) for number in range(students)}
    return Distiller(
        own,
        FunctionSource(labels, observations),
        make_method("joint", **settings),
        teacher=MLP((3,), 3, 16, seed=9),
        total_steps=steps,
        learning_rate=1e-2,
    )


def weights_of(loop: Distiller, name: str) -> Any:
    weights = loop.parts[name].module.parameters()
    return torch.cat([weight.detach().ravel() for weight in weights])


def test_fixed_teacher_keeps_its_bits_and_is_soft() -> None:
    loop = loop_of(5, teacher_rate=0.0)
    before = weights_of(loop, "teacher").clone()
    loop.distil()
    assert torch.equal(weights_of(loop, "teacher"), before)
    source = FunctionSource(MLP((3,), 3, 16, seed=9), observations)
    soft = Distiller({"s0": MLP((3,), 3, 4)}, source, total_steps=5, learning_rate=1e-2)
    soft.distil()
    assert torch.equal(weights_of(loop, "s0"), weights_of(soft, "s0"))


def test_teacher_and_students_learn_the_labels() -> None:
    loop = loop_of(150, students=2, teacher_rate=1e-2)
    losses = [step.terms for step in loop.steps()]
    assert losses[-1]["teacher/labels"] < losses[0]["teacher/labels"] / 3
    seen = observations(np.random.default_rng(1), 0.0)
    best = seen.argmax(axis=1)
    for network in loop.students.values():
        assert (network.action_logits(seen).argmax(axis=1) == best).mean() > 0.8


def test_weight_draws_the_teacher_to_the_students() -> None:
    alone, informed = loop_of(40), loop_of(40, weight=5.0)
    seen = torch.from_numpy(observations(np.random.default_rng(1), 0.0))

    def distance(loop: Distiller) -> float:
        loop.distil()
        with torch.no_grad():
            one, other = (
                torch.log_softmax(loop.parts[name].module(seen), dim=1)
                for name in ("teacher", "s0")
            )
        return float((one.exp() * (one - other)).sum(dim=1).mean())

    assert distance(informed) < distance(alone)


def test_joint_resumes_bit_identically(tmp_path: Path) -> None:
    whole, other = loop_of(6, weight=0.5), loop_of(6, weight=0.5)
    whole.distil(2)
    whole.save(tmp_path / "run")
    whole.distil()
    other.resume(tmp_path / "run").distil()
    for name in ("teacher", "s0"):
        assert torch.equal(weights_of(whole, name), weights_of(other, name))


def test_joint_rejects_what_it_cannot_train() -> None:
    student, source = MLP((3,), 3), FunctionSource(labels, observations)
    with pytest.raises(TypeError, match="expected a network"):
        Distiller(student, source, "joint", total_steps=1)
    with pytest.raises(ValueError, match="weight"):
        loop_of(weight=-1)
    with pytest.raises(ValueError, match="learning_rate"):
        loop_of(teacher_rate=-1)
    with pytest.raises(ValueError, match="share"):
        Distiller(student, source, "joint", teacher=student, total_steps=1)
    unlabelled = FunctionSource(None, observations)
    loop = Distiller(student, unlabelled, "joint", teacher=MLP((3,), 3, seed=1), total_steps=1)
    with pytest.raises(TypeError, match="without labels"):
        loop.distil()


def test_joint_passes_the_checks_of_methods() -> None:
    reason = "the students follow a teacher that is trained, at any weight"
    check_method(Joint, expected_failures={"weight_zero_is_the_default": reason})
