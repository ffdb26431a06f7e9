"""Uniform planning: the box's loop, number of steps and needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.agents import LatestOutcome, TableValues, Transitions, UniformPlanning
from dynamaze.agents.core.transitions import one_transition


class Recorder:
    """Values that record their updates."""

    def __init__(self) -> None:
        self.updates: list[Transitions] = []

    def update(self, transitions: Transitions) -> None:
        self.updates.append(transitions)


def corridor_model() -> LatestOutcome:
    model = LatestOutcome(3, 2)
    for state in range(2):
        model.update(one_transition(state, 1, float(state), state + 1, state == 1))
        model.update(one_transition(state, 0, 0.0, 0, False))
    return model


@pytest.mark.parametrize("n", [1, 7])
def test_uniform_planning_makes_n_updates(n: int) -> None:
    values: Any = Recorder()
    mine, theirs = (np.random.Generator(np.random.SFC64(3)) for _ in range(2))
    UniformPlanning(n).plan(values, corridor_model(), mine)
    (updates,) = values.updates
    np.testing.assert_equal(updates, corridor_model().sample(n, theirs))
    assert updates.action.size == n
    assert mine.random() == theirs.random()


def test_uniform_planning_equals_box() -> None:
    at_once, stepwise = (TableValues(3, 2, learning_rate=0.5, gamma=0.9) for _ in range(2))
    mine, theirs = (np.random.Generator(np.random.SFC64(3)) for _ in range(2))
    UniformPlanning(40).plan(at_once, corridor_model(), mine)
    for _ in range(40):
        UniformPlanning(1).plan(stepwise, corridor_model(), theirs)
    np.testing.assert_array_equal(at_once.q, stepwise.q)
    assert at_once.q[0, 1] > 0


def test_zero_planning_steps_need_no_model() -> None:
    values: Any = Recorder()
    nothing: Any = object()
    rng = np.random.Generator(np.random.SFC64(0))
    UniformPlanning(0).plan(values, nothing, rng)
    assert not values.updates
    assert rng.random() == np.random.Generator(np.random.SFC64(0)).random()
    assert UniformPlanning(0).needs == frozenset()
    assert UniformPlanning(1).needs == {"sample"}


@pytest.mark.parametrize("wrong", [-1, 0.5, float("inf")])
def test_uniform_planning_rejects_invalid_steps(wrong: float) -> None:
    with pytest.raises(ValueError, match="planning_steps"):
        UniformPlanning(wrong)  # type: ignore[arg-type]
