"""Exploration: epsilon-greedy and the action-time bonus."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents import ActionTimeBonus, EpsilonGreedy, Transitions
from dynamaze.agents.core.rng import load, state_words, store
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.exploration import epsilon_greedy
from dynamaze.common.compiled import compiled_with_arrays

DRAWS = 20_000


def assert_as_frequent_as_probable(
    exploration: EpsilonGreedy | ActionTimeBonus, values: np.ndarray, state: int
) -> None:
    expected = exploration.probabilities(values[None], np.array([state]))[0]
    assert expected.sum() == pytest.approx(1)
    rng = np.random.Generator(np.random.SFC64(1))
    drawn = [exploration.choose(values, state, rng) for _ in range(DRAWS)]
    found = np.bincount(drawn, minlength=values.size) / DRAWS
    # 6 standard deviations: a false alarm about once in 10^8 of these fixed seeds.
    spread = 6 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12
    assert (abs(found - expected) <= spread).all()


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("values", [[1.0, 1, 0, 1], [0.0, 0, 0, 0], [0, 0, 3], [0, 1, 0, 0, 1, 1]])
def test_choice_frequencies_match_probabilities(epsilon: float, values: list[float]) -> None:
    assert_as_frequent_as_probable(EpsilonGreedy(epsilon), np.array(values), 0)


@compiled_with_arrays
def choose_in_row(values, first, num_actions, words):
    action, rng = epsilon_greedy(values, first, num_actions, 0.1, load(words))
    store(words, rng)
    return action


@pytest.mark.parametrize("num_actions", [2, 3, 4, 5])
def test_epsilon_greedy_reads_table_row(num_actions: int) -> None:
    table = np.random.default_rng(0).integers(2, size=(60, num_actions)).astype(float)
    one, other = (np.random.Generator(np.random.SFC64(3)) for _ in range(2))
    for number, row in enumerate(table):
        alone = choose_in_row(row, 0, num_actions, state_words(one))
        first = number * num_actions
        inside = choose_in_row(table.reshape(-1), first, num_actions, state_words(other))
        assert inside == alone


def test_probabilities_split_ties_equally() -> None:
    probabilities = EpsilonGreedy(0.2).probabilities(
        np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([0])
    )
    np.testing.assert_allclose(probabilities, [[0.45, 0.45, 0.05, 0.05]])


def test_time_bonus_prefers_old_actions() -> None:
    exploration = ActionTimeBonus(2, 2, epsilon=0.0, kappa=0.1)
    for _ in range(25):
        exploration.update(one_transition(0, 0, 0.0, 0, False))
    rng = np.random.Generator(np.random.SFC64(0))
    # Q + kappa sqrt(tau): 0.4 + 0.1 sqrt(0) against 0 + 0.1 sqrt(25)
    assert exploration.choose(np.array([0.4, 0.0]), 0, rng) == 1
    assert exploration.choose(np.array([0.6, 0.0]), 0, rng) == 0
    np.testing.assert_array_equal(
        exploration.probabilities(np.array([[0.4, 0.0]]), np.array([0])), [[0, 1]]
    )


def tried_often(state: int, action: int, times: int) -> ActionTimeBonus:
    """Return the record of three states with two actions, of which one pair was tried."""
    exploration = ActionTimeBonus(3, 2, epsilon=0.3, kappa=0.1)
    exploration.update(Transitions(*(np.repeat(column, times) for column in (
        state, action, 0.0, 0, False
    ))))  # fmt: skip
    return exploration


@pytest.mark.parametrize("state", [0, 1, 2])
@pytest.mark.parametrize("values", [[0.4, 0.0], [0.5, 0.0], [0.6, 0.0]])
def test_time_bonus_is_per_state(state: int, values: list[float]) -> None:
    exploration = tried_often(1, 0, 25)
    assert_as_frequent_as_probable(exploration, np.array(values), state)
    # Only in state 1 has action 0 a smaller bonus, by kappa sqrt(25) = 0.5.
    best = {0.4: [0.15, 0.85], 0.5: [0.5, 0.5], 0.6: [0.85, 0.15]}[values[0]]
    expected = best if state == 1 else [0.85, 0.15]
    found = exploration.probabilities(np.array([values]), np.array([state]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_time_bonus_restores_state() -> None:
    exploration, other = tried_often(1, 0, 25), ActionTimeBonus(3, 2, epsilon=0.3, kappa=0.1)
    state = exploration.get_state()
    exploration.update(one_transition(1, 1, 0.0, 0, False))
    other.set_state(state)
    np.testing.assert_equal(other.get_state(), tried_often(1, 0, 25).get_state())
    other.update(one_transition(1, 1, 0.0, 0, False))
    np.testing.assert_equal(other.get_state(), exploration.get_state())
    assert state["clock"] == 25  # `get_state` returns copies


def test_choose_changes_only_generator() -> None:
    exploration, values = tried_often(1, 0, 25), np.array([0.4, 0.0])
    before = exploration.get_state()
    rng, same = (np.random.Generator(np.random.SFC64(4)) for _ in range(2))
    for _ in range(10):
        exploration.choose(values, 1, rng)
    same.bit_generator.random_raw(10)  # one word for each choice
    assert rng.random() == same.random()
    np.testing.assert_equal(exploration.get_state(), before)
    np.testing.assert_array_equal(values, [0.4, 0.0])


@pytest.mark.parametrize("wrong", [{"kappa": -0.1}, {"kappa": float("inf")}, {"epsilon": 2.0}])
def test_time_bonus_rejects_invalid_number(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ActionTimeBonus(2, 2, **{"epsilon": 0.1, "kappa": 0.1, **wrong})


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_epsilon_greedy_rejects_invalid_epsilon(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        EpsilonGreedy(epsilon)
