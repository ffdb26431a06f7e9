"""Forgetting models: sliding windows and discounted counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.agents import (
    ForgettingExperience,
    ForgettingLatest,
    ForgettingLikelihood,
    MaximumLikelihood,
    Transitions,
)
from dynamaze.agents.core.transitions import one_transition

STATES, ACTIONS = 4, 2
PAIRS = st.lists(
    st.tuples(st.integers(0, STATES - 1), st.integers(0, ACTIONS - 1)), min_size=1, max_size=60
)


def drawn(model: Any, n: int = 400) -> Counter[tuple[int, int]]:
    sample: Transitions = model.sample(n, np.random.default_rng(0))
    return Counter(zip(sample.observation.tolist(), sample.action.tolist(), strict=True))


@pytest.mark.parametrize("kind", [ForgettingLatest, ForgettingExperience])
@given(pairs=PAIRS, window=st.integers(1, 12), untried=st.booleans())
def test_window_samples_exactly_recent_pairs(
    kind: Any, pairs: list[tuple[int, int]], window: int, untried: bool
) -> None:
    model = kind(STATES, ACTIONS, include_untried=untried, window=window)
    for step, (state, action) in enumerate(pairs):
        model.update(one_transition(state, action, float(step), (state + 1) % STATES, False))
    kept = pairs[-window:]
    expected = set(kept)
    if untried:
        expected = {(state, action) for state, _ in kept for action in range(ACTIONS)}
    assert set(drawn(model)) == expected
    assert model.table.clock.tolist() == [len(pairs)]
    if kind is ForgettingExperience:
        reserved = np.argwhere(model.table.reserved.reshape(STATES, ACTIONS) >= 0)
        assert {(state, action) for state, action in reserved.tolist()} == expected - set(kept)
    for state in range(STATES):
        for action in range(ACTIONS):
            visits = model.predict(np.array([state]), np.array([action])).visits[0]
            assert visits == kept.count((state, action))


@pytest.mark.parametrize("kind", [ForgettingLatest, ForgettingExperience])
def test_untried_pairs_keep_reserved_slots(kind: Any) -> None:
    model = kind(STATES, ACTIONS, include_untried=True, window=2)
    for action in (0, 1, 0, 0):  # (1, 1) leaves the window, its state stays in it
        model.update(one_transition(1, action, 7.0, 2, True))
    sample = model.sample(200, np.random.default_rng(0))
    forgotten = sample.action == 1
    assert 0 < forgotten.sum() < 200
    assert set(sample.reward[forgotten]) == {0.0}
    assert set(sample.next_observation[forgotten]) == {1}
    assert not sample.terminated[forgotten].any()
    model.update(one_transition(1, 1, 7.0, 2, True))
    assert set(model.sample(200, np.random.default_rng(0)).reward) == {7.0}


def test_window_samples_uniformly() -> None:
    model = ForgettingExperience(STATES, ACTIONS, window=4)
    for action in (1, 1, 1, 0, 0, 0, 1):
        model.update(one_transition(0, action, 0.0, 0, False))
    counts = drawn(model, 20_000)
    assert counts[0, 0] == pytest.approx(15_000, abs=6 * np.sqrt(20_000 * 3 / 16))


def test_discounted_counts_track_change() -> None:
    plain, fading = MaximumLikelihood(2, 1), ForgettingLikelihood(2, 1, decay=0.5)
    for model in (plain, fading):
        for following in [0] * 50 + [1] * 2:
            model.update(one_transition(0, 0, float(following), following, False))
    one = np.zeros(1, dtype=np.int64)
    assert plain.predict(one, one).next_observation[0] == 0
    assert fading.predict(one, one).next_observation[0] == 1
    assert fading.predict(one, one).reward[0] == pytest.approx(0.75)
    assert fading.predict(one, one).visits[0] == 52


def test_long_decay_stays_finite() -> None:
    model = ForgettingLikelihood(3, 1, decay=0.5)
    model.update(one_transition(0, 0, 3.0, 2, True))
    for _ in range(3000):
        model.update(one_transition(0, 0, 1.0, 1, False))
    outcomes = model.distribution(0, 0)
    np.testing.assert_allclose(sorted(outcomes.reward), [1.0, 3.0])
    assert outcomes.probability.min() < 1e-14
    assert set(model.sample(1000, np.random.default_rng(0)).reward) == {1.0}


def test_decay_one_is_plain_counting() -> None:
    rng = np.random.default_rng(0)
    plain, fading = MaximumLikelihood(4, 2), ForgettingLikelihood(4, 2, decay=1.0)
    for _ in range(100):
        step = one_transition(
            int(rng.integers(4)), int(rng.integers(2)), rng.random(), int(rng.integers(4)), False
        )
        plain.update(step)
        fading.update(step)
    left, right = (m.sample(50, np.random.default_rng(1)) for m in (plain, fading))
    np.testing.assert_equal(left, right)


@pytest.mark.parametrize("kind", [ForgettingLatest, ForgettingExperience])
@pytest.mark.parametrize("window", [0, -1, 2.5, float("nan")])
def test_window_rejects_invalid_size(kind: Any, window: Any) -> None:
    with pytest.raises(ValueError, match="window"):
        kind(2, 2, window=window)


@pytest.mark.parametrize("decay", [0.0, 1.1, float("nan")])
def test_decay_rejects_invalid_value(decay: float) -> None:
    with pytest.raises(ValueError, match="decay"):
        ForgettingLikelihood(2, 2, decay=decay)
