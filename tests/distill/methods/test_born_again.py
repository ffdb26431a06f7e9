"""Born-again networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.methods.born_again import BornAgain, generation_name
from dynamaze.distill.methods.checks import check_method
from dynamaze.distill.students.base import ModuleStudent
from dynamaze.distill.training.distiller import Distiller

from .small_data import FixedSource, bits, divergence, log_softmax, mlps


def loop_of(method: Any, steps: int = 6, students: Any = None) -> Distiller:
    return Distiller(
        students or mlps("a"), FixedSource(), method, total_steps=steps, learning_rate=0.05
    )


def test_first_generation_is_soft() -> None:
    expected = loop_of("soft", 3).distil().student
    loop = loop_of(BornAgain(generations=2)).distil()
    assert bits(loop.parts[generation_name("a", 1)].module) == bits(expected)
    assert bits(loop.student) != bits(expected)


def test_later_generations_begin_with_new_weights_and_follow_the_former() -> None:
    loop = loop_of(BornAgain(weight=0.5, generations=2))
    initial = bits(loop.student)
    for step in loop.steps():
        assert set(step.terms) == {"a/soft", "a/former"} - (
            {"a/former"} if step.step < 4 else set()
        )
        if step.step == 3:
            break
    observations = loop.sources["source"].observations
    former = log_softmax(loop.student, observations)
    captured: list[Any] = []
    answers = loop.answers

    def recording(name: str, given: Any) -> Any:
        captured.append((name, bits(loop.parts[name].module)))
        if name == "a":
            captured.append(log_softmax(loop.student, observations))
        return answers(name, given)

    loop.answers = recording  # type: ignore[method-assign]
    step = next(loop.steps())
    (_, fresh), new, _ = captured
    assert fresh != initial
    assert step.terms["a/former"] == pytest.approx(0.5 * divergence(former, new), rel=1e-4)


def test_schedules_begin_anew() -> None:
    loop = loop_of(BornAgain(generations=3))
    found = [(loop.fraction, loop.progress)]
    found += [(loop.fraction, loop.progress) for _ in loop.steps()]
    assert [fraction for fraction, _ in found] == [0, 0.5, 0, 0.5, 0, 0.5, 1]
    assert [progress for _, progress in found] == [0, 0.5, 0, 0.5, 0, 0.5, 1]


def test_ensemble_is_mean_of_generations() -> None:
    method = BornAgain(generations=3)
    loop = loop_of(method)
    observations = loop.sources["source"].observations
    assert len(method.ensemble(loop, "a").members) == 1
    loop.distil()
    networks = [loop.parts[generation_name("a", n)].module for n in (1, 2)] + [loop.student]
    expected = np.mean([each.action_probabilities(observations) for each in networks], axis=0)
    found = method.ensemble(loop, "a")
    np.testing.assert_allclose(found.action_probabilities(observations), expected, rtol=1e-6)


def test_weight_zero_is_soft() -> None:
    assert bits(loop_of(BornAgain(weight=0)).distil().student) == bits(
        loop_of("soft").distil().student
    )


@pytest.mark.parametrize("at", [2, 3, 5])
def test_born_again_resumes_bit_identically(tmp_path: Path, at: int) -> None:
    students = mlps("ab")
    whole = loop_of("born_again", students=students).distil()
    loop_of("born_again", students=mlps("ab")).distil(at).save(tmp_path / "loop.npz")
    resumed = loop_of("born_again", students=mlps("ab")).resume(tmp_path / "loop.npz").distil()
    assert {name: bits(part.module) for name, part in resumed.parts.items()} == {
        name: bits(part.module) for name, part in whole.parts.items()
    }


def test_born_again_rejects() -> None:
    with pytest.raises(ValueError, match="total_steps=6; expected a multiple of generations=4"):
        loop_of(BornAgain(generations=4))
    with pytest.raises(ValueError, match="generations=0; expected"):
        loop_of(BornAgain(generations=0))
    with pytest.raises(ValueError, match="weight=-1; expected"):
        loop_of(BornAgain(weight=-1))

    class Scale(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.ones(3))

        def forward(self, observations: torch.Tensor) -> torch.Tensor:
            return observations[:, :3] * self.factor

    with pytest.raises(TypeError, match="of type Scale has no reset_parameters"):
        loop_of("born_again", students={"a": ModuleStudent(Scale())})


def test_born_again_keeps_promises() -> None:
    check_method(BornAgain)
