"""Table models against reference models made of dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.agents import (
    Transitions,
)
from dynamaze.agents.models import TABLE_MODELS

STATES, ACTIONS, DRAWS = 5, 3, 30_000
WINDOW, DECAY = 20, 0.75
FORGETTING: dict[str, dict[str, Any]] = {
    "forgetting_latest_outcome": {"window": WINDOW},
    "forgetting_maximum_likelihood": {"decay": DECAY},
    "forgetting_stored_experience": {"window": WINDOW},
}
STREAMS = st.lists(
    st.tuples(
        st.integers(0, STATES - 1),
        st.integers(0, ACTIONS - 1),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.integers(0, STATES - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=200,
)


def batch(stream: list[tuple[Any, ...]]) -> Transitions:
    return Transitions(*(np.array(column) for column in zip(*stream, strict=True)))


def make(name: str, **more: Any) -> Any:
    return TABLE_MODELS[name](STATES, ACTIONS, **more, **FORGETTING.get(name, {}))


def stored(name: str, stream: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return stream[-WINDOW:] if "window" in FORGETTING.get(name, {}) else stream


def outcomes(model: Any, state: int, action: int) -> dict[tuple[int, bool], tuple[float, float]]:
    """Return next state and end -> probability and mean reward; equal outcomes are merged."""
    found: dict[tuple[int, bool], list[tuple[float, float]]] = defaultdict(list)
    for following, probability, reward, end in zip(*model.distribution(state, action), strict=True):
        found[int(following), bool(end)].append((float(probability), float(reward)))
    return {
        key: (sum(p for p, _ in parts), sum(p * r for p, r in parts) / sum(p for p, _ in parts))
        for key, parts in found.items()
    }


def expected_outcomes(
    name: str, stream: list[tuple[Any, ...]], state: int, action: int
) -> dict[tuple[int, bool], tuple[float, float]]:
    mine = [row for row in stored(name, stream) if row[:2] == (state, action)]
    if not mine:
        return {(state, False): (1.0, 0.0)}
    if name.endswith("latest_outcome"):
        mine = mine[-1:]
    factor = FORGETTING.get(name, {}).get("decay", 1.0)
    weights = [factor**age for age in reversed(range(len(mine)))]
    groups: dict[tuple[int, bool], list[tuple[float, float]]] = defaultdict(list)
    for weight, (_, _, reward, following, end) in zip(weights, mine, strict=True):
        groups[following, end].append((weight, reward))
    return {
        key: (
            sum(w for w, _ in parts) / sum(weights),
            sum(w * r for w, r in parts) / sum(w for w, _ in parts),
        )
        for key, parts in groups.items()
    }


@given(stream=STREAMS, cut=st.integers(0, 200), name=st.sampled_from(sorted(TABLE_MODELS)))
def test_model_equals_dictionary_reference(
    stream: list[tuple[Any, ...]], cut: int, name: str
) -> None:
    model = make(name)
    for part in (stream[:cut], stream[cut:]):
        if part:
            model.update(batch(part))
    tries = Counter(row[:2] for row in stored(name, stream))
    for state in range(STATES):
        for action in range(ACTIONS):
            found = outcomes(model, state, action)
            expected = expected_outcomes(name, stream, state, action)
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                assert found[key] == pytest.approx(value)
            prediction = model.predict(np.array([state]), np.array([action]))
            assert prediction.visits[0] == tries[state, action]
            assert prediction.reward[0] == pytest.approx(sum(p * r for p, r in expected.values()))
            ends = sum(p for (_, end), (p, _) in expected.items() if end)
            assert prediction.terminated[0] == pytest.approx(ends)
            chances: Counter[int] = Counter()
            for (following, _), (p, _) in expected.items():
                chances[following] += p
            likeliest = int(prediction.next_observation[0])
            assert chances[likeliest] == pytest.approx(max(chances.values()))


@given(stream=STREAMS, name=st.sampled_from(sorted(TABLE_MODELS)), untried=st.booleans())
def test_samples_are_seen_transitions(
    stream: list[tuple[Any, ...]], name: str, untried: bool
) -> None:
    model = make(name, include_untried=untried)
    model.update(batch(stream))
    seen = {row[:2] for row in stored(name, stream)}
    visited = {row[0] for row in stored(name, stream)}
    for state, action, reward, following, end in zip(
        *model.sample(50, np.random.default_rng(0)), strict=True
    ):
        if (state, action) in seen:
            predicted = outcomes(model, state, action)
            assert (following, end) in predicted
            if not name.endswith("stored_experience"):
                assert reward == pytest.approx(predicted[following, bool(end)][1])
        else:
            assert untried
            assert state in visited
            assert (reward, following, end) == (0.0, state, False)


@pytest.mark.parametrize("untried", [False, True])
def test_pairs_sampled_by_state_then_action(model_name: str, untried: bool) -> None:
    stream = [(0, 0, 1.0, 1, False)] * 3 + [(0, 2, 0.0, 2, True), (3, 1, 0.5, 0, False)]
    model = TABLE_MODELS[model_name](STATES, ACTIONS, include_untried=untried)
    model.update(batch(stream))
    sample = model.sample(DRAWS, np.random.Generator(np.random.SFC64(2)))
    found = np.zeros((STATES, ACTIONS))
    np.add.at(found, (sample.observation, sample.action), 1 / DRAWS)
    expected = np.zeros((STATES, ACTIONS))
    if model_name.endswith("stored_experience"):
        for state, action, *_ in stream:
            expected[state, action] += 1
        if untried:
            expected[0, 1] = expected[3, 0] = expected[3, 2] = 1
        expected /= expected.sum()
    elif untried:
        expected[[0, 3]] = 1 / 6
    else:
        expected[0, 0] = expected[0, 2] = 1 / 4
        expected[3, 1] = 1 / 2
    # 6 standard deviations: a false alarm about once in 10^8 of these fixed seeds.
    spread = 6 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12
    assert (abs(found - expected) <= spread).all()


def test_likelihood_samples_by_frequency() -> None:
    model = TABLE_MODELS["maximum_likelihood"](STATES, ACTIONS)
    model.update(
        batch([(0, 0, 1.0, 1, False)] * 6 + [(0, 0, 0.0, 2, True)] * 3 + [(0, 0, 0, 3, 0)])
    )
    following = model.sample(DRAWS, np.random.Generator(np.random.SFC64(3))).next_observation
    found = np.bincount(following, minlength=STATES) / DRAWS
    expected = np.array([0, 0.6, 0.3, 0.1, 0])
    spread = 6 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12
    assert (abs(found - expected) <= spread).all()
