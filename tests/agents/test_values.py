"""The table of action values."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents import TableValues, Transitions


@pytest.mark.parametrize("num_actions", [1, 2, 3, 4, 6])
def test_updates_follow_equation_6_8_in_the_order_of_the_batch(num_actions: int) -> None:
    rng = np.random.default_rng(num_actions)
    n, learning_rate, gamma = 300, 0.3, 0.9
    batch = Transitions(
        rng.integers(6, size=n),
        rng.integers(num_actions, size=n),
        rng.normal(size=n),
        rng.integers(6, size=n),
        rng.random(n) < 0.3,
    )
    values = TableValues(
        6, num_actions, learning_rate=learning_rate, gamma=gamma, initial_value=0.5
    )
    expected = np.full((6, num_actions), 0.5)
    for state, action, reward, following, terminated in zip(*batch, strict=True):
        target = reward + (0 if terminated else gamma) * expected[following].max()
        expected[state, action] += learning_rate * (target - expected[state, action])
    values.update(batch)
    np.testing.assert_allclose(values.q, expected, rtol=0, atol=1e-14)


def test_values_are_a_copy() -> None:
    values = TableValues(2, 2, learning_rate=0.5, gamma=0.9)
    values.values(np.array([0]))[0, 0] = 7
    assert values.q[0, 0] == 0


@pytest.mark.parametrize(
    "wrong",
    [{"learning_rate": 0}, {"learning_rate": 1.1}, {"gamma": -0.1}, {"gamma": float("nan")}],
)
def test_numbers_outside_their_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TableValues(2, 2, **{"learning_rate": 0.5, "gamma": 0.9, **wrong})


def test_a_table_of_another_shape_is_refused() -> None:
    values = TableValues(2, 2, learning_rate=0.5, gamma=0.9)
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 2\)"):
        values.set_state({"q": np.ones((3, 2))})
    assert not values.q.any()
