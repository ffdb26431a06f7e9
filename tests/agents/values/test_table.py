"""Table of action values."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents import TableValues, Transitions


@pytest.mark.parametrize("num_actions", [1, 2, 3, 4, 6])
def test_updates_follow_equation_6_8(num_actions: int) -> None:
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
    np.testing.assert_array_equal(values.q, expected)


def test_batch_updates_are_sequential() -> None:
    values = TableValues(2, 1, learning_rate=0.5, gamma=0.5)
    again = np.zeros(3, dtype=np.int64)
    values.update(Transitions(again, again, np.ones(3), again, np.array([True, False, True])))
    # 0.5 * 1; then 0.5 + 0.5 * (1 + 0.25 - 0.5); then 0.875 + 0.5 * (1 - 0.875)
    assert values.q[0, 0] == 0.9375
    assert values.q[1, 0] == 0


def test_update_keeps_batch() -> None:
    values = TableValues(2, 2, learning_rate=0.5, gamma=0.9)
    pairs, rewards = np.array([0, 1]), np.array([0.5, 1.0])
    batch = Transitions(pairs, pairs[::-1].copy(), rewards, pairs, rewards > 0.7)
    copies = [column.copy() for column in batch]
    values.update(batch)
    np.testing.assert_equal(list(batch), copies)
    before = values.q.copy()
    values.update(Transitions(*(column[:0] for column in batch)))
    np.testing.assert_array_equal(values.q, before)


def test_values_are_copy() -> None:
    values = TableValues(2, 2, learning_rate=0.5, gamma=0.9)
    values.values(np.array([0]))[0, 0] = 7
    assert values.q[0, 0] == 0


@pytest.mark.parametrize(
    "wrong",
    [{"learning_rate": 0}, {"learning_rate": 1.1}, {"gamma": -0.1}, {"gamma": float("nan")}],
)
def test_table_rejects_invalid_numbers(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TableValues(2, 2, **{"learning_rate": 0.5, "gamma": 0.9, **wrong})


def test_state_is_copy() -> None:
    values, other = (TableValues(2, 2, learning_rate=0.5, gamma=0.9) for _ in range(2))
    state = values.get_state()
    values.q[0, 0] = 3
    assert not state["q"].any()
    other.set_state(state)
    other.q[1, 1] = 4
    assert not state["q"].any()


def test_set_state_rejects_other_shape() -> None:
    values = TableValues(2, 2, learning_rate=0.5, gamma=0.9)
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 2\)"):
        values.set_state({"q": np.ones((3, 2))})
    assert not values.q.any()
