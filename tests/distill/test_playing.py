"""Playing in all autoreset modes: each decision once, and none of a finished episode."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import dynamaze  # noqa: F401
from dynamaze.distill.data.playing import Play, Player, draw_actions

from .worlds import MODES, Clock, Counting, Judged, clocks


def lives(mode: AutoresetMode, steps: int, kind: type[Clock] = Clock) -> list[list[Any]]:
    """What each environment decides on, in order, and how each decision went."""
    play = Play(clocks(mode, kind=kind), seed=3)
    found: list[list[Any]] = [[] for _ in range(3)]
    for _ in range(steps):
        seen, began, deciding = play.observations.copy(), play.began, play.deciding
        levels = play.levels
        outcome = play.step(np.ones(3, dtype=np.int64))
        assert levels is not None
        for i in np.flatnonzero(deciding):
            row = [tuple(seen[i]), began[i], levels[i]]
            found[i].append((*row, *(column[i] for column in outcome)))
        for column in outcome:
            assert not column[~deciding].any()
    return found


@pytest.mark.parametrize("mode", MODES)
def test_each_decision_comes_once_and_in_order(mode: AutoresetMode) -> None:
    for life in lives(mode, 60):
        expected = 0
        assert len(life) > 30
        for (step, length), began, level, reward, terminated, ended, success in life:
            assert step == expected < length
            assert began == (step == 0)
            assert level == 10 + length
            assert reward == 1.0
            assert ended == (step + 1 == length)
            assert terminated == success == (ended and length % 2 == 0)
            expected = 0 if ended else step + 1


def test_all_modes_play_the_same_episodes() -> None:
    first, *others = (lives(mode, 60) for mode in MODES)
    for other in others:
        for life, same in zip(first, other, strict=True):
            shared = min(len(life), len(same))
            assert life[:shared] == same[:shared]


@pytest.mark.parametrize("mode", MODES)
def test_a_world_may_say_itself_what_a_success_is(mode: AutoresetMode) -> None:
    for life in lives(mode, 60, Judged):
        for (_, length), *_, ended, success in life:
            assert success == (ended and length >= 3)


@pytest.mark.parametrize("mode", MODES)
def test_native_mazes_are_played_alike(mode: AutoresetMode) -> None:
    env = gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=4,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        size=5,
        levels=20,
        max_episode_steps=6,
    )
    play, rng = Play(env, seed=0), np.random.default_rng(0)
    episodes = 0
    for _ in range(100):
        # The agent stands on the goal only when its episode is over.
        on_goal = (play.observations[:, 1] * play.observations[:, 2]).any(axis=(1, 2))
        assert not (on_goal & play.deciding).any()
        outcome = play.step(rng.integers(4, size=4))
        assert (outcome.reward == outcome.terminated).all()
        episodes += int(outcome.ended.sum())
    assert episodes > 50
    assert play.levels is not None
    assert ((play.levels >= 0) & (play.levels < 20)).all()


def test_actions_that_do_not_begin_at_zero_are_shifted() -> None:
    play = Play(clocks(AutoresetMode.SAME_STEP, first_action=5), seed=0)
    outcome = play.step(np.array([0, 1, 0]))
    np.testing.assert_array_equal(outcome.reward, [0, 1, 0])


def test_each_player_has_a_memory_of_its_own() -> None:
    policy, world = Counting(), clocks(AutoresetMode.NEXT_STEP)
    policy.memory = "somebody else's"
    play = Play(world, seed=3)
    player = Player(policy, policy.action_probabilities)
    fired = 0
    for _ in range(60):
        answers = player.ask(play, play.deciding)
        assert policy.memory == "somebody else's"
        np.testing.assert_array_equal(answers[:, 1], play.observations[play.deciding, 0] == 2)
        fired += int(answers[:, 1].sum())
        play.step(np.zeros(3, dtype=np.int64))
    assert fired > 5


def test_actions_are_drawn_by_their_probabilities() -> None:
    chances = np.tile([0.5, 0.0, 0.2, 0.3], (40_000, 1))
    drawn = draw_actions(chances, np.random.default_rng(0))
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares[1] == 0
    np.testing.assert_allclose(shares, chances[0], atol=6 * 0.5 / 200)  # 6 standard errors


def test_other_spaces_are_refused() -> None:
    class Other(Clock):
        def __init__(self, observation: Any, action: Any) -> None:
            self.observation_space, self.action_space = observation, action

    box = spaces.Box(-1, 1, (2,), np.float32)
    for space in (spaces.MultiBinary(2), spaces.Box(0, 9, (2,), np.int64)):
        with pytest.raises(TypeError, match="expected Discrete, or a Box of fractions"):
            Play(SyncVectorEnv([lambda space=space: Other(box, space)]), 0)
    with pytest.raises(TypeError, match="expected arrays"):
        Play(SyncVectorEnv([lambda: Other(spaces.Dict({"a": box}), spaces.Discrete(2))]), 0)
