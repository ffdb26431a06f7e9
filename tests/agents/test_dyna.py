"""Dyna agents: what they learn, and reproducibility."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import Agent, DynaQ, DynaQPlus, QLearning, Spaces
from dynamaze.agents.models import TABLE_MODELS

CHANGING = {"layout": "blocking", "changes": {700: "shortcut"}}


def changing(**arguments: Any) -> gym.Env[Any, Any]:
    return gym.make("DynaMaze-v0", **CHANGING, max_episode_steps=300, **arguments)


@pytest.mark.parametrize("agent", [DynaQ, DynaQPlus])
def test_dyna_q_finds_optimal_values(agent: Any) -> None:
    more = {"kappa": 0.0} if agent is DynaQPlus else {}
    learned = agent(
        "DynaMaze-v0", learning_rate=1.0, planning_steps=50, epsilon=0.3, seed=0, **more
    ).learn(6000)
    env = gym.make("DynaMaze-v0")
    state, _ = env.reset()
    for steps_to_go in range(14, 0, -1):
        best = learned.values.q[state].max()
        assert best == pytest.approx(0.95 ** (steps_to_go - 1), abs=1e-12)
        action, _ = learned.predict(state, deterministic=True)
        state, reward, terminated, *_ = env.step(action)
    assert terminated
    assert reward == 1


@pytest.mark.parametrize("model", sorted(TABLE_MODELS))
def test_dyna_q_plus_without_bonus(model: str) -> None:
    arguments: dict[str, Any] = {"model": model, "epsilon": 0.3, "initial_value": 0.5, "seed": 3}
    plain = DynaQ("DynaMaze-v0", **arguments).learn(300).values.q  # type: ignore[attr-defined]
    for bonus, is_same in (("action", True), ("planning", False)):
        plus: Any = DynaQPlus("DynaMaze-v0", bonus=bonus, kappa=0, **arguments).learn(300)
        assert np.array_equal(plus.values.q, plain) == is_same


def test_agent_is_reproducible(
    make_agent: Callable[..., Agent], same_bits: Callable[[Agent, Agent], None]
) -> None:
    one, other = (make_agent(changing(slip_probability=0.2), seed=5).learn(900) for _ in range(2))
    same_bits(one, other)


class ResetSeeds(gym.Wrapper[Any, Any, Any, Any]):
    """Wrapper that records the seed of each reset."""

    def __init__(self) -> None:
        super().__init__(gym.make("DynaMaze-v0", layout="S.G"))
        self.seeds: list[int | None] = []

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        self.seeds.append(arguments.get("seed"))
        return super().reset(**arguments)


def test_agent_seeds_first_reset_only() -> None:
    first = []
    for seed in (0, 0, 1, None):
        env = ResetSeeds()
        assert QLearning(env, seed=seed).learn(100).num_episodes > 1
        first.append(env.seeds[0])
        assert set(env.seeds[1:]) == {None}
    assert first[0] == first[1] != first[2]
    assert isinstance(first[0], int)
    assert first[3] is None


def test_seed_restarts_streams(same_bits: Callable[[Agent, Agent], None]) -> None:
    seeded = QLearning("DynaMaze-v0", seed=1)
    seeded.seed(5)
    same_bits(seeded.learn(200), QLearning("DynaMaze-v0", seed=5).learn(200))


def test_agents_are_independent_when_interleaved(
    make_agent: Callable[..., Agent], same_bits: Callable[[Agent, Agent], None]
) -> None:
    alone = make_agent(changing(slip_probability=0.2), seed=2).learn(400)
    turns = make_agent(changing(slip_probability=0.2), seed=2)
    disturber = DynaQPlus(changing(slip_probability=0.1), seed=9)
    for _, _, _ in zip(range(400), turns.steps(), disturber.steps(), strict=False):
        disturber.predict(0)
    same_bits(alone, turns)


def test_learn_continues_across_calls(
    make_agent: Callable[..., Agent], same_bits: Callable[[Agent, Agent], None]
) -> None:
    once = make_agent(changing(), seed=4).learn(850)
    same_bits(once, make_agent(changing(), seed=4).learn(333).learn(517))


@pytest.mark.parametrize("env", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4", "Blackjack-v1"])
def test_agent_runs_on_toy_text(make_agent: Callable[..., Agent], env: str) -> None:
    agent = make_agent(env, seed=0).learn(300)
    assert agent.num_timesteps == 300
    action, _ = agent.predict(agent.observation, deterministic=True)
    assert gym.make(env).action_space.contains(action)


def test_q_learning_solves_cliff_walking() -> None:
    agent = QLearning("CliffWalking-v1", learning_rate=0.5, gamma=1.0, seed=0).learn(40_000)
    env = gym.make("CliffWalking-v1")
    observation, _ = env.reset(seed=0)
    total, terminated = 0.0, False
    for _ in range(50):
        action, _ = agent.predict(observation, deterministic=True)
        observation, reward, terminated, *_ = env.step(action)
        total += float(reward)
        if terminated:
            break
    assert terminated
    assert total == -13  # the optimal path along the cliff


def test_coordinates_learn_like_indices() -> None:
    by_index = DynaQ(changing(), seed=6).learn(500)
    by_cell = DynaQ(changing(observation="coordinates"), seed=6).learn(500)
    np.testing.assert_array_equal(by_index.values.q, by_cell.values.q)  # type: ignore[attr-defined]
    single, _ = by_cell.predict(np.array([5, 3]), deterministic=True)
    many, _ = by_cell.predict(np.array([[5, 3], [0, 0]]), deterministic=True)
    assert np.ndim(single) == 0
    assert many.shape == (2,)
    assert many[0] == single


def test_agent_rejects_untabular_space() -> None:
    with pytest.raises(TypeError, match='observation="index"'):
        DynaQ(gym.make("DynaMaze-v0", observation="planes"))
    with pytest.raises(TypeError, match="Box"):
        QLearning("Pendulum-v1")


def test_set_env_begins_episode() -> None:
    agent = DynaQ("DynaMaze-v0", seed=0).learn(20)
    agent.set_env("DynaMazeShortcut-v0")
    steps: list[Any] = []
    agent.learn(3, steps.append)
    assert steps[0].observation == 5 * 9 + 3  # start of that maze
    assert [step.episode_length for step in steps] == [1, 2, 3]
    assert agent.num_timesteps == 23


def test_agent_without_env_only_predicts() -> None:
    env = gym.make("DynaMaze-v0")
    agent = DynaQ(Spaces(env.observation_space, env.action_space))
    assert agent.predict(3, deterministic=True)[0] == 0
    with pytest.raises(RuntimeError, match="set_env"):
        agent.learn(1)
    agent.set_env(env)
    assert agent.learn(5).num_timesteps == 5
    assert agent.learn(0).num_timesteps == 5
    with pytest.raises(ValueError, match="expected"):
        agent.set_env("FrozenLake-v1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"planning_steps": -1},
        {"planning_steps": 1.5},
        {"kappa": -1.0},
        {"kappa": float("nan")},
        {"bonus": "plannin"},
        {"epsilon": 2.0},
        {"gamma": 2.0},
        {"initial_value": float("inf")},
    ],
)
def test_agent_rejects_invalid_argument(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DynaQPlus("DynaMaze-v0", **wrong)
    with pytest.raises(ValueError, match="total_timesteps=-1"):
        DynaQ("DynaMaze-v0").learn(-1)
    with pytest.raises(TypeError, match="env=3"):
        DynaQ(3)  # type: ignore[arg-type]
