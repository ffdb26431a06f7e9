"""Distributions over rows of learned models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from scipy import stats

from dynamaze.agents import Transitions
from dynamaze.agents.core.normal import grid_probabilities, normal_cdf, tail_probability
from dynamaze.agents.models import Outcomes, TabularAdapter, model_for

GRID = spaces.MultiDiscrete([3, 4], start=[2, 0])
DRAWS = 20_000


def test_normal_cdf_equals_scipy() -> None:
    z = np.array([[-9.0, -1.5, 0.0], [0.3, 2.0, np.inf]])
    np.testing.assert_allclose(normal_cdf(z), stats.norm.cdf(z), rtol=1e-12)
    for deviations in ([0.0], [1.0, -2.5, 0.1], [3.0, 4.0], [np.inf, 0.0]):
        furthest = np.abs(deviations).max()
        expected = 1 - (2 * stats.norm.cdf(furthest) - 1) ** len(deviations)
        assert tail_probability(np.array(deviations)) == pytest.approx(expected, abs=1e-12)


def test_grid_probabilities_equal_rounded_draws() -> None:
    """Within six standard deviations: a false alarm about once in 10^8 of these fixed seeds."""
    mean, spread, sizes = np.array([0.4, 2.2]), np.array([0.6, 1.1]), (3, 4)
    drawn = np.rint(mean + spread * np.random.default_rng(0).normal(size=(DRAWS, 2)))
    places = np.clip(drawn, 0, np.array(sizes) - 1).astype(int)
    found = np.bincount(np.ravel_multi_index(tuple(places.T), sizes), minlength=12) / DRAWS
    chances = grid_probabilities(mean, spread, sizes)
    assert chances.sum() == pytest.approx(1)
    assert (np.abs(found - chances) <= 6 * np.sqrt(chances * (1 - chances) / DRAWS) + 1e-9).all()


def trained_model(name: str, space: spaces.Space[Any], n: int = 400) -> TabularAdapter:
    """Return a model of 12 rows; one action moves on, the other is random."""
    model: Any = model_for(name, space, 2, observes="discrete", seed=np.random.SeedSequence(0))
    rng = np.random.default_rng(0)
    states, actions = rng.integers(12, size=n), rng.integers(2, size=n)
    by_chance = np.where(rng.random(n) < 0.3, 4, 0)
    following = (states + np.where(actions == 0, 1, by_chance)) % 12
    ended = (states == 11) & (rng.random(n) < 0.5)
    model.update(Transitions(states, actions, ended / 2, following, ended))
    return model  # type: ignore[no-any-return]


def shares(outcomes: Outcomes) -> Any:
    """Return the (12, 2) probability of each next row, without and with the end."""
    found = np.zeros((12, 2))
    np.add.at(
        found, (outcomes.next_observation, outcomes.terminated.astype(int)), outcomes.probability
    )
    return found


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("recursive_linear", spaces.Discrete(12)),
        ("linear", GRID),
        ("gaussian_process", GRID),
        ("deep_belief", GRID),
    ],
)
def test_distribution_equals_sample_frequencies(name: str, space: Any) -> None:
    """Within six standard deviations: a false alarm less than once in 10^6 of these fixed seeds."""
    model = trained_model(name, space)
    drawn = model.sample(6 * DRAWS, np.random.Generator(np.random.SFC64(1)))
    for state, action in ((3, 0), (3, 1), (11, 0)):
        mine = (drawn.observation == state) & (drawn.action == action)
        n = int(mine.sum())
        found = np.zeros((12, 2))
        np.add.at(found, (drawn.next_observation[mine], drawn.terminated[mine].astype(int)), 1 / n)
        predicted = model.distribution(state, action)
        expected = shares(predicted)
        assert expected.sum() == pytest.approx(1)
        assert (predicted.probability > 0).all()
        within = 6 * np.sqrt(expected * (1 - expected) / n) + 1e-9
        assert (np.abs(found - expected) <= within).all()
        np.testing.assert_allclose(predicted.reward, drawn.reward[mine][0], atol=1e-6)


def test_one_hot_expectation_is_frequency() -> None:
    model, table = (
        trained_model("recursive_linear", spaces.Discrete(12)),
        trained_model("maximum_likelihood", GRID),
    )
    for state in range(12):
        for action in range(2):
            left, right = (shares(each.distribution(state, action)) for each in (model, table))
            # Of the two, only the table knows which of a pair's rows came with the end.
            np.testing.assert_allclose(left.sum(axis=1), right.sum(axis=1), atol=1e-3)
            assert left[:, 1].sum() == pytest.approx(right[:, 1].sum(), abs=1e-3)


def test_distribution_before_first_update() -> None:
    model: Any = model_for("bayesian_linear", GRID, 2, observes="discrete")
    for part, expected in zip(model.distribution(5, 1), Outcomes.unknown(5), strict=True):
        np.testing.assert_array_equal(part, expected)
    assert "distribution" in model.capabilities
    with pytest.raises(ValueError, match="observation 12; expected 0 to 11"):
        model.distribution(12, 0)
    with pytest.raises(ValueError, match="action 2; expected 0 to 1"):
        model.distribution(0, 2)


def test_unseen_rows_have_no_probability() -> None:
    model: Any = model_for("gaussian_process", GRID, 1, observes="discrete")
    zeros = np.zeros(40, dtype=np.int64)
    following = np.where(np.arange(40) % 2, 8, 0)  # the mean lies between, where nobody was
    model.update(Transitions(zeros, zeros, zeros / 1, following, zeros > 0))
    assert set(model.distribution(0, 0).next_observation) == {0, 8}
