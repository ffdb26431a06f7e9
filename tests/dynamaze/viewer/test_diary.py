"""What has happened: episodes, visits, regret."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import Step
from dynamaze.envs import Dynamics, GridEnv, Layout, Rewards
from dynamaze.viewer.environment import Camera
from dynamaze.viewer.regret import Regret
from dynamaze.viewer.statistics import Diary, written
from dynamaze.viewer.witness import Witness


def a_step(*, length: int, episode: int, terminated: bool = False, **info: int) -> Step:
    return Step(0, 0, 0.0, 0, terminated, False, info, episode, length, 0.5)


def test_the_diary_tells_where_things_stand() -> None:
    diary = Diary("A in B")
    assert diary.summary() == "A in B: 0 steps, no episode ended"
    assert dict(diary.fields(None)) == {
        "episode": "1",
        "world step": "0",
        "return": "0",
        "mean length": "-",
        "regret": "-",
    }
    diary.add(a_step(length=1, episode=0, phase=1, world_step=1001))
    assert dict(diary.fields(2.5))["world step"] == "1,001"
    assert diary.note() == "A in B, phase 1"
    assert diary.summary(2.5) == "A in B: 1 step, no episode ended, regret 2.5"
    for episode in range(12):
        diary.add(a_step(length=episode, episode=episode, terminated=True, level=7))
    assert diary.note() == "A in B, level 7"
    assert dict(diary.fields(1234.4)) == {
        "episode": "12",
        "world step": "13",
        "return": "0.5",
        "mean length": "6.5",
        "regret": "1,234",
    }
    assert diary.summary() == (
        "A in B: 13 steps, 12 episodes, 6.5 steps an episode over the last 10"
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
def test_a_regret_is_written_with_three_digits_or_more(regret: float | None, text: str) -> None:
    assert written(regret) == text


def witness_of(**options: object) -> tuple[Witness, GridEnv]:
    env = gym.make("DynaMaze-v0", render_mode="rgb_array", **options)
    assert isinstance(env.unwrapped, GridEnv)
    return Witness(env, Camera(env, (300, 300)), 0.9), env.unwrapped


def test_the_regret_of_a_corridor_is_written_down() -> None:
    witness, _ = witness_of(layout="S..G")
    assert witness.regret is not None
    witness.reset(seed=1)
    totals = []
    for action in (1, 0, 3, 1, 1, 1):
        witness.step(action)
        totals.append(witness.regret.total)
    # V* is 0.81, 0.9, 1 from the left. Waiting in cell 1 costs 0.9 - 0.81, going back as much
    # more as it is farther: 0.9 - 0.9 * 0.81.
    np.testing.assert_allclose(totals, [0, 0.09, 0.09 + 0.171, 0.261, 0.261, 0.261])


def test_each_action_is_judged_by_the_maze_in_which_it_was_taken() -> None:
    witness, maze = witness_of(layout=["S..G", "...."])
    assert witness.regret is not None
    witness.reset(seed=1)
    maze.change(["S#.G", "...."])
    witness.step(2)
    assert witness.regret.total == 0
    maze.change(["S..G", ".##."])
    witness.step(1)
    assert witness.regret.total == pytest.approx(0.9**3 - 0.9 * 0.9**3)


def test_the_regret_is_v_minus_q_of_the_mdp() -> None:
    layout = Layout.from_text(["S..", ".#.", "..G"], Rewards(1, -0.1, -0.2), 0.2)
    values = Dynamics(layout).mdp.optimal_action_values(0.8)
    regret, expected = Regret(0.8), 0.0
    for state, action in ((0, 0), (1, 3), (5, 2), (7, 1)):
        regret.add(layout, state, action)
        expected += values[state].max() - values[state, action]
    assert regret.total == pytest.approx(expected)


def test_where_nothing_is_optimal_there_is_no_regret() -> None:
    regret = Regret(1.0)
    regret.add(Layout.from_text("S.G", Rewards(1, 1, 0)), 0, 0)
    assert math.isnan(regret.total)


def test_the_witness_counts_visits_and_keeps_the_end_of_an_episode() -> None:
    witness, maze = witness_of(layout="S.G")
    witness.reset(seed=1)
    witness.step(1)
    assert witness.arrival is None
    witness.step(1)
    assert witness.arrival.agent == (0, 2)
    assert witness.departure.agent == (0, 0)
    assert witness.visits is not None
    assert witness.visits.tolist() == [1, 1, 0]
    assert np.argwhere(witness.tried).tolist() == [[0, 1], [1, 1]]
    witness.reset()
    witness.keeps_arrivals = False
    witness.step(1)
    witness.step(1)
    assert witness.arrival is None
    assert maze.world_step == 4


def test_the_end_of_time_is_kept_as_well() -> None:
    env = gym.make("DynaMaze-v0", render_mode="rgb_array", max_episode_steps=2)
    witness = Witness(env, Camera(env, (300, 300)), 0.9)
    witness.reset(seed=1)
    witness.step(0)
    assert witness.arrival is None
    witness.step(0)
    assert witness.arrival is not None
