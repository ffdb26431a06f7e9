"""Layer-wise distillation of transformers."""

import numpy as np
import pytest
import torch

from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.methods.checks import MethodSetting, method_report
from dynamaze.distill.methods.layerwise import Layerwise
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.transformer import Transformer
from dynamaze.distill.training.distiller import Distiller


def planes(rng, progress=0.0):
    seen = np.zeros((2, 3, 4, 4), dtype=np.float32)
    seen[:, 0] = rng.random((2, 4, 4)) < 0.2
    seen[:, 1, 0, :2] = seen[:, 2, 3, 3] = 1
    return seen


def loop(students, teacher, method=None, steps=4):
    method = method or Layerwise()
    source = FunctionSource(teacher, planes)
    return Distiller(students, source, method, total_steps=steps, learning_rate=0.01, device="cpu")


def test_equal_networks_differ_in_nothing_but_the_projection():
    teacher = Transformer(2, 8, 2, seed=3)
    with torch.no_grad():
        for weight in teacher.parameters():
            weight.add_(0.1)
    student = Transformer(2, 8, 2)
    student.load_state_dict(teacher.state_dict())
    made = loop(student, teacher)
    for name, part in made.parts.items():
        if name != "student":
            torch.nn.init.eye_(part.module.weight)
            torch.nn.init.zeros_(part.module.bias)
    steps = []
    made.distil(1, steps.append)
    for name, term in steps[0].terms.items():
        assert term == pytest.approx(0.0, abs=1e-9), name
    assert list(steps[0].terms) == ["student/soft", "student/hidden", "student/attention"]


def test_layers_follow_every_second_of_the_teacher():
    made = loop(Transformer(2, 8, 2), Transformer(4, 16, 2))
    (layers,) = made.method._layers.values()
    assert [layer.teacher_hidden.path for layer in layers] == ["blocks.1", "blocks.3"]
    assert [layer.hidden.path for layer in layers] == ["blocks.0", "blocks.1"]


def test_two_stages():
    steps = []
    method = Layerwise(answers_from=0.5, layers_until=0.5)
    loop(Transformer(1, 8, 1), Transformer(2, 8, 2), method).distil(callback=steps.append)
    found = [sorted(name.removeprefix("student/") for name in step.terms) for step in steps]
    assert found == [["attention", "hidden"]] * 2 + [["soft"]] * 2


def test_attention_of_other_numbers_of_heads_is_averaged():
    teacher, student = Transformer(1, 16, 4, seed=1), Transformer(1, 16, 2, seed=2)
    steps = []
    loop(student, teacher, Layerwise(weight=1.0)).distil(1, steps.append)
    seen = torch.from_numpy(planes(np.random.default_rng(np.random.SeedSequence(0).spawn(1)[0])))
    scores = []
    for network in (teacher, Transformer(1, 16, 2, seed=2)):
        module = network.blocks[0].attention.scores
        handle = module.register_forward_hook(lambda m, i, out: scores.append(out.mean(dim=1)))
        with torch.no_grad():
            network(seen)
        handle.remove()
    expected = float((scores[0] - scores[1]).square().mean())
    assert steps[0].terms["student/attention"] == pytest.approx(expected, rel=1e-5)


def transformers() -> MethodSetting:
    students = {"a": Transformer(1, 8, 1, seed=1), "b": Transformer(2, 8, 2, seed=2)}
    teacher = Transformer(2, 16, 2, seed=3)
    return MethodSetting("transformer", students, teacher, FunctionSource(teacher, planes))


def test_checks():
    assert not method_report(Layerwise, setting=transformers).failures


def test_bad_input():
    teacher = Transformer(2, 8, 2)
    with pytest.raises(ValueError, match="student 'student' of 3 layers and a teacher of 2; exp"):
        loop(Transformer(3, 8, 2), teacher)
    with pytest.raises(TypeError, match="with the MLP 'student'; expected transformers"):
        loop(MLP((3, 4, 4), 4, 4), teacher)
    with pytest.raises(ValueError, match=r"answers_from=0.6, layers_until=0.5; expected"):
        loop(Transformer(1, 8, 2), teacher, Layerwise(answers_from=0.6, layers_until=0.5))
    with pytest.raises(ValueError, match="weight=-1"):
        loop(Transformer(1, 8, 2), teacher, Layerwise(weight=-1))
