"""Dyna-2: permanent and transient memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import QLearning
from dynamaze.agents.search.monte_carlo import MonteCarloSearch
from dynamaze.agents.search.td_search import Dyna2, TDSearch, TDSettings


def maze() -> Any:
    return gym.make("DynaMaze-v0")


def test_dyna_2_without_simulations_is_q_learning(same_bits: Callable[[Any, Any], None]) -> None:
    numbers: dict[str, Any] = {"learning_rate": 0.3, "gamma": 0.9, "epsilon": 0.2, "seed": 5}
    mine = Dyna2(maze(), model="latest_outcome", simulations=0, **numbers).learn(3000)
    theirs = QLearning(maze(), **numbers).learn(3000)
    np.testing.assert_array_equal(mine.values.get_state()["q"], theirs.values.get_state()["q"])
    assert mine.rng.random() == theirs.rng.random()
    assert mine.values.get_state()["q"].any()


def test_action_values_sum_both_memories() -> None:
    agent = Dyna2(maze(), model="true", simulations=10, epsilon=0.0, seed=0).learn(200)
    planning: Any = agent.planning
    permanent, row = agent.values.get_state()["q"], agent.rows.one(agent.observation)
    found = planning.action_values(
        agent.values, agent.model, np.array([row]), agent.rng, learning=True
    )
    both = permanent[row] + planning.transient.reshape(permanent.shape)[row]
    np.testing.assert_array_equal(found[0], both)
    assert permanent.any()
    assert planning.transient.any()


def test_search_keeps_permanent_memory() -> None:
    agent = Dyna2(maze(), model="true", simulations=10, seed=0).learn(200)
    before = agent.values.get_state()["q"]
    agent.planning.action_values(agent.values, agent.model, np.array([3]), agent.rng, learning=True)
    np.testing.assert_array_equal(agent.values.get_state()["q"], before)


def test_transient_memory_corrects_permanent() -> None:
    """The sum of the memories converges to the values of one alone."""
    corridor = gym.make("DynaMaze-v0", layout="S..G")
    agent = Dyna2(
        corridor,
        model="true",
        simulations=20,
        learning_rate=1.0,
        settings=TDSettings(search_epsilon=0.0),
        seed=0,
    )
    agent.learn(400)
    planning: Any = agent.planning
    agent.observation = None
    agent.learn(1)
    permanent = agent.values.get_state()["q"]
    assert permanent[0, 1] == pytest.approx(0.95**2)
    right = planning.transient.reshape(permanent.shape)[:3, 1]
    np.testing.assert_allclose(right, 0.0, atol=1e-12)


def test_dyna_2_beats_td_and_monte_carlo() -> None:
    """Episodes of the maze in 600 steps with 8 simulations a step, means of 5 runs.

    With 10 runs of 1000 steps they were 66.1 +- 2.2, 49.6 +- 1.0 and 8.2 +- 1.1 (95 %): the
    intervals are far apart.
    """

    def episodes(kind: Any, **more: Any) -> list[int]:
        search = {"model": "true", "simulations": 8, "depth": 100, "epsilon": 0.0, **more}
        return [kind(maze(), seed=seed, **search).learn(600).num_episodes for seed in range(5)]

    monte_carlo, td, dyna_2 = (episodes(kind) for kind in (MonteCarloSearch, TDSearch, Dyna2))

    def interval(counts: list[int]) -> tuple[float, float]:
        half = 2.776 * np.std(counts, ddof=1) / np.sqrt(len(counts))  # t of 4, 95 %
        return np.mean(counts) - half, np.mean(counts) + half

    assert interval(monte_carlo)[1] < interval(td)[0]
    assert interval(td)[1] < interval(dyna_2)[0]


def test_dyna_2_learns_with_any_model() -> None:
    for model in ("latest_outcome", "maximum_likelihood", "stored_experience"):
        agent = Dyna2(
            gym.make("DynaMaze-v0", layout="S...\n.##.\n...G"),
            model=model,
            simulations=10,
            depth=20,
            seed=0,
        )
        lengths: list[int] = []
        agent.learn(
            300,
            lambda step, found=lengths: found.append(step.episode_length) if step.terminated else 0,
        )
        assert np.median(lengths[-10:]) <= 8, model


def test_dyna_2_learns_frozen_lake() -> None:
    agent = Dyna2(gym.make("FrozenLake-v1", is_slippery=False), model="latest_outcome", seed=1)
    returns: list[float] = []
    agent.learn(
        1500,
        lambda step: returns.append(step.episode_return) if step.terminated else 0,
    )
    assert np.mean(returns[-20:]) >= 0.5


def test_agents_are_independent_when_interleaved(
    same_bits: Callable[[Any, Any], None],
) -> None:
    one, other = (Dyna2(maze(), simulations=5, seed=seed) for seed in (1, 2))
    for _ in range(50):
        one.learn(2)
        other.learn(2)
    same_bits(one, Dyna2(maze(), simulations=5, seed=1).learn(100))
    same_bits(other, Dyna2(maze(), simulations=5, seed=2).learn(100))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"simulations": -1}, r"simulations=-1; expected a whole number in \[0, "),
        ({"depth": 0}, r"depth=0; expected a whole number in \[1, "),
        ({"gamma": 1.0}, "depth=None with gamma=1; expected a depth"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; expected a number in"),
        ({"model": "latest"}, "model='latest'.*did you mean 'latest_outcome'"),
    ],
)
def test_dyna_2_rejects_invalid_argument(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dyna2("DynaMaze-v0", **wrong)
