"""Size on four axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.core.size import MEASURED, Size, measure, microseconds, num_bytes
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import to_stored

from ..student_cases import observations, shape_of, student


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mlp", (1247, 4988, 147 * 8 + 8 * 7)), ("value iteration", (113, 452, 121 * 36 * (2 + 71)))],
)
def test_measure_counts_parameters(name: str, expected: tuple[int, ...]) -> None:
    network, seen = student(name), observations(name, 1)[0]
    size = measure(network, seen)
    assert size[:3] == expected
    assert size.microseconds > 0
    compiled = build_policy(to_stored(network))
    assert measure(compiled, seen)[:3] == expected
    assert measure(network, seen, runs_as=compiled)[:3] == expected
    assert shape_of(name) == seen.shape


class Clock:
    """Clock that advances only with work."""

    def __init__(self) -> None:
        self.now, self.calls, self.slow = 0.0, 0, 1.0

    def __call__(self) -> float:
        return self.now

    def work(self) -> None:
        self.calls += 1
        self.slow = 5.0 if self.calls % 1000 < 500 else 1.0
        self.now += self.slow * 3e-6


def test_microseconds_is_minimum() -> None:
    clock = Clock()
    # Half of the calls take 15 microseconds, the others 3: with 256 calls in each measurement
    # one at least is of fast calls only.
    assert microseconds(clock.work, clock=clock) == pytest.approx(3.0)
    assert clock.calls > MEASURED


def test_one_thread_limits_torch() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen: set[int] = set()
    clock = Clock()

    def work() -> None:
        seen.add(torch.get_num_threads())
        clock.work()

    try:
        microseconds(work, clock=clock)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == {1}


def test_num_bytes_of_stored_numbers() -> None:
    class Declared:
        num_bytes = 113
        num_parameters = 113

    class Undeclared:
        num_parameters = 100

    assert num_bytes(Declared()) == 113
    assert num_bytes(Undeclared()) == 400
    assert num_bytes(torch.nn.Linear(3, 2).double()) == 64


def test_size_text_has_four_axes() -> None:
    assert str(Size(1247, 4988, 1232, 0.7251)) == (
        "1,247 parameters, 4,988 bytes, 1,232 multiply-adds, 0.725 microseconds"
    )


def test_measure_uses_given_observation() -> None:
    class Policy:
        num_parameters = 1
        seen: Any = None

        def multiply_adds(self, shape: tuple[int, ...]) -> int:
            return int(np.prod(shape))

        def act(self, observation: Any) -> int:
            self.seen = observation
            return 0

    policy, observation = Policy(), np.ones((2, 5))
    assert measure(policy, observation).multiply_adds == 10
    assert policy.seen is observation
