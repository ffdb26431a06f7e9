"""Simulators of tables, of vectors, and custom ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from dynamaze.agents import LatestOutcome, MaximumLikelihood, StoredExperience, Transitions
from dynamaze.agents.models import MODELS, NullModel, StoredVectors, model_for
from dynamaze.agents.search.simulators import (
    TableSimulator,
    VectorSimulator,
    make_simulator,
    simulate_returns,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def two_outcomes(kind: Any) -> Any:
    """Action 1 in state 0: to 1 with reward 2, or with probability 1/4 to the end with 0."""
    model = kind(3, 2)
    n = 400
    ends = np.arange(n) % 4 == 0
    model.update(
        Transitions(
            np.zeros(n, dtype=np.int64),
            np.ones(n, dtype=np.int64),
            np.where(ends, 0.0, 2.0),
            np.where(ends, 2, 1),
            ends,
        )
    )
    return model


@pytest.mark.parametrize("kind", [MaximumLikelihood, StoredExperience])
def test_table_simulator_frequencies(kind: Any) -> None:
    simulator, generator = make_simulator(two_outcomes(kind)), rng()
    state = simulator.begin(0)
    n = 4000
    drawn = [simulator.step(state, 1, generator) for _ in range(n)]
    assert set(drawn) == {(1, 2.0, False), (2, 0.0, True)}
    # Five standard deviations: a false alarm in 2 million.
    share = np.mean([terminated for _, _, terminated in drawn])
    assert abs(share - 0.25) < 5 * np.sqrt(0.25 * 0.75 / n)


def test_table_simulator_leaves_model_unchanged() -> None:
    model = LatestOutcome(3, 2)
    before = model.get_state()
    simulator = make_simulator(model)
    assert isinstance(simulator, TableSimulator)
    assert simulator.num_actions == 2
    state = simulator.begin(np.int64(2))
    assert simulator.step(state, 1, rng()) == (2, 0.0, False)  # never tried: nothing happens
    assert (simulator.observation(state), simulator.key(state)) == (2, 2)
    np.testing.assert_equal(model.get_state(), before)


def test_simulator_is_reproducible() -> None:
    for name in MODELS:
        model: Any = model_for(name, spaces.Discrete(3), 2, observes="discrete")
        model.update(
            Transitions(
                np.array([0, 0, 1]),
                np.array([0, 0, 1]),
                np.array([1.0, 0.0, 2.0]),
                np.array([1, 2, 0]),
                np.array([False, False, True]),
            )
        )
        one, other = (
            [make_simulator(model).step(0, 0, generator) for _ in range(20)]
            for generator in (rng(3), rng(3))
        )
        assert one == other, name


def test_vector_simulator_steps_model() -> None:
    model: Any = model_for("recursive_linear", spaces.Box(0, 9, (2,)), 3, observes="vectors")
    model.update(
        Transitions(
            np.array([[1.0, 2.0]]),
            np.array([1]),
            np.array([0.5]),
            np.array([[1.5, 2.0]]),
            np.array([False]),
        )
    )
    simulator = make_simulator(model)
    assert isinstance(simulator, VectorSimulator)
    given = np.array([1.0, 2.0])
    state = simulator.begin(given)
    following, reward, terminated = simulator.step(state, 1, rng())
    assert following.shape == (2,)
    assert isinstance(reward, float)
    assert isinstance(terminated, bool)
    np.testing.assert_array_equal(state, given)
    assert state is not given
    assert simulator.key(state) == simulator.key(given.copy())
    assert simulator.key(state) != simulator.key(following + 1)


def test_custom_simulator_is_used() -> None:
    class Coin:
        num_actions = 1

        def begin(self, observation: Any) -> int:
            return 0

        def step(self, state: int, action: int, rng: Any) -> tuple[int, float, bool]:
            return state, float(rng.random() < 0.5), True

        def observation(self, state: int) -> int:
            return state

        def key(self, state: int) -> int:
            return state

    coin = Coin()
    assert make_simulator(coin) is coin


def test_model_with_imagine_of_version_0_2_warns() -> None:
    class Shift:
        observes, num_actions = "vectors", 2

        def imagine(self, vectors: Any, actions: Any, rng: Any) -> Transitions:
            ended = np.zeros(len(vectors), dtype=bool)
            return Transitions(vectors, actions, np.ones(len(vectors)), vectors + 1, ended)

    with pytest.warns(DeprecationWarning, match=r"Shift\.imagine is now called .*sample_transi"):
        simulator = make_simulator(Shift())
    following, reward, _ = simulator.step(np.zeros(2), 0, rng())
    np.testing.assert_array_equal(following, [1.0, 1.0])
    assert reward == 1.0


@pytest.mark.parametrize("size", [1, 3])
def test_simulate_returns_discounts_to_leaf(size: int) -> None:
    class Chain:
        """State n steps to n + 1 with reward n; 2 is followed by the end if the action is 1."""

        def step(self, states: Any, actions: Any, rng: Any) -> Any:
            return states + 1, states.astype(float), (states == 2) & (actions == 1)

        def pick(self, states: Any, places: Any) -> Any:
            return states[places]

        def observations(self, states: Any) -> Any:
            return states

    ends = np.arange(size) % 2
    found = simulate_returns(
        Chain(),  # type: ignore[arg-type]  # the methods that are used
        np.ones(size, dtype=np.int64),
        lambda step, running, states: ends[running],
        lambda observations: 10.0 * observations,
        depth=3,
        gamma=0.5,
        rng=rng(),
    )
    goes_on = 1 + 0.5 * 2 + 0.25 * 3 + 0.125 * 40
    np.testing.assert_allclose(found, np.where(ends, 1 + 0.5 * 2, goes_on))


@pytest.mark.parametrize("model", [NullModel(), StoredVectors(2, 3), object()])
def test_make_simulator_rejects_other_models(model: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot be stepped; a search needs .*sample_transitions"):
        make_simulator(model)


def test_simulator_rejects_invalid_input() -> None:
    table = make_simulator(LatestOutcome(3, 2))
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match="expected 0 to 2"):
            table.begin(wrong)
    for wrong in (-1, 2):
        with pytest.raises(ValueError, match="expected 0 to 1"):
            table.step(0, wrong, rng())
    model = model_for("linear", spaces.Box(0, 9, (2,)), 3, observes="vectors")
    for bad in ([1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="expected 2 finite numbers"):
            make_simulator(model).begin(np.array(bad))
