"""How action values become an action."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents import ActionTimeBonus, EpsilonGreedy
from dynamaze.agents.transitions import one_transition

DRAWS = 20_000


def frequencies(exploration: EpsilonGreedy | ActionTimeBonus, values: np.ndarray) -> np.ndarray:
    rng = np.random.Generator(np.random.SFC64(1))
    drawn = [exploration.choose(values, 0, rng) for _ in range(DRAWS)]
    return np.bincount(drawn, minlength=values.size) / DRAWS


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("values", [[1.0, 1, 0, 1], [0.0, 0, 0, 0], [0, 0, 3], [0, 1, 0, 0, 1, 1]])
def test_choices_are_as_frequent_as_their_probabilities(
    epsilon: float, values: list[float]
) -> None:
    exploration = EpsilonGreedy(epsilon)
    row = np.array(values)
    expected = exploration.probabilities(row[None], np.array([0]))[0]
    assert expected.sum() == pytest.approx(1)
    # 6 standard deviations: a false alarm about once in 10^8 of these fixed seeds.
    spread = 6 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12
    assert (abs(frequencies(exploration, row) - expected) <= spread).all()


def test_ties_share_the_greedy_probability_alike() -> None:
    probabilities = EpsilonGreedy(0.2).probabilities(
        np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([0])
    )
    np.testing.assert_allclose(probabilities, [[0.45, 0.45, 0.05, 0.05]])


def test_the_action_bonus_chooses_what_was_not_tried_for_long() -> None:
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


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_an_epsilon_outside_0_to_1_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        EpsilonGreedy(epsilon)
