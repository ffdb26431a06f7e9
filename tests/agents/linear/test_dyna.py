"""Linear Dyna for control, in tables and in continuous environments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import dynamaze  # noqa: F401
from dynamaze.agents import CoordinateFeatures, DynaQ, Spaces, TileCoding, Transitions
from dynamaze.agents.learners.linear import LinearLeastMeanSquares, RecursiveLeastSquares
from dynamaze.agents.linear.dyna import SEEN, FeatureModel, LinearDyna, StateValues
from dynamaze.agents.linear.expectation_model import LinearExpectation
from dynamaze.agents.linear.sweeping import SWEEPS, FeatureSweeping
from dynamaze.common.storage import CheckpointError

TABLE: dict[str, Any] = {"learning_rate": 1.0, "model_rate": 1.0, "planning_rate": 1.0}
"""Rates for a table of a deterministic environment."""


def point_maze(**more: Any) -> gym.Env[Any, Any]:
    return gym.make("DynaMazeContinuous-v0", action="discrete", observation="position", **more)


def one_hot(batch: Transitions, n: int) -> Transitions:
    eye = np.eye(n)
    return batch._replace(
        observation=eye[batch.observation], next_observation=eye[batch.next_observation]
    )


def wander(env: gym.Env[Any, Any], steps: int, seed: int) -> Transitions:
    """Return the transitions of a random walk in a maze with numbered cells."""
    env.action_space.seed(seed)
    rows = []
    now, _ = env.reset(seed=seed)
    for _ in range(steps):
        action = env.action_space.sample()
        then, reward, terminated, truncated, _ = env.step(action)
        rows.append((now, action, float(reward), then, terminated))
        now = env.reset()[0] if terminated or truncated else then
    return Transitions(*(np.array(column) for column in zip(*rows, strict=True)))


# -- in a table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sweep", ["random", SEEN])
@pytest.mark.parametrize("observation", ["index", "coordinates"])
def test_linear_dyna_agrees_with_tabular_dyna(observation: str, sweep: str) -> None:
    """The same random walk in the maze of figure 8.2; then both plan until convergence."""
    env = gym.make("DynaMaze-v0", observation=observation)
    seen = wander(gym.make("DynaMaze-v0"), 3000, seed=1)
    assert seen.terminated.any()
    table = DynaQ(gym.make("DynaMaze-v0"), learning_rate=1.0, seed=0)
    linear = LinearDyna(env, sweep=sweep, seed=0, **TABLE)
    rows = linear.encoder.rows  # type: ignore[union-attr]
    vectors = linear.encoder.of_rows(np.arange(rows.size))  # type: ignore[union-attr]
    for agent, batch in (
        (table, seen),
        (
            linear,
            seen._replace(
                observation=vectors[seen.observation],
                next_observation=vectors[seen.next_observation],
            ),
        ),
    ):
        agent.values.update(batch)
        agent.model.update(batch)
    table.values.update(table.model.sample(60_000, np.random.default_rng(0)))
    linear.planning.planning_steps = 30_000
    linear.planning.plan(linear.values, linear.model, np.random.default_rng(0))
    exact = table.values.values(np.arange(rows.size))
    assert exact.max() == 1.0
    np.testing.assert_allclose(linear.values.values(vectors), exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sweep", ["pwma", "mg"])
def test_sweeping_propagates_new_reward(sweep: str) -> None:
    """A known maze in which the goal's reward appears: each cell gets its exact value."""
    env = gym.make("DynaMaze-v0")
    seen = one_hot(wander(env, 3000, seed=1), 54)
    agent = LinearDyna(env, sweep=sweep, seed=0, **TABLE)
    agent.model.update(seen._replace(reward=np.zeros(3000)))
    entered = Transitions(*(column[seen.terminated][:1] for column in seen))
    agent.values.update(entered)
    agent.model.update(entered)
    done = agent.values.plan(10_000, np.random.default_rng(0))  # type: ignore[attr-defined]
    assert done < 500  # the queue is then empty
    other = LinearDyna(env, sweep="random", seed=0, **TABLE)
    other.model.set_state(agent.model.get_state())
    other.values.plan(30_000, np.random.default_rng(0))  # type: ignore[attr-defined]
    everywhere = np.eye(54)
    expected = other.values.values(everywhere)
    np.testing.assert_allclose(agent.values.values(everywhere), expected, rtol=0, atol=1e-12)
    assert (expected > 0).any(axis=1).sum() == 46  # all free cells but the goal


