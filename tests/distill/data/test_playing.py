"""Stepping in all autoreset modes: each action once, and none after an episode's end."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import dynamaze  # noqa: F401
from dynamaze.distill.data.playing import EnvStepper, PolicyRunner, sample_actions

from ..small_envs import MODES, Clock, Counting, SuccessClock, clocks


def recorded_steps(mode: AutoresetMode, steps: int, kind: type[Clock] = Clock) -> list[list[Any]]:
    """Return the steps of each environment, in order, with their outcomes."""
    stepper = EnvStepper(clocks(mode, kind=kind), seed=3)
    found: list[list[Any]] = [[] for _ in range(3)]
    for _ in range(steps):
        seen, episode_start, needs_action = (
            stepper.observations.copy(),
            stepper.episode_start,
            stepper.needs_action,
        )
        levels = stepper.levels
        outcome = stepper.step(np.ones(3, dtype=np.int64))
        assert levels is not None
        for i in np.flatnonzero(needs_action):
            row = [tuple(seen[i]), episode_start[i], levels[i]]
            found[i].append((*row, *(column[i] for column in outcome)))
        for column in outcome:
            assert not column[~needs_action].any()
    return found


@pytest.mark.parametrize("mode", MODES)
def test_stepper_yields_each_step_once_in_order(mode: AutoresetMode) -> None:
    for steps in recorded_steps(mode, 60):
        expected = 0
        assert len(steps) > 30
        for (step, length), episode_start, level, reward, terminated, ended, success in steps:
            assert step == expected < length
            assert episode_start == (step == 0)
            assert level == 10 + length
            assert reward == 1.0
            assert ended == (step + 1 == length)
            assert terminated == success == (ended and length % 2 == 0)
            expected = 0 if ended else step + 1


def test_stepper_plays_same_episodes_in_all_modes() -> None:
    first, *others = (recorded_steps(mode, 60) for mode in MODES)
    for other in others:
        for steps, same in zip(first, other, strict=True):
            shared = min(len(steps), len(same))
            assert steps[:shared] == same[:shared]


@pytest.mark.parametrize("mode", MODES)
def test_stepper_reads_success_from_info(mode: AutoresetMode) -> None:
    for steps in recorded_steps(mode, 60, SuccessClock):
        for (_, length), *_, ended, success in steps:
            assert success == (ended and length >= 3)


@pytest.mark.parametrize("mode", MODES)
def test_stepper_runs_native_mazes_equally(mode: AutoresetMode) -> None:
    env = gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=4,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        size=5,
        levels=20,
        max_episode_steps=6,
    )
    stepper, rng = EnvStepper(env, seed=0), np.random.default_rng(0)
    episodes = 0
    for _ in range(100):
        # The agent stands on the goal only when its episode is over.
        on_goal = (stepper.observations[:, 1] * stepper.observations[:, 2]).any(axis=(1, 2))
        assert not (on_goal & stepper.needs_action).any()
        outcome = stepper.step(rng.integers(4, size=4))
        assert (outcome.reward == outcome.terminated).all()
        episodes += int(outcome.ended.sum())
    assert episodes > 50
    assert stepper.levels is not None
    assert ((stepper.levels >= 0) & (stepper.levels < 20)).all()


def test_stepper_shifts_actions_from_space_start() -> None:
    stepper = EnvStepper(clocks(AutoresetMode.SAME_STEP, first_action=5), seed=0)
    outcome = stepper.step(np.array([0, 1, 0]))
    np.testing.assert_array_equal(outcome.reward, [0, 1, 0])


def test_runner_keeps_own_recurrent_state() -> None:
    policy, envs = Counting(), clocks(AutoresetMode.NEXT_STEP)
    policy.memory = "somebody else's"
    stepper = EnvStepper(envs, seed=3)
    runner = PolicyRunner(policy, policy.action_probabilities)
    fired = 0
    for _ in range(60):
        outputs = runner.outputs(stepper, stepper.needs_action)
        assert policy.memory == "somebody else's"
        np.testing.assert_array_equal(
            outputs[:, 1], stepper.observations[stepper.needs_action, 0] == 2
        )
        fired += int(outputs[:, 1].sum())
        stepper.step(np.zeros(3, dtype=np.int64))
    assert fired > 5


def test_sample_actions_follows_probabilities() -> None:
    probabilities = np.tile([0.5, 0.0, 0.2, 0.3], (40_000, 1))
    drawn = sample_actions(probabilities, np.random.default_rng(0))
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares[1] == 0
    np.testing.assert_allclose(shares, probabilities[0], atol=6 * 0.5 / 200)  # 6 standard errors


def test_stepper_refuses_other_spaces() -> None:
    class Other(Clock):
        def __init__(self, observation: Any, action: Any) -> None:
            self.observation_space, self.action_space = observation, action

    box = spaces.Box(-1, 1, (2,), np.float32)
    for space in (spaces.MultiBinary(2), spaces.Box(0, 9, (2,), np.int64)):
        with pytest.raises(TypeError, match="expected Discrete, or a Box of floating point"):
            EnvStepper(SyncVectorEnv([lambda space=space: Other(box, space)]), 0)
    with pytest.raises(TypeError, match="expected arrays"):
        EnvStepper(SyncVectorEnv([lambda: Other(spaces.Dict({"a": box}), spaces.Discrete(2))]), 0)
