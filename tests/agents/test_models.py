"""The table models against brute-force models made of dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.agents import (
    DynaQ,
    DynaQPlus,
    LatestOutcome,
    TableValues,
    TimeBonus,
    Transitions,
)
from dynamaze.agents.models import MODELS, make_model
from dynamaze.agents.planning import UniformPlanning, check_fit
from dynamaze.agents.transitions import one_transition

STATES, ACTIONS, DRAWS = 5, 3, 30_000
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


def outcomes(model: Any, state: int, action: int) -> dict[tuple[int, bool], tuple[float, float]]:
    """Next state and end -> probability and mean reward, equal outcomes added up."""
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
    mine = [row for row in stream if row[:2] == (state, action)]
    if not mine:
        return {(state, False): (1.0, 0.0)}
    if name == "latest_outcome":
        mine = mine[-1:]
    groups: dict[tuple[int, bool], list[float]] = defaultdict(list)
    for _, _, reward, following, end in mine:
        groups[following, end].append(reward)
    return {
        key: (len(rewards) / len(mine), sum(rewards) / len(rewards))
        for key, rewards in groups.items()
    }


@given(stream=STREAMS, cut=st.integers(0, 200), name=st.sampled_from(sorted(MODELS)))
def test_a_model_believes_what_a_dictionary_would(
    stream: list[tuple[Any, ...]], cut: int, name: str
) -> None:
    model = MODELS[name](STATES, ACTIONS)
    for part in (stream[:cut], stream[cut:]):
        if part:
            model.update(batch(part))
    tries = Counter(row[:2] for row in stream)
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


@given(stream=STREAMS, name=st.sampled_from(sorted(MODELS)), untried=st.booleans())
def test_a_sample_is_of_what_was_seen(
    stream: list[tuple[Any, ...]], name: str, untried: bool
) -> None:
    model = MODELS[name](STATES, ACTIONS, include_untried=untried)
    model.update(batch(stream))
    seen = {row[:2] for row in stream}
    visited = {row[0] for row in stream}
    for state, action, reward, following, end in zip(
        *model.sample(50, np.random.default_rng(0)), strict=True
    ):
        if (state, action) in seen:
            believed = outcomes(model, state, action)
            assert (following, end) in believed
            if name != "stored_experience":
                assert reward == pytest.approx(believed[following, bool(end)][1])
        else:
            assert untried
            assert state in visited
            assert (reward, following, end) == (0.0, state, False)


@pytest.mark.parametrize("untried", [False, True])
def test_pairs_are_drawn_by_state_and_then_by_action(model_name: str, untried: bool) -> None:
    stream = [(0, 0, 1.0, 1, False)] * 3 + [(0, 2, 0.0, 2, True), (3, 1, 0.5, 0, False)]
    model = MODELS[model_name](STATES, ACTIONS, include_untried=untried)
    model.update(batch(stream))
    sample = model.sample(DRAWS, np.random.Generator(np.random.SFC64(2)))
    found = np.zeros((STATES, ACTIONS))
    np.add.at(found, (sample.observation, sample.action), 1 / DRAWS)
    expected = np.zeros((STATES, ACTIONS))
    if model_name == "stored_experience":
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


def test_the_likelihood_model_draws_outcomes_by_their_frequency() -> None:
    model = MODELS["maximum_likelihood"](STATES, ACTIONS)
    model.update(
        batch([(0, 0, 1.0, 1, False)] * 6 + [(0, 0, 0.0, 2, True)] * 3 + [(0, 0, 0, 3, 0)])
    )
    following = model.sample(DRAWS, np.random.Generator(np.random.SFC64(3))).next_observation
    found = np.bincount(following, minlength=STATES) / DRAWS
    expected = np.array([0, 0.6, 0.3, 0.1, 0])
    spread = 6 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12
    assert (abs(found - expected) <= spread).all()


def test_a_model_keeps_its_manners(
    model_name: str, random_transitions: Callable[..., Transitions]
) -> None:
    rng = np.random.default_rng(1)
    model = MODELS[model_name](STATES, ACTIONS)
    given_batch = random_transitions(rng, 500)
    copies = [column.copy() for column in given_batch]
    model.update(given_batch)
    for column, copy in zip(given_batch, copies, strict=True):
        np.testing.assert_array_equal(column, copy)
    state = model.get_state()
    model.predict(np.array([0]), np.array([0]))
    sample = model.sample(10, rng)
    sample.reward[:] = 99
    model.update(random_transitions(rng, 0))
    again = model.get_state()
    for name, value in state.items():
        np.testing.assert_array_equal(value, again[name])
    other = MODELS[model_name](STATES, ACTIONS)
    other.set_state(state)
    one, two = (m.sample(40, np.random.default_rng(4)) for m in (model, other))
    np.testing.assert_array_equal(one.next_observation, two.next_observation)


def test_an_empty_model_says_so_when_asked_for_samples(model_name: str) -> None:
    with pytest.raises(RuntimeError, match="update it before"):
        MODELS[model_name](STATES, ACTIONS).sample(1, np.random.default_rng(0))


def test_a_pair_outside_the_table_is_refused(model_name: str) -> None:
    model = MODELS[model_name](STATES, ACTIONS)
    with pytest.raises(ValueError, match="observation 5; expected 0 to 4"):
        model.predict(np.array([5]), np.array([0]))
    with pytest.raises(ValueError, match="action -1; expected 0 to 2"):
        model.predict(np.array([0]), np.array([-1]))


@pytest.mark.parametrize(
    "wrong",
    [(5, 0, 0.0, 0, False), (-1, 0, 0.0, 0, False), (0, 3, 0.0, 0, False), (0, 0, 0.0, 5, False),
     (0, 0, float("nan"), 0, False), (0, 0, float("inf"), 0, True)],
)  # fmt: skip
def test_a_bad_transition_is_refused_and_the_whole_batch_with_it(
    model_name: str, wrong: tuple[Any, ...]
) -> None:
    values = TableValues(STATES, ACTIONS, learning_rate=0.5, gamma=0.9)
    for part in (MODELS[model_name](STATES, ACTIONS), values):
        before = part.get_state()
        with pytest.raises(ValueError, match="transition 1 is"):
            part.update(batch([(0, 0, 1.0, 1, False), wrong]))
        with pytest.raises(TypeError, match="expected integers"):
            part.update(batch([(0.5, 0, 1.0, 1, False)]))
        np.testing.assert_equal(part.get_state(), before)


def test_a_state_that_leads_outside_the_tables_is_refused(model_name: str) -> None:
    model = MODELS[model_name](STATES, ACTIONS)
    model.update(batch([(0, 0, 1.0, 1, False)]))
    before = model.get_state()
    for name, value in before.items():
        if isinstance(value, np.ndarray) and value.dtype == np.int64 and "tally" not in name:
            if name == "visits":
                continue
            with pytest.raises(ValueError, match="index"):
                model.set_state({**before, name: value + 1000})
        if name not in model.growing and isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="shape"):
                model.set_state({**before, name: value[:-1]})
    with pytest.raises(ValueError, match=r"seen\.states"):
        model.set_state({name: before[name] for name in before if name != "seen.states"})
    np.testing.assert_equal(model.get_state(), before)


def test_the_time_bonus_is_kappa_times_the_root_of_tau() -> None:
    model = TimeBonus(LatestOutcome(2, 2, include_untried=True), 2, 2, kappa=0.01)
    for _ in range(9):
        model.update(one_transition(0, 0, 0.5, 1, False))
    model.update(one_transition(0, 1, 0.25, 1, False))
    tau = {(0, 0): 1, (0, 1): 0}
    reward = {(0, 0): 0.5, (0, 1): 0.25}
    sample = model.sample(200, np.random.default_rng(0))
    assert set(zip(sample.observation, sample.action, strict=True)) == set(tau)
    for state, action, found in zip(sample.observation, sample.action, sample.reward, strict=True):
        assert found == reward[state, action] + 0.01 * np.sqrt(tau[state, action])


def test_an_unknown_model_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean 'latest_outcome'"):
        make_model("latest_outcom", 2, 2)
    with pytest.raises(TypeError, match="'update'"):
        make_model(type("Half", (), {"capabilities": frozenset()})(), 2, 2)


class LastFew:
    """A user's own model: the last transitions, drawn at random."""

    capabilities = frozenset({"sample"})

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def update(self, transitions: Transitions) -> None:
        self.seen = (self.seen + list(zip(*transitions, strict=True)))[-100:]

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        return batch([self.seen[i] for i in rng.integers(len(self.seen), size=n)])