def test_linear_dyna_solves_maze() -> None:
    """Episode 2 of 10 runs took 46 steps at random, 21 by PWMA and 24 by MG; here 6 of them."""
    env, second = gym.make("DynaMaze-v0"), {}
    for sweep in SWEEPS:
        lengths = []
        for seed in range(6):
            agent = LinearDyna(env, sweep=sweep, seed=seed, **TABLE)
            lengths.append(steps_of_episodes(agent, 2)[1])
        second[sweep] = np.mean(lengths)
    assert max(second["pwma"], second["mg"]) < 0.7 * second["random"]


def steps_of_episodes(agent: LinearDyna, episodes: int) -> list[int]:
    lengths: list[int] = []

    def count(step: Any) -> bool:
        if step.terminated or step.truncated:
            lengths.append(step.episode_length)
        return len(lengths) < episodes

    agent.learn(50_000, count)
    return lengths


# -- the model -------------------------------------------------------------------------------------


def feature_batch(n: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)) * (rng.random((n, 5)) < 0.5)
    return x, rng.normal(size=n), rng.normal(size=(n, 5))


def test_expectation_model_equals_learners() -> None:
    x, reward, y = feature_batch(40, 0)
    squares = LinearExpectation(5, 2, kind="recursive_least_squares")
    learner = RecursiveLeastSquares(5, 6)
    learner.update(x, np.column_stack((y, reward)))
    for row in zip(x, reward, y, strict=True):
        squares.learn(row[0], 1, float(row[1]), row[2], None)
    np.testing.assert_allclose(squares.leads[1], learner.weights[:, :5], atol=1e-9)
    np.testing.assert_allclose(squares.rewards[1], learner.weights[:, 5], atol=1e-9)
    assert not squares.leads[0].any()


def test_feature_model_starts_with_means() -> None:
    coding = TileCoding([0, 0], [1, 1], tiles=2, tilings=4)
    model = FeatureModel(coding, 1, size=2, model_rate=0.1)
    rng = np.random.default_rng(0)
    batch = Transitions(
        rng.random((50, 2)),
        np.zeros(50, dtype=np.int64),
        rng.normal(size=50),
        rng.random((50, 2)),
        rng.random(50) < 0.2,
    )
    model.update(batch)
    learner = LinearLeastMeanSquares(36, 37, step_size=0.1, averaging=True)
    x, y = model.encode(batch)
    assert not y[batch.terminated].any()
    learner.update(x, np.column_stack((y, batch.reward)))
    np.testing.assert_allclose(model.linear.leads[0], learner.weights[:, :36], atol=1e-12)
    np.testing.assert_allclose(model.linear.rewards[0], learner.weights[:, 36], atol=1e-12)
    with pytest.raises(RuntimeError, match="cannot be sampled"):
        model.sample(1, rng)


def test_lookahead_equals_expectation() -> None:
    model = LinearExpectation(2, 2)
    model.leads[1] = [[0.0, 0.5], [0.25, 0.0]]
    model.rewards[:] = [[1.0, 0.0], [0.0, 3.0]]
    worth = model.lookahead(np.array([1.0, 2.0]), np.array([4.0, 8.0]), 0.5)
    # Of action 1: b . x = 6, and F x = (0.5, 0.5), worth 6 after it.
    np.testing.assert_allclose(worth, [1.0, 6.0 + 0.5 * 6.0])


