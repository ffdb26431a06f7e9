"""Conformance suite of methods: the default one, and a wrong one for each check."""

import random  # noqa: TID251  # for a wrong method
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from dynamaze.distill.methods.checks import METHOD_CHECKS, check_method, method_report
from dynamaze.distill.methods.soft import Soft
from dynamaze.distill.training.method import Method, Update

WRONG: dict[str, type[Method]] = {}
"""Check -> the wrong method that only this check catches."""


def only(check: str) -> Any:
    def register(cls: type[Method]) -> type[Method]:
        WRONG[check] = cls
        return cls

    return register


def soft(loop: Any, batch: Any, factor: Any = 1.0) -> Iterator[Update]:
    for name in loop.students:
        outputs = loop.answers(name, batch.observations)
        yield Update((name,), {"soft": factor * loop.supervised(name, outputs, batch)})


@only("refuses_missing_needs")
class UsesNetwork(Method):
    """Uses the teacher's network without saying so."""

    def setup(self, loop):
        if loop.students["a"].config["kind"] != "mlp":
            raise TypeError("expected perceptrons")

    def step(self, loop):
        batch = loop.draw()
        loop.teacher_logits(batch.observations)
        yield from soft(loop, batch)


@only("same_seed_gives_same_bits")
class CountsTrainings(Method):
    """Counts the trainings of the process; the third, the second one of this check, is another."""

    trainings = 0

    def step(self, loop):
        CountsTrainings.trainings += loop.step == 0
        yield from soft(loop, loop.draw(), 2.0 if CountsTrainings.trainings == 3 else 1.0)


@only("resumes_to_same_bits")
class Forgets(Method):
    """Keeps a number where no checkpoint finds it."""

    def setup(self, loop):
        self.hidden = iter(range(1, 100)).__next__  # a bound method of a C object

    def step(self, loop):
        yield from soft(loop, loop.draw(), 1.0 / self.hidden())


@only("updates_only_named_parts")
class ChangesUnnamed(Method):
    """Averages a copy by hand."""

    def setup(self, loop):
        copy = nn.Linear(2, 2, bias=False)
        nn.init.ones_(copy.weight)
        loop.add("copy", copy, learning_rate=0)

    def step(self, loop):
        yield from soft(loop, loop.draw())
        with torch.no_grad():
            for weight in loop.parts["copy"].module.parameters():
                weight.mul_(0.5)


@only("exports_only_students")
class AddsToStudent(Method):
    """Puts its projection into the student."""

    def setup(self, loop):
        for student in loop.students.values():
            student.register_buffer("projection", torch.zeros(3))

    def step(self, loop):
        yield from soft(loop, loop.draw())


@only("terms_are_named_numbers")
class Unnamed(Method):
    """A term without a name."""

    def step(self, loop):
        for update in soft(loop, loop.draw()):
            yield Update(update.of, {"": update.terms["soft"]})


@only("weight_zero_is_the_default")
@dataclass
class IgnoresWeight(Method):
    """Its term stays when its weight is 0."""

    weight: float = 1.0

    def step(self, loop):
        yield from soft(loop, loop.draw(), 1.5)


@only("touches_no_global_random_state")
class DrawsGlobally(Method):
    """Draws from the global generator, without consequences."""

    def step(self, loop):
        random.random()
        yield from soft(loop, loop.draw())


@only("works_with_every_kind_of_student")
class OneKind(Method):
    """Fails in a step for students without layers."""

    def step(self, loop):
        batch = loop.draw()
        for student in loop.students.values():
            assert student.layers
        yield from soft(loop, batch)


def test_default_method_passes_all_checks():
    assert not method_report(Soft).failures
    assert not method_report(Method, kind="value_iteration").failures


@pytest.mark.parametrize("check", METHOD_CHECKS)
def test_wrong_method_fails_only_its_check(check):
    CountsTrainings.trainings = 0
    assert method_report(WRONG[check]).failures == [check]


def test_check_method_raises_report():
    with pytest.raises(AssertionError, match=r"terms_are_named_numbers +FAILED: term ''"):
        check_method(Unnamed)
    with pytest.raises(ValueError, match="check='nothing'; expected one of"):
        check_method(Method, expected_failures={"nothing": "no reason"})


def test_expected_failure_is_reported_with_reason():
    expected = {"weight_zero_is_the_default": "scales the whole loss"}
    report = check_method(IgnoresWeight, expected_failures=expected)
    assert "expected failure: scales the whole loss" in str(report)
