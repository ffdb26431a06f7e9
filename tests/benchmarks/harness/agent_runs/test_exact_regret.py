"""Exact regrets and best reward rates of environments that know their dynamics."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.benchmarks.harness.agent_runs.exact_regret import RegretMeter, phases_of
from dynamaze.benchmarks.harness.agent_runs.recorder import Budget
from dynamaze.benchmarks.harness.agent_runs.resolver import RandomAgent
from dynamaze.benchmarks.harness.agent_runs.step_runs import run_agent
from dynamaze.envs import ChangingEnv

DRY: Any = gym.make("FrozenLake-v1", is_slippery=False).unwrapped.P  # type: ignore[attr-defined]  # toy-text


def test_regret_meter_follows_changes() -> None:
    env = gym.make("DynaMaze-v0", layout="S.G\n@ 1\nG.S")
    meter = RegretMeter(env, 0.5)
    env.reset(seed=0)
    assert meter.is_known
    before = [meter.regret(action) for action in range(4)]
    assert before[1] == 0.0  # towards the goal on the right: V* = 0.5
    assert before[3] == pytest.approx(0.25)  # stays in place: Q* = 0.5 * 0.5
    env.step(3)
    assert meter.regret(3) == 0.0


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "Taxi-v4", "CliffWalking-v1"])
def test_regret_meter_toy_text(env_id: str) -> None:
    env = gym.make(env_id)
    maze: Any = env.unwrapped
    meter = RegretMeter(env, 0.9)
    env.reset(seed=1)
    # value iteration in plain Python on the environment's own table
    values = np.zeros(env.observation_space.n)  # type: ignore[attr-defined]
    for _ in range(400):
        values = np.array([max(backups(maze.P[s], values)) for s in range(len(values))])
    expected = backups(maze.P[int(maze.s)], values)
    found = [meter.regret(action) for action in range(len(expected))]
    np.testing.assert_allclose(found, max(expected) - np.array(expected), atol=1e-9)


def backups(actions: Any, values: Any) -> list[float]:
    return [
        sum(p * (r + 0.9 * (not end) * values[to]) for p, to, r, end in actions[action])
        for action in sorted(actions)
    ]


def test_regret_unknown_behind_wrapper() -> None:
    env = gym.make("DynaMaze-v0")
    assert RegretMeter(gym.wrappers.FlattenObservation(env), 0.9).is_known
    assert not RegretMeter(gym.wrappers.TransformReward(env, lambda reward: -reward), 0.9).is_known
    assert not RegretMeter(gym.make("CartPole-v1"), 0.9).is_known


def test_phases_best_rates() -> None:
    phases = phases_of(gym.make("DynaMazeShortcut-v0"), 6000, 0.95)
    assert [(start, end) for start, end, _ in phases] == [(0, 3000), (3000, 6000)]
    np.testing.assert_allclose([rate for *_, rate in phases], [1 / 16, 1 / 10])
    (cliff,) = phases_of(gym.make("CliffWalking-v1"), 50, 0.95)
    assert cliff.best_rate == pytest.approx(-1.0)


@pytest.mark.parametrize("gamma", [0.9, 1.0])
def test_phases_best_rate_with_pocket(gamma: float) -> None:
    # a cell from which the goal cannot be reached; the goal is 2 steps from the start
    env = gym.make("DynaMaze-v0", layout="S.#.\n.G##")
    assert phases_of(env, 10, gamma)[0].best_rate == pytest.approx(1 / 2)


@pytest.mark.parametrize("env_id", ["DynaMazeGenerated-v0", "DynaMazeDrifting-v0", "CartPole-v1"])
def test_phases_unknown(env_id: str) -> None:
    ((start, end, rate),) = phases_of(gym.make(env_id), 70, 0.9)
    assert (start, end) == (0, 70)
    assert np.isnan(rate)


def test_regret_follows_a_table_that_changes() -> None:
    turned = {s: {a: DRY[s][(a + 1) % 4] for a in range(4)} for s in range(16)}
    env = ChangingEnv(gym.make("FrozenLake-v1", is_slippery=False), {3: {"P": turned}})
    meter = RegretMeter(env, 0.9)
    assert meter.is_known
    env.reset(seed=0)
    regrets = []
    for action in (1, 1, 2, 0, 1, 1):  # the shortest path, before and after the change
        regrets.append(meter.regret(action))
        assert meter.look((action + 1) % 4)[1] == pytest.approx(0.9 ** (5 - len(regrets) + 1))
        env.step(action)
    assert regrets == pytest.approx([0.0] * 6)
    ((start, end, rate),) = phases_of(env, 6, 0.9)
    assert (start, end) == (0, 6)
    assert np.isnan(rate)
    assert not RegretMeter(ChangingEnv(gym.make("CartPole-v1"), {}), 0.9).is_known


def test_recorder_notes_the_changes() -> None:
    env = partial(ChangingEnv, gym.make("FrozenLake-v1"), [(3, {"P": DRY}), (9, {"P": DRY})])
    record = run_agent(RandomAgent, env, Budget(12, 0), seed=0, gamma=0.9)
    assert record.changes.tolist() == [3, 9]
    assert record.regrets.shape == (12,)
