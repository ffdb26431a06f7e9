"""Regression learners as models, of vectors and of table rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, DynaQPlus, TableValues, Transitions
from dynamaze.agents.core.encoders import Vectors
from dynamaze.agents.core.features import Identity
from dynamaze.agents.learners.linear import BayesianLinear, RecursiveLeastSquares
from dynamaze.agents.learners.per_action import PerAction
from dynamaze.agents.linear.evaluation import FeatureTransitions, LinearEvaluation
from dynamaze.agents.models import (
    LEARNED_MODELS,
    MODELS,
    TABLE_MODELS,
    RegressionModel,
    StoredVectors,
    TabularAdapter,
    make_model,
    model_for,
)
from dynamaze.agents.models.vector_memory import VectorMemory
from dynamaze.agents.values.linear import LinearValues

LINEAR = ("linear", "recursive_linear", "bayesian_linear")
BOX = spaces.Box(0, 10, (2,), np.float64)


def walk(n: int, seed: int = 0, noise: float = 0.0) -> Transitions:
    """Transitions of a point that action a moves by (a, -a) / 4; it ends above 8 with reward 1."""
    rng = np.random.default_rng(seed)
    at, action = rng.uniform(2, 8, (n, 2)), rng.integers(3, size=n)
    step = action[:, None] * np.array([0.25, -0.25]) + noise * rng.normal(size=(n, 2))
    end = at[:, 0] > 7.5
    return Transitions(at, action, end.astype(np.float64), at + step, end)


def make_vectors(name: str) -> Any:
    return model_for(name, BOX, 3, observes="vectors", seed=np.random.SeedSequence(0))


@pytest.fixture(params=[*LINEAR, "stored_experience"])
def model(request: pytest.FixtureRequest) -> Any:
    return make_vectors(request.param)


def test_learned_model_names() -> None:
    assert {*LINEAR, "gaussian_process", "deep_belief", "ensemble"} == set(LEARNED_MODELS)
    assert set(MODELS) == {*LEARNED_MODELS, *TABLE_MODELS}
    assert {"latest_outcome", "maximum_likelihood", "stored_experience"} <= set(TABLE_MODELS)


def test_model_learns_dynamics(model: Any) -> None:
    model.update(walk(1500, noise=0.01))
    new = walk(200, seed=1)
    predicted = model.predict(new.observation, new.action)
    error = np.abs(predicted.next_observation - new.next_observation).mean()
    assert error < (0.1 if isinstance(model, RegressionModel) else 0.3)
    assert np.abs(predicted.reward - new.reward).mean() < 0.1
    assert ((predicted.terminated > 0.5) == new.terminated).mean() > 0.95
    assert not predicted.visits.any()
    drawn = model.sample(500, np.random.default_rng(0))
    moved = (drawn.next_observation - drawn.observation)[:, 0]
    assert np.abs(moved - drawn.action / 4).mean() < 0.06
    assert (drawn.terminated != (drawn.observation[:, 0] > 7.5)).mean() < 0.1


def test_predictions_have_spread_and_known() -> None:
    model = make_vectors("bayesian_linear")
    at, actions = np.array([[5.0, 5.0]]), np.array([1])
    assert model.predict(at, actions).known == 0
    model.update(walk(1200, noise=0.1))
    predicted, unseen = (model.predict(np.array([v]), actions) for v in ([5.0, 5.0], [0.0, 10.0]))
    assert predicted.next_spread.shape == (1, 2)
    np.testing.assert_allclose(predicted.next_spread, 0.1, atol=0.03)
    assert predicted.known > 0.9 > unseen.known
    assert unseen.next_spread.min() > predicted.next_spread.max()
    assert model.predict(walk(1).observation, walk(1).action).visits.tolist() == [0]
    model.update(walk(1, seed=5))
    assert model.predict(walk(1, seed=5).observation, walk(1, seed=5).action).visits.tolist() == [1]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_update_rejects_bad_batch(model: Any, wrong: float) -> None:
    good = walk(20)
    model.update(good)
    before = model.get_state()
    bad: list[dict[str, Any]] = [
        {"reward": np.append(good.reward[1:], wrong)},
        {"observation": np.vstack((good.observation[1:], [[0.0, wrong]]))},
        {"next_observation": np.vstack((good.observation[1:], [[wrong, 0.0]]))},
        {"action": good.action + 1},
        {"action": good.action[1:]},
        {"observation": good.observation[:, :1]},
        {"next_observation": np.zeros((20, 3))},
        {"terminated": good.terminated[1:]},
    ]
    for change in bad:
        with pytest.raises(ValueError, match="expected"):
            model.update(good._replace(**change))
    with pytest.raises(TypeError, match="expected integers"):
        model.update(good._replace(action=good.action.astype(float)))
    with pytest.raises(ValueError, match="action 7; expected 0 to 2"):
        model.predict(good.observation[:1], np.array([7]))
    with pytest.raises(ValueError, match="expected"):
        model.predict(good.observation[0], np.array([0]))
    np.testing.assert_equal(model.get_state(), before)


def test_sample_of_empty_model_raises(model: Any) -> None:
    with pytest.raises(RuntimeError, match="update it before"):
        model.sample(1, np.random.default_rng(0))
    model.update(Transitions(*(column[:0] for column in walk(3))))
    with pytest.raises(RuntimeError, match="update it before"):
        model.sample(1, np.random.default_rng(0))


def test_queries_do_not_learn(model: Any) -> None:
    given = walk(30)
    copies = [column.copy() for column in given]
    model.update(given)
    before = model.get_state()
    for column in model.sample(20, np.random.default_rng(0)):
        column[:] = 1
    model.predict(given.observation, given.action)
    np.testing.assert_equal(model.get_state(), before)
    np.testing.assert_equal(list(given), copies)


@pytest.mark.parametrize("name", [*LINEAR, "stored_experience"])
def test_state_restores_model(name: str) -> None:
    one, other = make_vectors(name), make_vectors(name)
    one.update(walk(90))
    state = one.get_state()
    other.set_state(state)
    for each in (one, other):
        each.update(walk(40, seed=3))
    np.testing.assert_equal(one.get_state(), other.get_state())
    left, right = (each.sample(50, np.random.default_rng(5)) for each in (one, other))
    np.testing.assert_equal(left, right)


def test_memory_is_ring_buffer() -> None:
    memory = VectorMemory(2, 3, capacity=100)
    whole = walk(250)
    for first in range(0, 250, 50):
        memory.add(Transitions(*(column[first : first + 50] for column in whole)))
    assert memory.used == 100
    kept = {tuple(row) for row in memory.rows.observation}
    assert kept == {tuple(row) for row in whole.observation[150:]}
    memory.add(whole)
    assert {tuple(row) for row in memory.rows.observation} == kept
    other = VectorMemory(2, 3, capacity=100)
    other.set_state(memory.get_state())
    np.testing.assert_equal(list(other.rows), list(memory.rows))
    with pytest.raises(ValueError, match="expected at most 50"):
        VectorMemory(2, 3, capacity=50).set_state(memory.get_state())


def test_model_rejects_learner_size() -> None:
    with pytest.raises(ValueError, match="expected 5 inputs"):
        RegressionModel(RecursiveLeastSquares(4, 4), 3)
    with pytest.raises(ValueError, match="did you mean 'mean'"):
        RegressionModel(RecursiveLeastSquares(5, 4), 3, draws="means")
    with pytest.raises(TypeError, match=r"'latest_outcome' is a table.*gaussian_process"):
        make_vectors("latest_outcome")
    with pytest.raises(TypeError, match="has rows"):
        model_for(make_model("linear", 3, 2), BOX, 3, observes="vectors")
    inside = RegressionModel(RecursiveLeastSquares(5, 4), 3)
    with pytest.raises(ValueError, match="expected a space with rows"):
        TabularAdapter(inside, Vectors(spaces.Discrete(5)))


# -- on rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("space", [spaces.Discrete(6, start=2), spaces.MultiDiscrete([2, 3])])
def test_adapter_equals_table_when_deterministic(name: str, space: Any) -> None:
    rng = np.random.default_rng(0)
    states, actions = np.repeat(np.arange(6), 12), np.tile(np.arange(3), 24)
    following, ends = rng.integers(6, size=(6, 3)), rng.random((6, 3)) < 0.2
    rewards = rng.normal(size=(6, 3))
    truth = [part[states, actions] for part in (rewards, following, ends)]
    learned = model_for(name, space, 3, observes="discrete", seed=np.random.SeedSequence(0))
    table = TABLE_MODELS["latest_outcome"](6, 3)
    for model in (learned, table):
        model.update(Transitions(states, actions, *truth))
    predicted, known = (m.predict(states, actions) for m in (learned, table))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(predicted.next_observation, known.next_observation)
    np.testing.assert_array_equal(predicted.visits, known.visits)
    np.testing.assert_allclose(predicted.reward, known.reward, atol=0.01)
    np.testing.assert_allclose(predicted.terminated, known.terminated, atol=0.01)
    drawn = learned.sample(400, np.random.default_rng(1))
    right = drawn.next_observation == following[drawn.observation, drawn.action]
    assert right.mean() > 0.99


def test_one_hot_expectation_samples_by_probability() -> None:
    model, exact = make_model("recursive_linear", 5, 2), make_model("maximum_likelihood", 5, 2)
    zeros = np.zeros(9, dtype=np.int64)
    following = np.array([1] * 6 + [2] * 2 + [3])
    batch = Transitions(zeros, zeros, np.zeros(9), following, np.zeros(9, dtype=np.bool_))
    shares = []
    for each in (model, exact):
        each.update(batch)
        drawn = each.sample(30_000, np.random.Generator(np.random.SFC64(1)))
        shares.append(np.bincount(drawn.next_observation, minlength=5) / 30_000)
    np.testing.assert_allclose(shares[0], [0, 6 / 9, 2 / 9, 1 / 9, 0], atol=0.017)
    np.testing.assert_allclose(shares[0], shares[1], atol=0.02)


@pytest.mark.parametrize("name", LINEAR)
def test_untried_actions_stay_without_reward(name: str) -> None:
    model = make_model(name, 4, 3, include_untried=True)
    ones = np.ones(1, dtype=np.int64)
    model.update(Transitions(ones, ones, np.ones(1), 2 * ones, np.ones(1, dtype=np.bool_)))
    drawn = model.sample(300, np.random.default_rng(0))
    tried = drawn.action == 1
    assert set(drawn.action) == {0, 1, 2}
    assert (drawn.observation == 1).all()
    assert (drawn.next_observation[~tried] == 1).all()
    assert not drawn.reward[~tried].any()
    assert not drawn.terminated[~tried].any()
    assert (drawn.next_observation[tried] == 2).all()


def test_unseen_rows_never_sampled() -> None:
    space = spaces.MultiDiscrete([1, 5])
    model = model_for("recursive_linear", space, 1, observes="discrete")
    zero, flag = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.bool_)
    # From 0 to 0 or to 4, each as likely: the mean, 2, is no row that was seen.
    model.update(Transitions(zero, zero, np.zeros(2), np.array([0, 4]), flag))
    drawn = model.sample(50, np.random.default_rng(0))
    assert set(drawn.next_observation) <= {0, 4}


@pytest.mark.parametrize("name", LINEAR)
def test_predict_rejects_invalid_pair(name: str) -> None:
    model: Any = make_model(name, 4, 2)
    one = np.ones(1, dtype=np.int64)
    before = model.get_state()
    for state, action, reward in ((4, 1, 0.0), (1, 2, 0.0), (1, 1, np.nan)):
        batch = Transitions(
            state * one, action * one, reward * one, one, np.zeros(1, dtype=np.bool_)
        )
        with pytest.raises(ValueError, match="transition 0 is"):
            model.update(batch)
    with pytest.raises(ValueError, match="observation 4; expected 0 to 3"):
        model.predict(4 * one, one)
    with pytest.raises(RuntimeError, match="update it before"):
        model.sample(1, np.random.default_rng(0))
    np.testing.assert_equal(model.get_state(), before)
    with pytest.raises(ValueError, match="index"):
        model.set_state({**before, "seen.pairs": before["seen.pairs"] + 99})


# -- agents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("observation", ["index", "coordinates"])
@pytest.mark.parametrize("name", LINEAR)
def test_dyna_q_solves_corridor(name: str, observation: str) -> None:
    env = gym.make("DynaMaze-v0", layout="S.G", observation=observation)
    agent = DynaQ(env, model=name, gamma=0.5, learning_rate=1.0, epsilon=0.5, seed=1).learn(400)
    expected = [[0.25, 0.5, 0.25, 0.25], [0.5, 1.0, 0.5, 0.25], [0, 0, 0, 0]]
    np.testing.assert_allclose(agent.values.q, expected, atol=0.02)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("agent", [DynaQ, DynaQPlus])
def test_agent_resumes_bit_identical(
    name: str, agent: Any, tmp_path: Any, same_bits: Callable[..., None]
) -> None:
    env = {"slip_probability": 0.2}
    whole = agent(gym.make("DynaMazeBlocking-v0", **env), model=name, seed=3).learn(150)
    whole.save(tmp_path / "agent.npz")
    resumed = agent.load(tmp_path / "agent.npz", gym.make("DynaMazeBlocking-v0", **env))
    same_bits(whole.learn(150), resumed.learn(150))


@pytest.mark.parametrize("name", LINEAR)
def test_linear_models_on_other_environments(name: str) -> None:
    for env in ("FrozenLake-v1", "CliffWalking-v1", "Blackjack-v1"):
        assert DynaQ(env, model=name, seed=0).learn(120).num_timesteps == 120


def test_adapter_object_used_unchanged() -> None:
    inside = RegressionModel(
        PerAction(BayesianLinear, 54, 4, 56), 4, features=Identity(54), draws="mean"
    )
    model = TabularAdapter(inside, Vectors(spaces.Discrete(54)))
    agent = DynaQ("DynaMaze-v0", model=model, seed=0).learn(50)
    assert agent.model is model
    with pytest.raises(ValueError, match="TabularAdapter"):
        DynaQ("DynaMaze-v0", model=inside)


# -- expectations and action values --------------------------------------------------------------


def two_successors(n: int) -> Transitions:
    """State 0 leads to 1 or 2. In 1 the first action has reward 1, in 2 the second; then it ends.

    So action values of 0 are 1, with gamma 1, but at the mean of 1 and 2 each has value 1/2.
    """
    rows, actions = np.tile(np.arange(3), n), np.repeat([0, 1], 3 * n // 2)
    first = rows == 0
    rewards = ((rows == 1) & (actions == 0)) | ((rows == 2) & (actions == 1))
    order = np.cumsum(first) % 2  # 1 and 2 in turn
    return Transitions(
        rows, actions, rewards.astype(np.float64), np.where(first, 1 + order, rows), ~first
    )


def test_action_values_from_expectations_biased() -> None:
    batch, vectors = two_successors(120), Vectors(spaces.Discrete(3))
    seen = batch._replace(
        observation=vectors.of_rows(batch.observation),
        next_observation=vectors.of_rows(batch.next_observation),
    )
    learner = PerAction(RecursiveLeastSquares, 3, 2, 5)
    model = RegressionModel(learner, 2, draws="mean")
    assert "expectation" in model.capabilities
    model.update(seen)
    values = LinearValues(Identity(3), 2, learning_rate=0.1, gamma=1.0, size=3)
    rng = np.random.default_rng(0)
    values.update(model.sample(4000, rng))
    learned = values.values(np.eye(3))
    np.testing.assert_allclose(learned[1:], [[1, 0], [0, 1]], atol=0.02)
    np.testing.assert_allclose(learned[0], 0.5, atol=0.05)  # not 1

    drawing = TabularAdapter(RegressionModel(learner, 2, draws="mean"), vectors)
    drawing.update(batch)
    assert "expectation" not in drawing.capabilities
    table = TableValues(3, 2, learning_rate=0.05, gamma=1.0)
    table.update(drawing.sample(8000, rng))
    np.testing.assert_allclose(table.q[0], 1.0, atol=0.02)


def test_state_values_from_expectations_unbiased() -> None:
    batch, eye = two_successors(120), np.vstack((np.eye(3), np.zeros(3)))
    best = (batch.observation == 0) | (batch.reward > 0)  # the best policy, whose values count
    following = np.where(batch.terminated, 3, batch.next_observation)
    dyna = LinearEvaluation(
        3, model="recursive_least_squares", sweep="random", planning_step_size=1.0
    )
    dyna.update(
        FeatureTransitions(eye[batch.observation[best]], batch.reward[best], eye[following[best]]),
        np.random.default_rng(0),
    )
    np.testing.assert_allclose(dyna.theta, 1.0, atol=0.01)


def test_stored_vectors_predict_nearest() -> None:
    model = StoredVectors(1, 2)
    model.update(
        Transitions(
            np.array([[0.0], [1.0]]),
            np.zeros(2, dtype=np.int64),
            np.array([3.0, 4.0]),
            np.array([[5.0], [6.0]]),
            np.array([False, True]),
        )
    )
    predicted = model.predict(np.array([[0.2], [0.9], [0.9]]), np.array([0, 0, 1]))
    assert predicted.reward.tolist() == [3, 4, 0]
    assert predicted.next_observation.ravel().tolist() == [5, 6, 0.9]
    assert predicted.terminated.tolist() == [0, 1, 0]


@pytest.mark.parametrize("most", [5, 2000])
def test_grounded_samples_are_seen_vectors(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamaze.agents.models.regression.MAX_NEAREST_CANDIDATES", most)
    rng = np.random.default_rng(0)
    seen = rng.random((50, 2))
    batch = Transitions(
        rng.random((50, 2)), rng.integers(3, size=50), np.zeros(50), seen, np.zeros(50, dtype=bool)
    )
    models = [
        RegressionModel(PerAction(RecursiveLeastSquares, 2, 3, 4), 3, draws="mean", grounded=g)
        for g in (True, False)
    ]
    for model in models:
        model.update(batch)
    grounded, free = (model.sample(200, np.random.default_rng(1)) for model in models)
    np.testing.assert_array_equal(grounded.observation, free.observation)
    apart = ((grounded.next_observation[:, None] - seen) ** 2).sum(axis=2)
    assert (apart.min(axis=1) == 0).all()
    assert not np.isin(free.next_observation, seen).any()
    if most > 50:  # all were looked at, so that none is nearer
        nearest = ((free.next_observation[:, None] - seen) ** 2).sum(axis=2).argmin(axis=1)
        np.testing.assert_array_equal(grounded.next_observation, seen[nearest])
    assert "expectation" in models[1].capabilities - models[0].capabilities