def test_back_up_follows_best_action() -> None:
    model = FeatureModel(lambda_one_hot(3), 2, size=3, model_rate=0.01)
    model.linear.rewards[:] = [[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]
    rates = {"learning_rate": 0.5, "planning_rate": 0.25}
    values = StateValues(model, FeatureSweeping(3, "random", 1e-8), **rates, gamma=0.9)
    values.back_up(np.eye(3)[1:])
    assert values.theta.tolist() == [0.0, 0.25 * 1.0, 0.25 * 2.0]


def test_planning_maximises_over_actions() -> None:
    """Two random outcomes: an expectation is right for state values (Wan et al. 2019).

    In s0 action 0 leads to s1 or s2; s1 pays 1 for action 0, s2 for action 1; so s0 is worth gamma.
    """
    model = FeatureModel(lambda_one_hot(3), 2, size=3, model_rate=0.01)
    rng = np.random.default_rng(0)
    lottery = rng.integers(1, 3, size=400)
    for s, a, reward, following, end in (
        *((0, 0, 0.0, int(outcome), False) for outcome in lottery),
        *((s, a, float(s == a + 1), 0, True) for s in (1, 2) for a in (0, 1)),
    ):
        single = (np.array([s]), np.array([a]), np.array([reward]), np.array([following]))
        model.update(one_hot(Transitions(*single, np.array([end])), 3))
    agent = LinearDyna(Spaces(spaces.Discrete(3), spaces.Discrete(2)), gamma=0.9, seed=0, **TABLE)
    agent.values.model = model  # type: ignore[attr-defined]
    agent.values.sweeping.sweep = "random"  # type: ignore[attr-defined]
    agent.values.plan(200, rng)  # type: ignore[attr-defined]
    np.testing.assert_allclose(agent.values.theta, [0.9, 1, 1])  # type: ignore[attr-defined]


def lambda_one_hot(n: int) -> Any:
    return CoordinateFeatures(-np.ones(n), np.ones(n), bias=False)  # of one-hot vectors, themselves


# -- without a table -------------------------------------------------------------------------------


@pytest.mark.parametrize("sweep", [SEEN, *SWEEPS])
def test_linear_dyna_learns_mountain_car(sweep: str) -> None:
    """With 4 seeds each, none needed over 400 steps in episode 5; random play rarely ends."""
    env = gym.make("MountainCar-v0", max_episode_steps=1000)
    agent = LinearDyna(env, learning_rate=0.5, gamma=1.0, epsilon=0.0, sweep=sweep, seed=0)
    assert steps_of_episodes(agent, 5)[-1] < 500


def test_linear_dyna_solves_continuous_corridor() -> None:
    agent = LinearDyna(point_maze(layout="S..G"), learning_rate=0.5, seed=0).learn(1000)
    assert agent.config["sweep"] == SEEN
    env = point_maze(layout="S..G")
    observation, _ = env.reset(seed=0)
    for _ in range(12):  # a shortest path has 5 steps
        action, _ = agent.predict(observation, deterministic=True)
        observation, _, terminated, *_ = env.step(action)
        if terminated:
            break
    assert terminated
    assert agent.action_probabilities([[0.5, 0.5]]).shape == (1, 4)
    assert agent.predict(np.zeros((0, 2)))[0].shape == (0,)


def test_single_features_overestimate_values() -> None:
    """No state of this corridor has a value above its goal's reward, 1."""
    best = {}
    for sweep in ("pwma", SEEN):
        agent = LinearDyna(point_maze(layout="S..G"), learning_rate=0.5, sweep=sweep, seed=0)
        agent.learn(1000)
        places = np.column_stack((np.full(30, 0.5), np.linspace(0, 3, 30)))
        best[sweep] = agent.values.values(places).max()
    assert best["pwma"] > 1.3
    assert best[SEEN] < 1.15


@pytest.mark.parametrize("sweep", [SEEN, *SWEEPS])
def test_linear_dyna_resumes_bit_identically(
    sweep: str, tmp_path: Path, same_bits: Callable[..., None]
) -> None:
    make = {"layout": "S.G"}
    once = LinearDyna(point_maze(**make), sweep=sweep, seed=3).learn(120)
    first = LinearDyna(point_maze(**make), sweep=sweep, seed=3).learn(45)
    first.save(tmp_path / "agent.npz")
    same_bits(once, LinearDyna.load(tmp_path / "agent.npz", point_maze(**make)).learn(75))


def test_load_requires_feature_object(tmp_path: Path) -> None:
    coding = TileCoding([0, 0], [1, 3], tiles=3, tilings=2)
    agent = LinearDyna(point_maze(layout="S.G"), features=coding, seed=0).learn(20)
    agent.save(tmp_path / "agent.npz")
    with pytest.raises(CheckpointError, match="features="):
        LinearDyna.load(tmp_path / "agent.npz")
    again = LinearDyna.load(tmp_path / "agent.npz", features=coding)
    places = [[0.5, 0.5], [0.5, 2.0]]
    np.testing.assert_array_equal(
        again.action_probabilities(places), agent.action_probabilities(places)
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sweep": "pwm"}, "did you mean 'pwma'"),
        ({"features": "tile_codin"}, "did you mean 'tile_coding'"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"model_rate": 2}, "model_rate"),
        ({"planning_rate": 0}, "planning_rate"),
        ({"planning_steps": -1}, "planning_steps"),
        ({"features": TileCoding([0, 0], [1, 3], tiles=64)}, "num_features=.*too large"),
    ],
)
def test_linear_dyna_rejects_invalid_argument(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        LinearDyna(point_maze(layout="S.G"), **change)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_update_rejects_nan(wrong: float) -> None:
    agent = LinearDyna(point_maze(layout="S.G"), seed=0).learn(10)
    good = Transitions(
        np.zeros((2, 2)),
        np.zeros(2, dtype=np.int64),
        np.ones(2),
        np.zeros((2, 2)),
        np.zeros(2, bool),
    )
    for part in (agent.values, agent.model):
        before = part.get_state()
        with pytest.raises(ValueError, match="expected"):
            part.update(good._replace(reward=np.array([0.0, wrong])))
        np.testing.assert_equal(part.get_state(), before)
