"""Linear and network action values, and agents with vector observations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import dynamaze  # noqa: F401
from dynamaze.agents import (
    DynaQ,
    DynaQPlus,
    LatestOutcome,
    QLearning,
    Spaces,
    TableValues,
    Transitions,
)
from dynamaze.agents.core.features import CoordinateFeatures, Identity, TileCoding
from dynamaze.agents.values.linear import LinearValues
from dynamaze.agents.values.network import NetworkValues
from dynamaze.common.storage import CheckpointError

FAST = ("stored_experience", "linear", "recursive_linear", "bayesian_linear")


def point_maze(layout: str = "S.G", **more: Any) -> gym.Env[Any, Any]:
    return gym.make(
        "DynaMazeContinuous-v0", layout=layout, action="discrete", observation="position", **more
    )


def rows(n: int, seed: int = 0) -> Transitions:
    """Transitions of a table with 4 rows and 3 actions."""
    rng = np.random.default_rng(seed)
    return Transitions(
        rng.integers(4, size=n),
        rng.integers(3, size=n),
        rng.normal(size=n),
        rng.integers(4, size=n),
        rng.random(n) < 0.3,
    )


def one_hot(batch: Transitions) -> Transitions:
    eye = np.eye(4)
    return batch._replace(
        observation=eye[batch.observation], next_observation=eye[batch.next_observation]
    )


def make_linear(**more: Any) -> LinearValues:
    return LinearValues(
        TileCoding([0, 0], [1, 1]), 3, **{"learning_rate": 0.5, "gamma": 0.9, **more}
    )


def make_network(**more: Any) -> NetworkValues:
    rng = np.random.default_rng(0)
    return NetworkValues([0, 0], [1, 1], 3, **{"rng": rng, "batch_size": 8, **more})


def vectors(n: int, seed: int = 0) -> Transitions:
    rng = np.random.default_rng(seed)
    return rows(n, seed)._replace(
        observation=rng.random((n, 2)), next_observation=rng.random((n, 2))
    )


@pytest.mark.parametrize("initial_value", [0.0, 0.7])
def test_linear_values_equal_table_on_one_hot(initial_value: float) -> None:
    arguments: dict[str, Any] = {
        "learning_rate": 0.3,
        "gamma": 0.9,
        "initial_value": initial_value,
    }
    table = TableValues(4, 3, **arguments)
    for features in (Identity(4), TileCoding([0] * 4, [1] * 4, tiles=1, tilings=1)):
        linear = LinearValues(features, 3, size=4, **arguments)
        table = TableValues(4, 3, **arguments)
        for seed in range(3):
            table.update(rows(50, seed))
            linear.update(one_hot(rows(50, seed)))
        np.testing.assert_allclose(linear.values(np.eye(4)), table.q, atol=1e-12)


def test_linear_updates_follow_semi_gradient() -> None:
    batch = vectors(60)
    for features in (TileCoding([0, 0], [1, 1], tilings=4), CoordinateFeatures([0, 0], [1, 1])):
        linear = LinearValues(features, 3, learning_rate=0.2, gamma=0.9, size=2)
        linear.update(batch)
        weights = np.zeros((3, features.num_features))
        for s, action, reward, following, end in zip(*batch, strict=True):
            x, y = features(s[None])[0], features(following[None])[0]
            target = reward + (0 if end else 0.9) * (weights @ y).max()
            weights[action] += 0.2 / (x @ x) * (target - weights[action] @ x) * x
        np.testing.assert_allclose(linear.weights, weights, atol=1e-12)
        assert linear.values(batch.observation).shape == (60, 3)


def test_network_learns_terminal_rewards() -> None:
    values = make_network(learning_rate=3e-3, initial_value=0.5)
    np.testing.assert_allclose(
        values.values(np.random.default_rng(1).random((9, 2))), 0.5, atol=0.1
    )
    batch = vectors(4000)
    reward = np.where(batch.action == 1, batch.observation[:, 0], batch.observation[:, 1])
    values.update(batch._replace(reward=reward, terminated=np.ones(4000, dtype=np.bool_)))
    places = np.array([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(values.values(places)[:, 1], places[:, 0], atol=0.15)
    np.testing.assert_allclose(values.values(places)[:, 2], places[:, 1], atol=0.15)


def test_network_steps_per_complete_batch() -> None:
    whole, parts = make_network(), make_network()
    batch = vectors(8 * 5 + 3)
    whole.update(batch)
    for first, last in ((0, 1), (1, 1), (1, 20), (20, 43)):
        parts.update(Transitions(*(column[first:last] for column in batch)))
    assert whole.steps == parts.steps == 5
    np.testing.assert_equal(whole.get_state(), parts.get_state())


def test_radial_bases_represent_jump() -> None:
    """The reward changes between 0 and 1 eight times along a coordinate."""
    errors = {}
    for bumps in (0, 16):
        values = make_network(bumps=bumps)
        batch = vectors(8000)
        reward = np.floor(batch.observation[:, 0] * 8) % 2
        values.update(batch._replace(reward=reward, terminated=np.ones(8000, dtype=np.bool_)))
        error = values.values(batch.observation).mean(axis=1) - reward
        errors[bumps] = np.sqrt((error**2).mean())
    assert errors[16] < 0.6 * errors[0]


def test_network_steps_at_whole_batches() -> None:
    values = NetworkValues([0, 0], [1, 1], 3, rng=np.random.default_rng(0))
    for n, steps in ((15, 0), (1, 1), (33, 3)):  # 16 transitions each by default
        values.update(vectors(n))
        assert values.steps == steps


def test_target_network_propagates_reward() -> None:
    """Twelve states in a row, the last one terminal with reward 1; 5000 random transitions."""
    seen = {}
    for follow in (None, 0.01):
        more = {} if follow is None else {"target_rate": follow}
        values = NetworkValues([0], [1], 1, rng=np.random.default_rng(0), gamma=0.9, **more)
        place = np.random.default_rng(1).integers(12, size=5000)
        values.update(
            Transitions(
                place[:, None] / 12,
                np.zeros(5000, dtype=np.int64),
                (place == 11).astype(np.float64),
                (place[:, None] + 1) / 12,
                place == 11,
            )
        )
        seen[follow] = values.values(np.zeros((1, 1)))[0, 0] / 0.9**11
    assert seen[None] > 0.9
    assert seen[0.01] < 0.2


@pytest.mark.parametrize(("observation", "inputs"), [("index", 3), ("coordinates", 2 + 16)])
def test_network_inputs_have_radial_bases(observation: str, inputs: int) -> None:
    env = gym.make("DynaMaze-v0", layout="S.G", observation=observation)
    values: Any = DynaQ(env, values="network", seed=0).values
    assert values.features.num_features == inputs


@pytest.mark.parametrize("make", [make_linear, make_network])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_update_rejects_bad_batch(make: Any, wrong: float) -> None:
    values, good = make(), vectors(9)
    values.update(good)
    before = values.get_state()
    for change in (
        {"reward": np.append(good.reward[1:], wrong)},
        {"next_observation": np.vstack((good.observation[1:], [[wrong, 0.0]]))},
        {"observation": good.observation[:, :1]},
        {"action": good.action + 3},
        {"reward": good.reward[1:]},
    ):
        with pytest.raises(ValueError, match="expected"):
            values.update(good._replace(**change))
    np.testing.assert_equal(values.get_state(), before)


@pytest.mark.parametrize("make", [make_linear, make_network])
def test_state_is_copy_and_resumes(make: Any) -> None:
    one, other = make(), make()
    one.update(vectors(50))
    state, same = one.get_state(), one.get_state()
    other.set_state(state)
    for each in (one, other):
        each.update(vectors(60, seed=4))
        each.values(np.zeros((1, 2)))[:] = 7
    np.testing.assert_equal(state, same)
    np.testing.assert_equal(one.get_state(), other.get_state())
    name = next(key for key in state if "weights" in key)
    with pytest.raises(ValueError, match=r"shape \(1, 1\)"):
        one.set_state({**state, name: np.zeros((1, 1), dtype=state[name].dtype)})
    np.testing.assert_equal(one.get_state(), other.get_state())


def test_diverging_values_rejected() -> None:
    values = make_linear()
    before = values.get_state()
    again = Transitions(*(np.repeat(column, 40, axis=0) for column in vectors(1)))
    with pytest.raises(ValueError, match="diverge"):
        values.update(again._replace(reward=1.7e308 * (-1.0) ** np.arange(40)))
    np.testing.assert_equal(values.get_state(), before)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"learning_rate": 0}, "learning_rate"),
        ({"gamma": 2}, "gamma"),
        ({"initial_value": np.nan}, "initial_value"),
    ],
)
@pytest.mark.parametrize("make", [make_linear, make_network])
def test_values_reject_invalid_numbers(make: Any, change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make(**change)


# -- agents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", FAST)
def test_tile_coding_solves_corridor(model: str) -> None:
    agent = DynaQ(point_maze("S..G"), values="tile_coding", model=model, seed=0).learn(1200)
    env = point_maze("S..G")
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        for _ in range(12):
            action, _ = agent.predict(observation, deterministic=True)
            observation, _, terminated, *_ = env.step(action)
            if terminated:
                break
        assert terminated


def test_network_solves_corridor() -> None:
    agent = DynaQ(point_maze("S..G"), values="network", planning_steps=15, seed=0).learn(1500)
    actions, _ = agent.predict([[0.5, 0.5], [0.5, 1.5], [0.5, 2.5]], deterministic=True)
    np.testing.assert_array_equal(actions, 1)


KINDS: list[dict[str, Any]] = [
    *({"values": "tile_coding", "model": model} for model in FAST),
    {"values": "network"},
    {"values": "network", "model": "linear"},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_agent_resumes_bit_identical(
    kind: dict[str, Any], tmp_path: Path, same_bits: Callable[..., None]
) -> None:
    once = DynaQ(point_maze(), seed=3, **kind).learn(120)
    first = DynaQ(point_maze(), seed=3, **kind).learn(45)
    first.save(tmp_path / "agent.npz")
    resumed = DynaQ.load(tmp_path / "agent.npz", point_maze())
    assert resumed.observation.dtype == np.float32
    same_bits(once, resumed.learn(75))
    alone = DynaQ.load(tmp_path / "agent.npz")
    many = np.random.default_rng(0).uniform(0, 1, (6, 2)).astype(np.float32)
    np.testing.assert_array_equal(
        alone.predict(many, deterministic=True)[0], first.predict(many, deterministic=True)[0]
    )


@pytest.mark.parametrize("values", ["tile_coding", "network"])
def test_batch_predictions_equal_single(values: str) -> None:
    one, other = (
        DynaQ(point_maze(), values=values, epsilon=0.5, seed=2).learn(80) for _ in range(2)
    )
    batch = np.random.default_rng(0).uniform(0, 1, (20, 2))
    together, _ = one.predict(batch)
    np.testing.assert_array_equal(together, [other.predict(each)[0] for each in batch])
    probabilities = one.action_probabilities(batch)
    assert probabilities.shape == (20, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert one.predict(np.zeros((0, 2)))[0].shape == (0,)
    for wrong in ([1.0], [[1, 2, 3]], [np.nan, 0], "up"):
        with pytest.raises(ValueError, match="expected one of Box"):
            one.predict(wrong)


@pytest.mark.parametrize("values", ["tile_coding", "network"])
@pytest.mark.parametrize("observation", ["index", "coordinates"])
def test_vector_values_on_discrete_environments(values: str, observation: str) -> None:
    env = gym.make("DynaMaze-v0", layout="S.G", observation=observation)
    agent = DynaQ(env, values=values, model="linear", gamma=0.5, planning_steps=31, seed=0)
    agent.learn(800)
    start, _ = env.reset()
    assert agent.predict(start, deterministic=True)[0] == 1


@pytest.mark.parametrize("values", ["tile_coding", "network"])
def test_q_learning_accepts_values(values: str) -> None:
    agent = QLearning(point_maze(), values=values, seed=0).learn(100)
    assert agent.config["learning_rate"] == (0.1 if values == "tile_coding" else 1e-3)


def test_value_objects_needed_on_load(tmp_path: Path) -> None:
    def make() -> LinearValues:
        return LinearValues(TileCoding([0, 0], [1, 3]), 4, learning_rate=0.5, gamma=0.9)

    values = make()
    agent = DynaQ(point_maze(), values=values, seed=0).learn(60)
    assert agent.values is values
    agent.save(tmp_path / "agent.npz")
    with pytest.raises(CheckpointError, match="values="):
        DynaQ.load(tmp_path / "agent.npz")
    loaded = DynaQ.load(tmp_path / "agent.npz", values=make())
    np.testing.assert_array_equal(loaded.values.weights, values.weights)  # type: ignore[attr-defined]


def test_unsuitable_values_rejected() -> None:
    with pytest.raises(TypeError, match='values="tile_coding"'):
        DynaQ(point_maze())
    with pytest.raises(ValueError, match="did you mean 'tile_coding'"):
        DynaQ(point_maze(), values="tile_codin")
    with pytest.raises(TypeError, match="is a table, and these values see vectors"):
        DynaQ(point_maze(), values="tile_coding", model="latest_outcome")
    with pytest.raises(TypeError, match="has rows"):
        DynaQ(point_maze(), values="tile_coding", model=LatestOutcome(54, 4))
    with pytest.raises(TypeError, match="is a class"):
        DynaQ(point_maze(), values=LinearValues)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="has no 'values'"):
        DynaQ(point_maze(), values=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a table needs"):
        DynaQPlus(point_maze())
    unbounded = gym.spaces.Box(-np.inf, np.inf, (2,))
    with pytest.raises(TypeError, match='values="network"'):
        DynaQ(Spaces(unbounded, spaces.Discrete(2)), values="tile_coding")
    assert DynaQ(Spaces(unbounded, spaces.Discrete(2)), values="network").predict([0.0, 9.0])
    with pytest.raises(TypeError, match="there are no rows"):
        _ = DynaQ(point_maze(), values="tile_coding").rows
