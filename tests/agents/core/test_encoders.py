"""Discrete and continuous actions, and decoding of vectors to observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from dynamaze.agents import RegressionModel, StoredVectors, Transitions, Vectors
from dynamaze.agents.core.encoders import DiscreteActions, VectorActions, as_actions
from dynamaze.agents.learners.linear import RecursiveLeastSquares
from dynamaze.agents.models import LEARNED_MODELS

BOX = spaces.Box(0, 10, (2,), np.float64)
PUSHES = VectorActions(2)


def pushed(n: int, seed: int = 0) -> Transitions:
    """Transitions of a point that moves by its action at a cost, and terminates beyond 7."""
    rng = np.random.default_rng(seed)
    at, push = rng.uniform(2, 8, (n, 2)), rng.uniform(-1, 1, (n, 2))
    return Transitions(at, push, push.sum(axis=1), at + push / 2, at[:, 0] > 7)


@pytest.mark.parametrize(
    ("name", "rows", "most"),
    [
        ("linear", 800, 0.1),
        ("recursive_linear", 800, 0.05),
        ("bayesian_linear", 800, 0.05),
        ("gaussian_process", 300, 0.1),
        ("ensemble", 800, 0.1),
    ],
)
def test_models_learn_continuous_actions(name: str, rows: int, most: float) -> None:
    model = LEARNED_MODELS[name].on_vectors(Vectors(BOX), PUSHES, np.random.SeedSequence(0))
    assert model.num_actions == 0
    model.update(pushed(rows))
    new = pushed(200, seed=1)
    predicted = model.predict(new.observation, new.action)
    assert np.abs(predicted.next_observation - new.next_observation).mean() < most
    assert np.abs(predicted.reward - new.reward).mean() < most
    assert not predicted.visits.any()
    seen = pushed(rows)
    assert (model.predict(seen.observation[:3], seen.action[:3]).visits == 1).all()
    drawn = model.sample(50, np.random.default_rng(0))
    assert drawn.action.shape == (50, 2)
    assert drawn.action.dtype == np.float64


def test_state_restores_continuous_action_model() -> None:
    one, other = (RegressionModel(RecursiveLeastSquares(4, 4), PUSHES) for _ in range(2))
    one.update(pushed(90))
    other.set_state(one.get_state())
    for each in (one, other):
        each.update(pushed(20, seed=2))
    np.testing.assert_equal(one.get_state(), other.get_state())
    with pytest.raises(ValueError, match=r"action is an array of dtype float64.* int64"):
        RegressionModel(RecursiveLeastSquares(4, 4), 2).set_state(one.get_state())


def test_stored_vectors_distinguish_continuous_actions() -> None:
    model = StoredVectors(1, PUSHES)
    pushes = np.array([[0.5, 0.5], [0.5, -0.5]])
    model.update(
        Transitions(
            np.zeros((2, 1)), pushes, np.array([1.0, 2.0]), np.ones((2, 1)), pushes[:, 1] < 0
        )
    )
    predicted = model.predict(np.zeros((2, 1)), pushes[::-1])
    assert predicted.reward.tolist() == [2, 1]
    assert predicted.visits.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("actions", "given", "message"),
    [
        (PUSHES, np.zeros((3, 3)), r"actions of shape \(3, 3\); expected \(3, 2\)"),
        (PUSHES, np.zeros(3), r"actions of shape \(3,\); expected \(3, 2\)"),
        (PUSHES, np.float64(1), r"actions of shape \(\)"),
        (PUSHES, np.array([[0.0, 1.0], [0.0, np.nan]]), r"actions row 1: \[0.0, nan\]"),
        (PUSHES, np.array([["a", "b"]]), "expected real numbers"),
        (DiscreteActions(3), np.array([0, 3]), "action 3; expected 0 to 2"),
        (DiscreteActions(3), np.array([0.0]), "expected integers"),
        (DiscreteActions(3), np.array([[0]]), r"expected \(batch,\)"),
    ],
)
def test_actions_reject_invalid_input(actions: Any, given: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        actions.checked(given)


def test_as_actions_accepts_number() -> None:
    assert (as_actions(4).count, as_actions(4).size) == (4, 4)
    assert as_actions(PUSHES) is PUSHES
    inputs = np.zeros((2, 3))
    DiscreteActions(3).fill(inputs, np.array([2, 0]))
    assert inputs.tolist() == [[0, 0, 1], [1, 0, 0]]
    for kind in (DiscreteActions, VectorActions):
        with pytest.raises(
            ValueError, match=r"=0; expected a whole number (in \[1, |of at least 1)"
        ):
            kind(0)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(5, start=3),
        spaces.MultiDiscrete([3, 4], start=[1, -2]),
        spaces.Box(-2, 3, (2, 3), np.float32),
        spaces.Box(0, 255, (2, 1), np.uint8),
        spaces.Box(-np.inf, np.inf, (2,), np.float64),
    ],
)
def test_vectors_decode_to_observations(space: spaces.Space[Any]) -> None:
    space.seed(0)
    vectors, observations = Vectors(space), np.array([space.sample() for _ in range(40)])
    back = vectors.observations(vectors.many(observations)[0])
    np.testing.assert_array_equal(back, observations)
    assert all(space.contains(each) for each in back)
    near = vectors.many(observations)[0] + np.random.default_rng(0).uniform(-0.4, 0.4, (40, 1))
    assert all(space.contains(each) for each in vectors.observations(near))


def test_vectors_decode_to_nearest_observation() -> None:
    counts = Vectors(spaces.MultiDiscrete([3, 4], start=[1, -2]))
    assert counts.observations(np.array([[9.0, 0.6], [1.4, -7.0]])).tolist() == [[3, 1], [1, -2]]
    rows = Vectors(spaces.Discrete(3, start=5))
    assert rows.observations(np.array([[0.2, 0.9, 0.3]])).tolist() == [6]


@pytest.mark.parametrize(
    "observations",
    [np.zeros(3), np.zeros((3, 4)), np.zeros((2, 1, 2)), 0.0, [[0.0, np.inf]], [["a", "b"]]],
)
def test_vectors_refuse_other_shapes(observations: Any) -> None:
    with pytest.raises(ValueError, match="expected one of Box"):
        Vectors(spaces.Box(-1, 1, (2,))).many(observations)


def test_vectors_without_rows_are_refused() -> None:
    with pytest.raises(TypeError, match=r"observation space Box.* has no rows"):
        Vectors(spaces.Box(-1, 1, (2,))).of_rows(np.array([0]))
