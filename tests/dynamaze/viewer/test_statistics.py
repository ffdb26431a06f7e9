"""Statistics of episodes, visits and regret."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import Step
from dynamaze.envs import DynaMazeEnv, DynaMazeLoCAEnv, GridEnv
from dynamaze.viewer.environment import Camera
from dynamaze.viewer.statistics import (
    EpisodeStatistics,
    RecordStatistics,
    RunningRegret,
    format_regret,
)


def make_step(*, length: int, episode: int, terminated: bool = False, **info: int) -> Step:
    return Step(0, 0, 0.0, 0, terminated, False, info, episode, length, 0.5)


def test_episode_statistics_texts() -> None:
    statistics = EpisodeStatistics("A in B")
    assert statistics.summary() == "A in B: 0 steps, no episode ended"
    assert dict(statistics.fields(None)) == {
        "episode": "1",
        "world step": "0",
        "return": "0",
        "mean length": "-",
        "regret": "-",
    }
    statistics.add(make_step(length=1, episode=0, phase=1, world_step=1001))
    assert dict(statistics.fields(2.5))["world step"] == "1,001"
    assert statistics.description() == "A in B, phase 1"
    assert statistics.summary(2.5) == "A in B: 1 step, no episode ended, regret 2.5"
    for episode in range(12):
        statistics.add(make_step(length=episode, episode=episode, terminated=True, level=7))
    assert statistics.description() == "A in B, level 7"
    assert dict(statistics.fields(1234.4)) == {
        "episode": "12",
        "world step": "13",
        "return": "0.5",
        "mean length": "6.5",
        "regret": "1,234",
    }
    assert statistics.summary() == (
        "A in B: 13 steps, 12 episodes, 6.5 steps per episode over the last 10"
    )


@pytest.mark.parametrize(
    ("regret", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0, "0"),
        (0.01234, "0.0123"),
        (99.94, "99.9"),
        (1e4, "10,000"),
    ],
)
def test_format_regret_digits(regret: float | None, text: str) -> None:
    assert format_regret(regret) == text


def recorded_env(**options: object) -> tuple[RecordStatistics, GridEnv]:
    env = gym.make("DynaMaze-v0", render_mode="rgb_array", **options)
    assert isinstance(env.unwrapped, GridEnv)
    return RecordStatistics(env, Camera(env, (300, 300)), 0.9), env.unwrapped


def test_regret_of_corridor() -> None:
    recorded, _ = recorded_env(layout="S..G")
    assert recorded.regret is not None
    recorded.reset(seed=1)
    totals = []
    for action in (1, 0, 3, 1, 1, 1):
        recorded.step(action)
        totals.append(recorded.regret.total)
    # V* is 0.81, 0.9, 1 from the left. Waiting in cell 1 costs 0.9 - 0.81, going back as much
    # more as it is farther: 0.9 - 0.9 * 0.81.
    np.testing.assert_allclose(totals, [0, 0.09, 0.09 + 0.171, 0.261, 0.261, 0.261])


def test_regret_uses_layout_of_action() -> None:
    recorded, maze = recorded_env(layout=["S..G", "...."])
    assert recorded.regret is not None
    recorded.reset(seed=1)
    maze.change(["S#.G", "...."])
    recorded.step(2)
    assert recorded.regret.total == 0
    maze.change(["S..G", ".##."])
    recorded.step(1)
    assert recorded.regret.total == pytest.approx(0.9**3 - 0.9 * 0.9**3)


SLIPPERY = DynaMazeEnv(
    ["S..", ".#.", "..G"], slip_probability=0.2, step_reward=-0.1, wall_reward=-0.2
)


@pytest.mark.parametrize("maze", [SLIPPERY, DynaMazeLoCAEnv()], ids=["slippery", "LoCA"])
def test_regret_equals_mdp_advantage(maze: GridEnv) -> None:
    values = maze.mdp.optimal_action_values(0.8)
    regret, expected = RunningRegret(0.8), 0.0
    for state, action in ((0, 0), (1, 3), (5, 2), (7, 1)):
        regret.add(maze, state, action)
        expected += values[state].max() - values[state, action]
    assert regret.total == pytest.approx(expected)


def test_regret_nan_without_optimal_values() -> None:
    regret = RunningRegret(1.0)
    regret.add(DynaMazeEnv("S.G", step_reward=1, wall_reward=0), 0, 0)
    assert math.isnan(regret.total)


def test_record_statistics_visits_and_snapshots() -> None:
    recorded, maze = recorded_env(layout="S.G")
    recorded.reset(seed=1)
    recorded.step(1)
    assert recorded.final_snapshot is None
    recorded.step(1)
    assert recorded.final_snapshot.agent == (0, 2)
    assert recorded.initial_snapshot.agent == (0, 0)
    assert recorded.visits is not None
    assert recorded.visits.tolist() == [1, 1, 0]
    assert np.argwhere(recorded.tried).tolist() == [[0, 1], [1, 1]]
    recorded.reset()
    recorded.keep_snapshots = False
    recorded.step(1)
    recorded.step(1)
    assert recorded.final_snapshot is None
    assert maze.world_step == 4


def test_record_statistics_truncated_snapshot() -> None:
    env = gym.make("DynaMaze-v0", render_mode="rgb_array", max_episode_steps=2)
    recorded = RecordStatistics(env, Camera(env, (300, 300)), 0.9)
    recorded.reset(seed=1)
    recorded.step(0)
    assert recorded.final_snapshot is None
    recorded.step(0)
    assert recorded.final_snapshot is not None
