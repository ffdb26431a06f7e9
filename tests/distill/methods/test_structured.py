"""Structured distillation: hints, pair-wise similarities and holistic critics."""

import numpy as np
import pytest
import torch
from torch import nn

from dynamaze.benchmarks.distillation.mazes import MazeSampler
from dynamaze.distill.core.losses import affinity_mse
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.methods.checks import check_method
from dynamaze.distill.methods.critics import answer_map
from dynamaze.distill.methods.structured import Hints, Holistic, Pairwise
from dynamaze.distill.students.base import as_student
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method
from dynamaze.envs.generation import MazeGenerator

SAMPLER = MazeSampler((MazeGenerator(5),), cells=100)


def _students():
    return {
        "a": Convolution((3, 5, 5), 4, 3),
        "b": Convolution((3, 5, 5), 4, 5, layers=1, seed=1),
    }


def _distiller(method, students=None, teacher=None, **config):
    source = FunctionSource(teacher or Residual(4, 1, seed=2), SAMPLER)
    made = make_method(method, **config)
    return Distiller(students or _students(), source, made, total_steps=6, learning_rate=0.01)


def _state(distiller):
    return {
        f"{name}.{key}": weight.clone()
        for name, part in distiller.parts.items()
        for key, weight in part.module.state_dict().items()
    }


def _assert_same(one, other, *names):
    for key, weight in one.items():
        if key.startswith(names or ("",)):
            assert torch.equal(weight, other[key]), key


def test_affinity_ignores_rotation_and_scale():
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, 3, 4, generator=rng)
    rotation, _ = torch.linalg.qr(torch.randn(5, 5, generator=rng))
    turned = torch.einsum("ij,bjrc->birc", rotation, maps)
    assert affinity_mse(3 * turned, maps) < 1e-12
    wider = torch.cat([turned, torch.zeros(2, 2, 3, 4)], 1)
    assert affinity_mse(wider, maps) < 1e-12
    # Orthogonal instead of parallel features of two rows: all four similarities but the diagonal's.
    one, other = torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.eye(2)
    assert affinity_mse(one, other) == 0.5


def test_hints_of_teachers_own_layer_vanish():
    teacher = Residual(4, 1, seed=2)
    distiller = _distiller("hints", Residual(4, 1, seed=2), teacher)
    projection = distiller.parts["student.projection0"].module
    nn.init.zeros_(projection.bias)
    projection.weight.data.copy_(torch.eye(64)[:, :, None, None])
    (step,) = (next(distiller.steps()),)
    assert step.terms["student/hints"] == 0
    assert set(step.terms) == {"student/soft", "student/hints"}


def test_answer_map_puts_answers_in_their_cells():
    queried = torch.tensor([[[True, False], [False, True]], [[False, True], [False, False]]])
    answers = torch.arange(6.0).reshape(3, 2) + 1
    mapped = answer_map(queried, answers)
    assert mapped.movedim(1, -1)[queried].equal(answers)
    assert mapped.sum() == answers.sum()


@pytest.mark.parametrize(
    ("method", "kind"), [(Hints, "mlp"), (Pairwise, "mlp"), (Holistic, "value_iteration")]
)
def test_promises_of_methods(method, kind):
    check_method(method, setting=kind)


def test_holistic_critic_trains_alone():
    distiller = _distiller("holistic", {"a": Convolution((3, 5, 5), 4, 3)}, weight=1.0)
    updates = distiller.method.step(distiller)
    before = _state(distiller)
    student, critic = next(updates), next(updates)
    assert student.of == ("a",)
    assert critic.of == ("a.critic",)
    critic.terms["fake"].backward()  # of answers without a graph
    assert all(weight.grad is None for weight in distiller.students["a"].parameters())
    _assert_same(before, _state(distiller))


def test_hints_of_several_pairs_and_of_vectors():
    teacher = as_student(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3)))
    source = FunctionSource(teacher, lambda rng, progress: rng.normal(size=(16, 2)).astype("f4"))
    layers = [("layers.0", "module.1"), ("layers.1", "module.2")]
    method = make_method("hints", layers=layers, learning_rate=0.02)
    distiller = Distiller(MLP((2,), 3, 4), source, method, total_steps=80, learning_rate=0.02)
    hints = []
    distiller.distil(callback=lambda step: hints.append(step.terms["student/hints"]))
    assert hints[-1] < 0.5 * hints[0]


@pytest.mark.parametrize(
    ("method", "config", "students", "teacher", "error", "message"),
    [
        ("hints", {}, ValueIterationNetwork(), None, TypeError, "inner layer is unknown"),
        ("pairwise", {}, ValueIterationNetwork(), None, TypeError, "inner layer is unknown"),
        ("hints", {"weight": -1}, None, None, ValueError, "weight"),
        ("pairwise", {"weight": -1}, None, None, ValueError, "weight"),
        ("holistic", {"weight": -1}, None, None, ValueError, "weight"),
        ("hints", {"layers": [("layers.9", "cells")]}, None, None, ValueError, "layers.9"),
        ("hints", {"layers": [("layers.0", "eyes")]}, None, None, ValueError, "'eyes'"),
        ("hints", {"layers": "cells"}, None, None, ValueError, "expected pairs"),
        ("hints", {"layers": {"a": [("layers.0", "cells")]}}, None, None, ValueError, "'b'"),
        ("hints", {"layers": [("layers.0", "first")]}, None, None, ValueError, "same number"),
        ("pairwise", {"layers": [("layers.0", "first")]}, None, None, ValueError, "same number"),
        ("hints", {}, None, lambda seen: np.zeros((len(seen), 4)), TypeError, "a network"),
        ("holistic", {}, MLP((3, 5, 5), 4), None, TypeError, "for each cell"),
    ],
)
def test_refusals(method, config, students, teacher, error, message):
    with pytest.raises(error, match=message):
        _distiller(method, students, teacher, **config)