def test_a_model_of_ones_own_makes_dyna_q_learn_faster() -> None:
    learned = DynaQ("DynaMaze-v0", model=LastFew(), planning_steps=20, seed=0).learn(5000)
    alone = DynaQ("DynaMaze-v0", planning_steps=0, seed=0).learn(5000)
    assert learned.num_episodes > 1.5 * alone.num_episodes


def test_a_model_of_ones_own_gets_the_bonus_of_dyna_q_plus() -> None:
    # It dreams of tried actions only, with which the bonus does harm; it need only be paid.
    agent = DynaQPlus("DynaMaze-v0", model=LastFew(), kappa=0.01, seed=0).learn(200)
    dreams = agent.model.sample(50, np.random.default_rng(0))
    plain = agent.model.model.sample(50, np.random.default_rng(0))  # type: ignore[attr-defined]
    bonus = dreams.reward - plain.reward
    assert bonus.max() <= 0.01 * np.sqrt(100)
    assert np.count_nonzero(bonus) > 30


def test_a_planner_refuses_a_model_that_cannot_do_what_it_needs() -> None:
    silent = type("Silent", (LastFew,), {"capabilities": frozenset({"predict"})})()
    with pytest.raises(ValueError, match=r"'sample'.*latest_outcome"):
        DynaQ("DynaMaze-v0", model=silent)
    check_fit(UniformPlanning(0), silent)
