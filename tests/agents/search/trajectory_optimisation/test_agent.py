"""Trajectory optimisation of continuous actions: the cross-entropy method and MPPI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

from dynamaze.agents.core.encoders import Vectors
from dynamaze.agents.core.spaces import Spaces
from dynamaze.agents.core.transitions import Transitions
from dynamaze.agents.models import LEARNED_MODELS, NullModel
from dynamaze.agents.search.simulators import VectorBatchSimulator
from dynamaze.agents.search.trajectory_optimisation.agent import TrajectoryOptimisation
from dynamaze.agents.search.trajectory_optimisation.planning import (
    ActionBox,
    TrajectorySettings,
    evaluate_candidates,
    optimise_plan,
    weighted_mean,
)
from dynamaze.envs.continuous.env import DynaMazeContinuousEnv

METHODS = ("cem", "mppi")
ROOM = "S..\n...\n..G"
SMALL: dict[str, Any] = {
    "horizon": 6,
    "settings": TrajectorySettings(num_candidates=24, iterations=2, elites=4, particles=1),
}


class WithoutSampling(gym.Env[Any, Any]):
    """Environment with the same spaces, without `sample_transitions`."""

    def __init__(self, observation_space: Any, action_space: Any) -> None:
        self.observation_space, self.action_space = observation_space, action_space


def maze(layout: str = ROOM, **more: Any) -> Any:
    return TimeLimit(DynaMazeContinuousEnv(layout, **more), 100)


class Plane:
    """Model of the plane, in which a step costs the squared distance to (1, -2)."""

    observes, size, capabilities = "vectors", 2, frozenset({"sample"})

    def sample_transitions(
        self, vectors: Any, actions: Any, rng: np.random.Generator
    ) -> Transitions:
        following = vectors + actions
        cost = ((following - np.array([1.0, -2.0])) ** 2).sum(axis=1)
        return Transitions(vectors, actions, -cost, following, np.zeros(len(cost), dtype=bool))

    def update(self, transitions: Transitions) -> None:
        """Do nothing; the model is exact."""


class WithoutUpdate:
    """Model without `update`."""

    observes, size, capabilities = "vectors", 2, frozenset({"sample"})
    sample_transitions = Plane.sample_transitions


SETTINGS = TrajectorySettings(
    num_candidates=200,
    iterations=12,
    particles=1,
    elites=20,
    temperature=0.1,
    init_std=0.3,
    temporal_correlation=0.0,
)


def zero_values(vectors: Any) -> Any:
    return np.zeros(len(vectors))


@pytest.mark.parametrize("method", METHODS)
def test_optimiser_finds_best_plan(method: str) -> None:
    """With steps of at most 1: (1, -1), then (0, -1), then zero.

    The seed is fixed; with 20 others both actions were within 0.29 (CEM) and 0.28 (MPPI).
    """
    box = ActionBox(-np.ones(2), np.ones(2))
    rng = np.random.Generator(np.random.SFC64(0))
    plan = optimise_plan(
        VectorBatchSimulator(Plane()),
        np.zeros((1, 2)),
        zero_values,
        np.zeros((4, 2)),
        box,
        method=method,
        settings=SETTINGS,
        gamma=0.9,
        rng=rng,
    )
    np.testing.assert_allclose(plan[:2], [[1, -1], [0, -1]], atol=0.35)
    assert (np.abs(plan) <= 1).all()


def test_returns_include_terminal_value() -> None:
    plans = np.array([[[1.0, 0.0], [0.0, -2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    found = evaluate_candidates(
        VectorBatchSimulator(Plane()),
        np.zeros((1, 2)),
        lambda vectors: vectors[:, 1],
        plans,
        particles=3,
        gamma=0.9,
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(found, [-4.0 - 0.0 + 0.81 * -2.0, -5.0 - 0.9 * 5.0])


def test_returns_stop_at_termination() -> None:
    class Cliff(Plane):
        def sample_transitions(
            self, vectors: Any, actions: Any, rng: np.random.Generator
        ) -> Transitions:
            imagined = super().sample_transitions(vectors, actions, rng)
            ended = imagined.next_observation[:, 0] > 0.5
            return imagined._replace(reward=np.ones(len(ended)), terminated=ended)

    plans = np.array([[[1.0, 0.0]] * 3, [[0.0, 0.0]] * 3])
    found = evaluate_candidates(
        VectorBatchSimulator(Cliff()),
        np.zeros((1, 2)),
        lambda vectors: np.full(len(vectors), 10.0),
        plans,
        particles=1,
        gamma=0.9,
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(found, [1.0, 1 + 0.9 + 0.81 + 7.29])


def test_mppi_weights_are_exponential() -> None:
    plans, returns = np.array([[[0.0]], [[1.0]], [[2.0]]]), np.array([0.0, 1.0, 2.0])
    scale = 0.5 * returns.std()
    weights = np.exp(returns / scale)
    wanted = weights @ np.arange(3) / weights.sum()
    np.testing.assert_allclose(weighted_mean(plans, returns, 0.5), [[wanted]])
    np.testing.assert_allclose(weighted_mean(plans, np.ones(3), 0.5), [[1.0]])


@pytest.mark.parametrize("method", METHODS)
def test_true_model_solves_maze(method: str) -> None:
    """From the first to the last corner of a room: 7 steps or more."""
    agent = TrajectoryOptimisation(maze(), model="true", method=method, seed=0, **SMALL)
    lengths: list[int] = []
    agent.learn(200, lambda step: lengths.append(step.episode_length) if step.terminated else 0)
    assert len(lengths) >= 10
    assert np.median(lengths[-5:]) <= 13


def test_learned_model_solves_maze() -> None:
    agent = TrajectoryOptimisation(maze(noise=0.02), model="gaussian_process", seed=0, **SMALL)
    lengths: list[int] = []
    agent.learn(300, lambda step: lengths.append(step.episode_length) if step.terminated else 0)
    assert len(lengths) >= 8
    assert np.median(lengths[-5:]) <= 20


def test_value_function_guides_search() -> None:
    """With a value function the first episode needs no learning."""

    def closeness(vectors: Any) -> Any:
        return -np.abs(vectors - 2.5).sum(axis=1) / 10

    agent = TrajectoryOptimisation(maze(), model="true", values=closeness, seed=0, **SMALL)
    lengths: list[int] = []
    agent.learn(30, lambda step: lengths.append(step.episode_length) if step.terminated else 0)
    assert lengths[0] <= 12


def test_env_copies_solve_maze() -> None:
    env = TimeLimit(DynaMazeContinuousEnv("S.G", noise=0.0), 50)
    agent = TrajectoryOptimisation(
        env,
        model="simulator",
        horizon=5,
        settings=TrajectorySettings(num_candidates=12, iterations=1, elites=4, particles=1),
        planning_steps=0,
        values=lambda v: v[:, 1] / 10,
        seed=0,
    )
    lengths: list[int] = []
    agent.learn(16, lambda step: lengths.append(step.episode_length) if step.terminated else 0)
    assert lengths[0] <= 8


def test_env_copies_reject_planning() -> None:
    """Copies start at the present state only: values of stored observations cannot be updated."""
    with pytest.raises(ValueError, match=r"planning_steps=20 .*expected planning_steps=0, or a"):
        TrajectoryOptimisation(maze(), model="simulator")
    for fitting in ({"planning_steps": 0}, {"values": "zero"}, {"values": zero_values}):
        given: dict[str, Any] = {**SMALL, **fitting}
        TrajectoryOptimisation(maze(), model="simulator", seed=0, **given).learn(2)


def test_planning_begins_simulator_states() -> None:
    """States of a simulator need not be observations; here they are pairs."""

    class Paired:
        observes, capabilities, num_actions = "vectors", frozenset({"sample"}), 0
        get_state, set_state = (lambda self: {}), (lambda self, state: None)

        def begin(self, observation: Any) -> Any:
            return ("state", observation)

        def step(self, state: Any, action: Any, rng: np.random.Generator) -> Any:
            kind, vector = state
            assert kind == "state"
            return (kind, np.clip(vector + 0.1 * action, 0.0, 3.0)), 1.0, False

        def observation(self, state: Any) -> Any:
            return state[1]

        def key(self, state: Any) -> Any:
            return state[1].tobytes()

        def update(self, transitions: Transitions) -> None:
            """Do nothing; the model is fixed."""

    agent = TrajectoryOptimisation(maze(), model=Paired(), planning_steps=3, seed=0, **SMALL)
    agent.learn(3)
    assert (agent.values.get_state()["weights"] > 0).any()  # rewards of 1 are above 0.5


def test_loaded_env_copies_resume(tmp_path: Path, same_bits: Callable[[Any, Any], None]) -> None:
    """A checkpoint names placeholder actions; loaded copies take the real ones."""
    given: dict[str, Any] = {**SMALL, "model": "simulator", "planning_steps": 0, "horizon": 3}
    whole = TrajectoryOptimisation(maze(), seed=4, **given).learn(8)
    half = TrajectoryOptimisation(maze(), seed=4, **given).learn(5)
    half.save(tmp_path / "agent.npz")
    same_bits(whole, TrajectoryOptimisation.load(tmp_path / "agent.npz", maze()).learn(3))


def test_agent_runs_on_pendulum() -> None:
    agent = TrajectoryOptimisation("Pendulum-v1", model="gaussian_process", seed=0, **SMALL).learn(
        5
    )
    observation = np.array([1.0, 0.0, 0.0], dtype=np.float32)
    action, _ = agent.predict(observation)
    batch, _ = agent.predict(np.stack([observation] * 3), deterministic=True)
    space: Any = agent.action_space
    assert space.contains(action)
    assert batch.shape == (3, 1)


def test_plan_is_reset_per_episode() -> None:
    agent = TrajectoryOptimisation(maze(), model="true", seed=0, **SMALL)
    planning: Any = agent.planning
    resets = []
    search = planning._initial_plan

    def count() -> Any:
        resets.append(agent.num_timesteps)
        return search()

    planning._initial_plan = count
    first: list[int] = [0]
    agent.learn(60, lambda step: first.append(agent.num_timesteps) if step.terminated else 0)
    assert resets == [step for step in first if step < 60]
    assert planning.plan_ahead.any()


def test_predict_leaves_agent_unchanged() -> None:
    agent = TrajectoryOptimisation(maze(), model="true", seed=0, **SMALL).learn(20)
    parts = [getattr(agent, part).get_state() for part in ("values", "model", "planning")]
    state = agent.rng.bit_generator.state
    agent.predict(np.array([[0.5, 0.5], [1.5, 1.5]], dtype=np.float32))
    after = [getattr(agent, part).get_state() for part in ("values", "model", "planning")]
    np.testing.assert_equal(after, parts)
    np.testing.assert_equal(agent.rng.bit_generator.state, state)


@pytest.mark.parametrize("model", ["true", "bayesian_linear"])
def test_agent_resumes_bit_identically(
    model: str, tmp_path: Path, same_bits: Callable[[Any, Any], None]
) -> None:
    def make() -> TrajectoryOptimisation:
        return TrajectoryOptimisation(maze(), model=model, seed=4, **SMALL)

    whole, half = make().learn(60), make().learn(25)
    half.save(tmp_path / "agent.npz")
    resumed = TrajectoryOptimisation.load(tmp_path / "agent.npz", maze()).learn(35)
    same_bits(whole, resumed)
    np.testing.assert_equal(whole.planning.get_state(), resumed.planning.get_state())


def test_load_requires_objects(tmp_path: Path) -> None:
    given: dict[str, Any] = {"values": zero_values, "model": Plane()}
    with pytest.raises(TypeError, match="cannot be saved"):
        TrajectoryOptimisation(maze(), seed=0, **given).save(tmp_path / "agent.npz")
    agent = TrajectoryOptimisation(
        maze(), model="linear", values=zero_values, seed=0, **SMALL
    ).learn(3)
    agent.save(tmp_path / "agent.npz")
    with pytest.raises(ValueError, match="saved with a values object"):
        TrajectoryOptimisation.load(tmp_path / "agent.npz")
    loaded = TrajectoryOptimisation.load(tmp_path / "agent.npz", values=zero_values)  # type: ignore[arg-type]
    assert loaded.action_space == agent.action_space
    assert loaded.env is None
    loaded.predict(np.array([0.5, 0.5], dtype=np.float32))


def test_set_env_rejects_other_actions() -> None:
    agent = TrajectoryOptimisation(maze(), model="true", seed=0, **SMALL)
    with pytest.raises(ValueError, match="an environment with"):
        agent.set_env(maze(action="discrete"))
    with pytest.raises(TypeError, match="has no `sample_transitions"):
        agent.set_env(WithoutSampling(maze().observation_space, maze().action_space))
    assert isinstance(agent.env, TimeLimit)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "ces"}, "method='ces'.*did you mean 'cem'"),
        ({"horizon": 0}, r"horizon=0; expected a whole number in \[1, "),
        ({"planning_steps": -1}, "planning_steps=-1; expected a whole number"),
        ({"gamma": 1.5}, "gamma=1.5; expected a number in"),
        ({"model": "gaussian"}, "model='gaussian'.*did you mean 'gaussian_process'"),
        ({"values": "tiles"}, "values='tiles'; expected one of"),
    ],
)
def test_agent_rejects_invalid_argument(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrajectoryOptimisation(maze(), **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_candidates": 0}, r"num_candidates=0; expected a whole number in \[1, "),
        ({"iterations": 0}, r"iterations=0; expected a whole number in \[1, "),
        ({"particles": 0}, r"particles=0; expected a whole number in \[1, "),
        ({"elites": 65}, "elites=65 of num_candidates=64; expected at most as many"),
        ({"temperature": 0.0}, "temperature=0.0; expected a number"),
        ({"temporal_correlation": 1.0}, "temporal_correlation=1; expected a number in"),
        ({"action_noise_std": -1.0}, "action_noise_std=-1.0; expected a number"),
    ],
)
def test_settings_reject_invalid_number(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrajectorySettings(**wrong)


def test_agent_rejects_unsupported_parts() -> None:
    plain = "DynaMazeContinuous-v0"
    with pytest.raises(TypeError, match=r"action space Discrete\(4\); expected a Box"):
        TrajectoryOptimisation(gym.make(plain, action="discrete"))
    env = gym.make(plain)
    with pytest.raises(TypeError, match="has no `sample_transitions"):
        TrajectoryOptimisation(
            WithoutSampling(env.observation_space, env.action_space), model="true"
        )
    with pytest.raises(TypeError, match="NullModel cannot be stepped"):
        TrajectoryOptimisation(plain, model=NullModel())
    with pytest.raises(TypeError, match="has no 'update'; expected one of"):
        TrajectoryOptimisation(plain, model=WithoutUpdate())
    with pytest.raises(TypeError, match="values=3; expected one of"):
        TrajectoryOptimisation(plain, values=3)  # type: ignore[arg-type]  # that is the question
    endless = Spaces(gym.make(plain).observation_space, gym.spaces.Box(-np.inf, np.inf, (2,)))
    with pytest.raises(ValueError, match="with bounds"):
        TrajectoryOptimisation(endless, model="linear")
    agent = TrajectoryOptimisation(maze(), model="true", values=lambda vectors: vectors, **SMALL)
    with pytest.raises(ValueError, match="finite numbers"):
        agent.predict(np.array([0.5, 0.5], dtype=np.float32))


def test_learned_models_run() -> None:
    vectors = Vectors(maze().observation_space)
    assert vectors.size == 2
    few = TrajectorySettings(num_candidates=5, iterations=2, elites=4, particles=1)
    for name in LEARNED_MODELS:
        TrajectoryOptimisation(maze(), model=name, horizon=6, settings=few, seed=0).learn(3)
