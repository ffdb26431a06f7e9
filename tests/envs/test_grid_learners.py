"""Requirements of other libraries' learners."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from .helpers import her_samples

sb3 = pytest.importorskip("stable_baselines3")

OBSERVATIONS = [
    "index",
    "coordinates",
    "one_hot",
    "planes",
    "window",
    "rays",
    {"kind": "rgb", "cell_size": 8},
    {"kind": "action_mask", "of": "one_hot"},
    "goal",
]


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_checker_sb3_passes(observation: Any) -> None:
    from stable_baselines3.common.env_checker import check_env

    with warnings.catch_warnings():
        # It recommends vectors for boxes of three axes that are not images, such as planes.
        warnings.filterwarnings("ignore", message=".*unconventional shape.*|.*image.*|.*minimal.*")
        check_env(gym.make("DynaMazeGenerated-v0", size=5, observation=observation).unwrapped)


def test_her_relabels_goals() -> None:
    env = gym.make(
        "DynaMaze-v0",
        layout=["S....", ".....", "....G"],
        observation={"kind": "goal", "of": "one_hot"},
        step_reward=-1.0,
        goal_reward=0.0,
        max_episode_steps=20,
    )
    batch = her_samples(
        sb3.DQN,
        env,
        steps=300,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        learning_starts=100,
        batch_size=16,
        policy_kwargs={"net_arch": [16]},
    )
    reached = (
        batch.next_observations["achieved_goal"] == batch.next_observations["desired_goal"]
    ).all(dim=1)
    rewards = np.where(reached.numpy(), 0.0, -1.0)
    np.testing.assert_array_equal(batch.rewards.numpy()[:, 0], rewards)
    assert 0.05 < reached.float().mean() < 0.95
